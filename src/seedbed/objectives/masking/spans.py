"""Spans of random length.

Shapes: B rows, L tokens a row, N lengths.
"""

from __future__ import annotations

import numpy as np

from seedbed.core.checks import check_counts
from seedbed.core.counters import key, uniform
from seedbed.core.errors import InputError
from seedbed.objectives.masking import masks
from seedbed.objectives.masking.policy import Choice, Mask, Rows


@masks.register("spans")
class Spans(Mask):
    """Spans of whole words, each masked, replaced or kept as a whole (Joshi et al., 2020, SpanBERT, section 3.1).

    A span has n words with probability p (1 - p)^(n - 1), n from 1 to `longest`, made to sum to 1: 3.8 words on average
    with p = 0.2 and at most 10. Each row is cut into such spans one after the other, and each is chosen with
    probability `rate`. So the expected share of chosen tokens is `rate` in every place of a row, lengths of chosen
    spans are as published, and a higher rate chooses a superset. The paper draws spans with random beginnings until a
    budget of 15% is full, and so masks a fixed number a sequence. Spans end at pieces' borders and special tokens,
    and are shorter there. Not here: the loss at the span's boundary (its section 3.2).
    """

    def __init__(self, p: float = 0.2, longest: int = 10) -> None:
        if not 0 < p < 1:
            raise InputError("p", "must lie above 0 and below 1", value=p)
        check_counts(longest=longest)
        weight_N = p * (1 - p) ** np.arange(longest)
        self._below_N = np.cumsum(weight_N / weight_N.sum())[:-1]

    def choose(self, rows: Rows, rate: float, *, seed: int, progress: float) -> Choice:
        # span number k of a row begins at the word that is the sum of the k lengths before it
        drawn_BL = uniform(key(seed, "mlm", "spans"), rows.numbers_B[:, None], rows.columns_1L)
        first_BL = np.cumsum(1 + np.searchsorted(self._below_N, drawn_BL, side="right"), axis=1)
        height, width = rows.tokens_BL.shape
        begins_BN = np.zeros((height, width + 1), dtype=bool)
        begins_BN[:, :1] = True
        np.put_along_axis(begins_BN, np.minimum(first_BL, width), True, axis=1)
        word_BL = np.cumsum(rows.begins_BL, axis=1) - 1
        begins_BL = rows.begins_BL & np.take_along_axis(begins_BN, word_BL, axis=1)
        units_BL = rows.units(begins_BL | rows.breaks_BL | ~rows.maskable_BL)
        return Choice(rows.maskable_BL & (rows.drawn(units_BL, seed) < rate), units_BL)
