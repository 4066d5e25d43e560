"""Sequential model-based search: a model of what points are worth says which one to try."""

from __future__ import annotations

from typing import Literal

import numpy as np

from seedbed.core.errors import InputError
from seedbed.search import searchers
from seedbed.search.features import features
from seedbed.search.regression import Model, expected_improvement, predict
from seedbed.search.searcher import Searcher, View
from seedbed.search.space import Point

Acquisition = Literal["mean", "improvement"]


@searchers.register("surrogate", papers=["135"])
class SurrogateSearcher(Searcher):
    """Model-based search (SMBO; Negrinho and Gordon, 2017): a model is fitted to all trials, drawn points
    are ranked by it, and the best one is tried.

    model: `process`, a Gaussian process, or `ridge`, linear in the features as the paper's; what a point's features are
        says `search/features.py`. Theirs count sequences of modules.
    acquisition: by what points are ranked: the `mean`, as in the paper, or the expected `improvement` on the best
    trial. candidates: drawn points to rank. explore: the share of trials that are drawn at random all the same. Theirs
        are 256 or 512, and 0.1. warmup: trials at random before the first model.

    Trials that came to nothing count as the worst known value.
    """

    def __init__(
        self,
        model: Model = "process",
        acquisition: Acquisition = "improvement",
        candidates: int = 256,
        explore: float = 0.1,
        warmup: int = 4,
    ) -> None:
        if not 0 <= explore <= 1:
            raise InputError("explore", "must lie in [0, 1]", value=explore)
        for name, value, least in (("candidates", candidates, 1), ("warmup", warmup, 2)):
            if value < least:
                raise InputError(name, f"must be at least {least}", value=value)
        self.model: Model = model
        self.acquisition: Acquisition = acquisition
        self.candidates, self.explore, self.warmup = candidates, explore, warmup

    def propose(self, view: View) -> Point | None:
        if len(view.known) < self.warmup or view.random.random() < self.explore:
            return view.any_new()
        drawn = [point for point in view.space.some(self.candidates, view.random) if point.key not in view.seen]
        if not drawn:
            return view.any_new()
        rows_PF = features([*(trial.point for trial in view.trials), *drawn])
        value_N, num = values(view), len(view.trials)
        mean_M, deviation_M = predict(self.model, rows_PF[:num], value_N, rows_PF[num:])
        score_M = -mean_M
        if self.acquisition == "improvement":
            score_M = expected_improvement(mean_M, deviation_M, float(value_N.min()))
        return view.first_new(drawn[place] for place in np.argsort(-score_M, kind="stable")) or view.any_new()


def values(view: View) -> np.ndarray:
    """Of all trials; the worst known one for those that came to nothing."""
    worst = max(trial.value for trial in view.known if trial.value is not None)
    return np.array([worst if trial.value is None else trial.value for trial in view.trials])
