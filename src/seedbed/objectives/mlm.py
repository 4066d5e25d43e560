"""Masked language modeling.

Shapes: B rows, L tokens a row, T targets, V vocabulary.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, ClassVar

import numpy as np

from seedbed.core.checks import check_share
from seedbed.core.counters import integers, key, uniform
from seedbed.core.errors import InputError
from seedbed.objectives import objectives
from seedbed.objectives.base import Examples
from seedbed.objectives.masking import Mask, Rows, masks
from seedbed.objectives.prediction import TokenPrediction
from seedbed.objectives.shares import Share, share_at

if TYPE_CHECKING:
    from seedbed.data.batch import Batch
    from seedbed.vocabulary.artifact import Vocabulary


@objectives.register("mlm", papers=["018", "029", "138", "158", "280", "366", "367"])
class MaskedLanguageModeling(TokenPrediction):
    """Masked language modeling (Devlin et al., 2019): predict tokens that were hidden, from both sides.

    `mask` chooses the tokens, a share `rate` of them (`seedbed list masks`). A chosen one becomes the mask token with
    probability `replace`, a random token with `random`, and stays as it is otherwise, each on its own unless the mask
    holds units together; the loss is the cross-entropy at chosen tokens. `rate`, `replace` and `random` may be
    schedules of the run's progress: a rate of `{linear: {start: 0.3, end: 0.15}}` is Ankner et al. (2023); 0.3
    throughout is MosaicBERT (Portes et al., 2023).

    Special tokens and padding are never chosen. Deviation: random tokens are drawn from the ordinary ones, where BERT
    draws from all.
    """

    attention: ClassVar[str] = "bidirectional"

    def __init__(
        self,
        rate: Share = 0.15,
        replace: Share = 0.8,
        random: Share = 0.1,
        mask: Annotated[Mask, masks] = "tokens",  # type: ignore[assignment]
    ) -> None:
        if isinstance(rate, int | float) and not 0 < rate <= 1:
            raise InputError("rate", "must lie above 0 and not above 1", value=rate)
        for name, share in (("replace", replace), ("random", random)):
            if isinstance(share, int | float):
                check_share(name, share)
        self.rate, self.replace, self.random, self.mask = rate, replace, random, mask
        if isinstance(replace, int | float) and isinstance(random, int | float):
            self.fates_at(0.0)

    def bind(self, vocabulary: Vocabulary) -> None:
        """Learn the ids. Raises InputError if the tokenizer has no mask token."""
        if vocabulary.mask is None:
            raise InputError(
                "objective.mlm",
                "the tokenizer has no mask token",
                fix="train the tokenizer for an encoder, or choose the objective clm",
            )
        self._mask_token = vocabulary.mask
        self._special_V = np.asarray(vocabulary.special_V, dtype=bool)
        self._ordinary = np.flatnonzero(~self._special_V)
        self._word_start_V = np.asarray(vocabulary.word_start_V, dtype=bool)
        if not len(self._ordinary):
            raise InputError("objective.mlm", "the tokenizer has nothing but special tokens")
        self.mask.bind(vocabulary)

    def rate_at(self, progress: float) -> float:
        """The masking rate at this progress."""
        return share_at("objective.mlm.rate", self.rate, progress)

    def fates_at(self, progress: float) -> tuple[float, float]:
        """At this progress the shares of chosen tokens that become the mask token, and that become that or another."""
        replace = share_at("objective.mlm.replace", self.replace, progress)
        random = share_at("objective.mlm.random", self.random, progress)
        if replace + random > 1 + 1e-9:
            raise InputError("random", "replace and random together exceed 1", value=[replace, random])
        return replace, replace + random

    def corrupt(self, batch: Batch, *, seed: int, progress: float) -> Examples:
        """Hide tokens. Every number is drawn by (row of the run, column): grouping rows otherwise changes nothing."""
        tokens_BL = batch.tokens_BL.astype(np.int64)
        maskable_BL = (batch.segments_BL >= 0) & ~self._special_V[tokens_BL]
        rows = Rows(tokens_BL, batch.segments_BL, maskable_BL, batch.rows_B, self._word_start_V)
        choice = self.mask.choose(rows, self.rate_at(progress), seed=seed, progress=progress)
        where_T = np.flatnonzero(choice.chosen_BL)
        targets_T = tokens_BL.ravel()[where_T]

        row_T, columns_T = batch.rows_B[where_T // tokens_BL.shape[1]], where_T % tokens_BL.shape[1]
        units_T = columns_T if choice.units_BL is None else choice.units_BL.ravel()[where_T]
        fate_T = uniform(key(seed, "mlm", "fate"), row_T, units_T)
        random_T = self._ordinary[integers(key(seed, "mlm", "random"), len(self._ordinary), row_T, columns_T)]
        masked, changed = self.fates_at(progress)
        shown_T = np.where(fate_T < masked, self._mask_token, np.where(fate_T < changed, random_T, targets_T))
        inputs_BL = tokens_BL.copy()
        inputs_BL.ravel()[where_T] = shown_T
        segments_BL = None if batch.is_plain else batch.segments_BL
        return Examples(inputs_BL, segments_BL, batch.positions_BL, where_T, targets_T)
