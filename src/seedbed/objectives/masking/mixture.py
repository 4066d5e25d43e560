"""Several policies in one run.

Shapes: B rows, L tokens a row, P policies.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import numpy as np

from seedbed.core.checks import check_rate
from seedbed.core.counters import key, uniform
from seedbed.core.errors import InputError
from seedbed.objectives.masking import masks
from seedbed.objectives.masking.policy import Choice, Mask, Rows
from seedbed.objectives.shares import Share, shares_at

if TYPE_CHECKING:
    from seedbed.vocabulary.artifact import Vocabulary


@masks.register("mixture", papers=["170", "192"])
class Mixture(Mask):
    """Each row is masked by one of several policies, drawn by weight.

    `weights` are shares of the rows in any unit, numbers or schedules of the run's progress: tokens first and whole
    words later is `{masks: [tokens, words], weights: [{linear: {start: 1, end: 0}}, {linear: {start: 0, end: 1}}]}`, a
    curriculum of the unit as BIOptimus has it (192; with schedules as `rate`, `replace` and `random` of the objective,
    also of rate and corruption). Without weights all are alike. The expected share of chosen tokens is that of the
    policies. Not here: the replacement of tokens by ones of high TF-IDF, which is one of LegalTurk's variants (170).
    """

    def __init__(self, masks: list[Annotated[Mask, masks]], weights: list[Share] | None = None) -> None:
        if not masks:
            raise InputError("masks", "is empty", fix="masks: [tokens, words]")
        weights = [1.0] * len(masks) if weights is None else weights
        if len(weights) != len(masks):
            raise InputError("weights", f"has {len(weights)} numbers for {len(masks)} masks")
        for weight in weights:
            if isinstance(weight, int | float):
                check_rate("weights", weight)
        self.masks, self.weights = masks, weights

    def bind(self, vocabulary: Vocabulary) -> None:
        for mask in self.masks:
            mask.bind(vocabulary)

    def choose(self, rows: Rows, rate: float, *, seed: int, progress: float) -> Choice:
        bounds_P = np.cumsum(shares_at("mask.mixture.weights", self.weights, progress))
        policy_B = np.searchsorted(bounds_P[:-1], uniform(key(seed, "mlm", "policy"), rows.numbers_B), side="right")
        chosen_BL = np.zeros(rows.tokens_BL.shape, dtype=bool)
        units_BL = np.broadcast_to(rows.columns_1L, chosen_BL.shape).copy()
        for number, mask in enumerate(self.masks):
            place = np.flatnonzero(policy_B == number)
            found = mask.choose(rows.select(place), rate, seed=seed, progress=progress)
            chosen_BL[place] = found.chosen_BL
            if found.units_BL is not None:
                units_BL[place] = found.units_BL
        return Choice(chosen_BL, units_BL)
