"""Words in another order.

Shapes: S texts, N tokens of all of them together, W words.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from seedbed.core.checks import check_positive
from seedbed.core.counters import key
from seedbed.objectives.denoising.ragged import Ragged
from seedbed.objectives.denoising.spans import Texts
from seedbed.objectives.noising import noises
from seedbed.objectives.noising.noise import Noise

if TYPE_CHECKING:
    from seedbed.vocabulary.artifact import Vocabulary


@noises.register("reorder", papers=["064"])
class Reorder(Noise):
    """Words change places with others near them: to each word's number something is added that is drawn evenly from 0
    to `distance` + 1, and words stand in the order of these sums, so that none moves by more than `distance` places
    (Lample et al., 2018, section 2.3). Tokens of a word stay together."""

    def __init__(self, distance: float = 3.0) -> None:
        check_positive(distance=distance)
        self.distance = distance

    def bind(self, vocabulary: Vocabulary) -> None:
        self._word_start_V = np.asarray(vocabulary.word_start_V)

    def damaged(self, texts: Texts, seed: int) -> Ragged:
        """Shuffled texts."""
        tokens = texts.tokens
        begins_N = self._word_start_V[tokens.values_N] | (tokens.place_N == 0)
        word_N = np.cumsum(begins_N) - 1
        words_S = np.bincount(tokens.sequence_N[begins_N], minlength=len(tokens.lengths_S))
        drawn_W = texts.drawn(key(seed, "reorder"), words_S)
        moved_W = np.arange(len(drawn_W)) + drawn_W * (self.distance + 1)
        order_N = np.lexsort((tokens.place_N, moved_W[word_N], tokens.sequence_N))
        return Ragged(tokens.values_N[order_N], tokens.lengths_S)
