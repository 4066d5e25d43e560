"""Masked language modeling.

Shapes: B rows, L tokens a row, T targets, V vocabulary.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, ClassVar

import numpy as np

from seedbed.core.counters import integers, key, uniform
from seedbed.core.errors import InputError
from seedbed.objectives import objectives
from seedbed.objectives.base import Examples, Loss
from seedbed.objectives.prediction import predict
from seedbed.optim import Schedule, schedules
from seedbed.optim.checks import check_share

if TYPE_CHECKING:
    from seedbed.data.batch import Batch
    from seedbed.models.network import Network
    from seedbed.vocabulary.artifact import Vocabulary


@objectives.register("mlm", papers=["018", "029", "138", "158", "280", "366", "367"])
class MaskedLanguageModeling:
    """Masked language modeling (Devlin et al., 2019): predict tokens that were hidden, from both sides.

    Each token is chosen with probability `rate`; a chosen one becomes the mask token with probability `replace`,
    a random token with `random`, and stays as it is otherwise; the loss is the cross-entropy at chosen tokens.
    `rate` may be a schedule of the run's progress: `{linear: {start: 0.3, end: 0.15}}` is Ankner et al. (2023);
    0.3 throughout is MosaicBERT (Portes et al., 2023). With `whole_word` all tokens of a word are chosen or none
    (Gu et al., 2021, for PubMedBERT); each of them is then replaced on its own, as in BERT's own code.

    Special tokens and padding are never chosen. Deviations: tokens (words) are chosen independently, where BERT
    takes a fixed number a sequence, so that a row's count varies around the rate and a row is never cut at 20
    predictions; random tokens are drawn from the ordinary ones, where BERT draws from all. A word that a piece's
    border cuts is masked as the part that is there.
    """

    attention: ClassVar[str] = "bidirectional"

    def __init__(
        self,
        rate: float | Annotated[Schedule, schedules] = 0.15,
        replace: float = 0.8,
        random: float = 0.1,
        whole_word: bool = False,
    ) -> None:
        if isinstance(rate, int | float) and not 0 < rate <= 1:
            raise InputError("rate", "must lie above 0 and not above 1", value=rate)
        check_share("replace", replace)
        check_share("random", random)
        if replace + random > 1 + 1e-9:
            raise InputError("random", "replace and random together exceed 1", value=[replace, random])
        self.rate, self.replace, self.random, self.whole_word = rate, replace, random, whole_word

    def bind(self, vocabulary: Vocabulary) -> None:
        """Learn the ids. Raises InputError if the tokenizer has no mask token."""
        if vocabulary.mask is None:
            raise InputError(
                "objective.mlm",
                "the tokenizer has no mask token",
                fix="train the tokenizer for an encoder, or choose the objective clm",
            )
        self._mask = vocabulary.mask
        self._special_V = np.asarray(vocabulary.special_V, dtype=bool)
        self._ordinary = np.flatnonzero(~self._special_V)
        self._word_start_V = np.asarray(vocabulary.word_start_V, dtype=bool)
        if not len(self._ordinary):
            raise InputError("objective.mlm", "the tokenizer has nothing but special tokens")

    def rate_at(self, progress: float) -> float:
        """The masking rate at this progress."""
        rate = self.rate if isinstance(self.rate, int | float) else self.rate(progress)
        if not 0 <= rate <= 1:
            raise InputError("objective.mlm.rate", f"the schedule gives {rate} at progress {progress}, not a rate")
        return rate

    def corrupt(self, batch: Batch, *, seed: int, progress: float) -> Examples:
        """Hide tokens. Every number is drawn by (row of the run, column): grouping rows otherwise changes nothing."""
        tokens_BL = batch.tokens_BL.astype(np.int64)
        rows_B1 = batch.rows_B[:, None]
        columns_1L = np.arange(tokens_BL.shape[1])[None, :]
        maskable_BL = (batch.segments_BL >= 0) & ~self._special_V[tokens_BL]
        unit_BL = self._words(tokens_BL, batch.segments_BL, maskable_BL) if self.whole_word else columns_1L
        chosen_BL = maskable_BL & (uniform(key(seed, "mlm", "choose"), rows_B1, unit_BL) < self.rate_at(progress))
        where_T = np.flatnonzero(chosen_BL)
        targets_T = tokens_BL.ravel()[where_T]

        rows_T = np.broadcast_to(rows_B1, tokens_BL.shape).ravel()[where_T]
        columns_T = np.broadcast_to(columns_1L, tokens_BL.shape).ravel()[where_T]
        fate_T = uniform(key(seed, "mlm", "fate"), rows_T, columns_T)
        random_T = self._ordinary[integers(key(seed, "mlm", "random"), len(self._ordinary), rows_T, columns_T)]
        shown_T = np.where(fate_T < self.replace, self._mask, targets_T)
        shown_T = np.where((fate_T >= self.replace) & (fate_T < self.replace + self.random), random_T, shown_T)
        inputs_BL = tokens_BL.copy()
        inputs_BL.ravel()[where_T] = shown_T
        segments_BL = None if batch.is_plain else batch.segments_BL
        return Examples(inputs_BL, segments_BL, batch.positions_BL, where_T, targets_T)

    def _words(self, tokens_BL: np.ndarray, segments_BL: np.ndarray, maskable_BL: np.ndarray) -> np.ndarray:
        """For each token the column where its word begins: at a word-starting token, after a special one, at a
        piece's border."""
        starts_BL = self._word_start_V[tokens_BL] | ~maskable_BL
        starts_BL[:, :1] = True
        starts_BL[:, 1:] |= ~maskable_BL[:, :-1] | (segments_BL[:, 1:] != segments_BL[:, :-1])
        columns_BL = np.where(starts_BL, np.arange(tokens_BL.shape[1]), 0)
        return np.maximum.accumulate(columns_BL, axis=1)

    def loss(self, network: Network, examples: Examples) -> Loss:
        """Cross-entropy at the chosen positions."""
        return predict(network, examples)
