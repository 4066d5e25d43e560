"""Functions learned in the context."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from seedbed.core.checks import check_counts
from seedbed.core.counters import key
from seedbed.evaluate import tasks
from seedbed.evaluate.task import EvaluationContext, Items, Measure, SystemRun, TaskResult

if TYPE_CHECKING:
    from collections.abc import Callable

_BLOCK = 256  # sequences that a network reads at once


@tasks.register("in_context_regression", papers=["012", "020", "104"])
class InContextRegression:
    """In-context regression: squared errors of predicted values, each from the points before it, for models that were
    trained with the objective of this name.

    families, dimension, noise, tasks, nonzero, decay, pool: the functions, as in the objective; with its `tasks` and
        `pool` they are those of training, with `tasks: null` new ones. points: in a sequence. sequences: how many.
    known: the families that training had, for the estimator `optimal`, by default those asked for here.

    Systems: the model, the same network untrained; `ridge`, the best estimator for w from a normal distribution; where
    families are linear, `optimal`, the best one for them (over supports of sparse functions, and families by their
    posterior probability); with a pool `pool`, the best one if it is known (dMMSE); with a number `linear_attention`, a
    single layer of linear attention that has learned from one sequence of each of so many tasks at this rate, made to
    predict the last value (`regression/estimators.py`). `reference` gives the pool of
    training where new functions are asked for. Metrics, over sequences and points and divided by the dimension:
    `error`, the squared error; `to_ridge`, `to_optimal` and `to_pool`, the squared distance from what these predict;
    `last`, the squared error at the last point. Items are the mean error of each point. Intervals draw sequences.
    """

    def __init__(
        self,
        families: dict[str, float] = {"dense": 1.0},  # noqa: B006
        dimension: int = 8,
        noise: float = 0.5,
        tasks: int | None = None,
        nonzero: int = 2,
        decay: float = 0.0,
        pool: int = 0,
        *,
        reference: int | None = None,
        known: dict[str, float] | None = None,
        points: int = 16,
        sequences: int = 512,
        linear_attention: int | None = None,
        rate: float = 0.01,
        name: str = "in_context_regression",
    ) -> None:
        from seedbed.objectives.regression.functions import Functions

        check_counts(points=points, sequences=sequences, linear_attention=linear_attention or 1)
        self.linear_attention, self.rate = linear_attention, rate
        self.functions = Functions(dict(families), dimension, noise, tasks, nonzero, decay, pool)
        given = dict(families if known is None else known)
        self.expected = Functions(given, dimension, noise, None, nonzero, decay)
        pooled = tasks if reference is None else reference
        self.pooled = None if pooled is None else Functions(given, dimension, noise, pooled, nonzero, decay, pool)
        self.points, self.sequences, self.name = points, sequences, name

    def run(self, context: EvaluationContext) -> TaskResult:
        context.require("causal", self.name, instead="cloze")
        numbers_B = np.arange(self.sequences)
        x_BND, y_BN = self.functions.sequences(numbers_B, self.points, key(context.seed, "evaluation") >> 1)
        best = {name: predict(x_BND, y_BN) for name, predict in self._estimators(context.seed).items()}
        runs = []
        for system, seed in context.systems(trains=False):
            said_BN = _said(context.frozen(system, seed or 0), x_BND, y_BN)
            runs.append(self._scored(system, seed, said_BN, y_BN, best))
        if context.baselines:
            runs += [self._scored(name, None, said_BN, y_BN, best) for name, said_BN in best.items()]
        higher = {"error": False, "last": False, **{f"to_{name}": False for name in best}}
        return TaskResult(runs, higher, [], {"sequences": self.sequences, "points": self.points})

    def _estimators(self, seed: int) -> dict[str, Callable[[np.ndarray, np.ndarray], np.ndarray]]:
        from seedbed.objectives.regression import estimators

        noise, expected, pooled = self.functions.noise, self.expected, self.pooled
        found: dict[str, Any] = {"ridge": lambda x, y: estimators.ridge(x, y, noise)}
        if all(name in ("dense", "sparse", "blend") or not weight for name, weight in expected.families.items()):
            found["optimal"] = lambda x, y: estimators.optimal(x, y, expected)
            if pooled is not None:
                found["pool"] = lambda x, y: estimators.optimal(x, y, pooled)
        if self.linear_attention is not None:
            matrix = estimators.linear_attention(
                self.functions, self.linear_attention, self.points, key(seed, "linear attention") >> 1, self.rate
            )
            found["linear_attention"] = lambda x, y: estimators.attended(x, y, matrix)
        return found

    def _scored(
        self, system: str, seed: int | None, said_BN: np.ndarray, y_BN: np.ndarray, best: dict[str, np.ndarray]
    ) -> SystemRun:
        error_BN = np.square(said_BN - y_BN) / self.functions.dimension
        one_B = np.ones(self.sequences)
        measures = {"error": Measure(error_BN.mean(1), one_B), "last": Measure(error_BN[:, -1], one_B)}
        for name, other_BN in best.items():
            distance_BN = np.square(said_BN - other_BN) / self.functions.dimension
            measures[f"to_{name}"] = Measure(distance_BN.mean(1), one_B)
        places = [str(place) for place in range(self.points)]
        items = Items(places, [""] * self.points, [""] * self.points, error_BN.mean(0))
        return SystemRun(system, seed, measures, items)


def _said(network: Any, x_BND: np.ndarray, y_BN: np.ndarray) -> np.ndarray:
    """What a network predicts (B, N)."""
    import torch

    from seedbed.objectives.regression.vectors import answers, features

    device, points = next(network.parameters()).device, y_BN.shape[1]
    found = []
    with torch.no_grad():
        for start in range(0, len(y_BN), _BLOCK):
            block = torch.from_numpy(features(x_BND[start : start + _BLOCK], y_BN[start : start + _BLOCK])).to(device)
            where_T = torch.arange(0, block.shape[0] * 2 * points, 2, device=device)
            found.append(answers(network, block, None, None, where_T).view(-1, points).cpu().double().numpy())
    return np.concatenate(found)
