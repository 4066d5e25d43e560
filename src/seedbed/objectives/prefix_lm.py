"""Prefix language modeling.

Shapes: S texts, N tokens of all of them together.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from seedbed.core.counters import key
from seedbed.core.errors import InputError
from seedbed.objectives import objectives
from seedbed.objectives.base import Examples
from seedbed.objectives.denoising.pairs import Kind, denoised, texts_of
from seedbed.objectives.denoising.ragged import Ragged
from seedbed.objectives.denoising.spans import Texts
from seedbed.objectives.denoising.writing import Writing

if TYPE_CHECKING:
    from seedbed.data.batch import Batch


@objectives.register("prefix_lm", papers=["201"])
class PrefixLanguageModeling(Writing):
    """Prefix language modeling (Raffel et al., 2020, section 3.2.3): a text is cut in two, the first part is read as a
    whole, and the second is to be written.

    The second part has a share of the text that is drawn evenly from 0 to twice `share`, at least one token and at most
    all but one; T5 cuts anywhere (`share: 0.5`), UL2's sequential denoiser writes a quarter of the text on average
    (Tay et al., 2022, table 1). `network` and `mode` as in `span_corruption`. Each document of a row is cut on its own.
    """

    def __init__(self, share: float = 0.5, network: Kind = "prefix", mode: str | None = None) -> None:
        if not 0 < share <= 0.5:
            raise InputError("share", "must lie above 0 and not above 0.5", value=share)
        super().__init__(network, mode)
        self.share = share

    def corrupt(self, batch: Batch, *, seed: int, progress: float) -> Examples:
        """First and second parts."""
        texts = texts_of(batch, self._marks.special_V)
        source, target = cut_in_two(texts, self.share, seed)
        return denoised(source, target, texts, batch, self.attention, self._marks, self._mode)


def cut_in_two(texts: Texts, share: float, seed: int) -> tuple[Ragged, Ragged]:
    """First and second parts; the second has from 0 to twice `share` of its text, but neither is empty. Of a text of
    less than two tokens there is no second part."""
    length_S = texts.tokens.lengths_S
    drawn_S = texts.drawn(key(seed, "prefix_lm"), np.ones_like(length_S))
    written_S = np.round(2 * share * drawn_S * length_S).astype(np.int64)
    written_S = np.where(length_S >= 2, np.clip(written_S, 1, np.maximum(length_S - 1, 1)), 0)
    first_N = texts.tokens.place_N < (length_S - written_S)[texts.tokens.sequence_N]
    return texts.tokens.keep(first_N), texts.tokens.keep(~first_N)
