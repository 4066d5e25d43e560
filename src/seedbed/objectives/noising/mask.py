"""Spans hidden behind one mask token each."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from seedbed.core.errors import InputError
from seedbed.objectives.denoising.pairs import Marks
from seedbed.objectives.denoising.poisson import poisson_spans
from seedbed.objectives.denoising.ragged import Ragged
from seedbed.objectives.denoising.spans import Texts
from seedbed.objectives.noising import noises
from seedbed.objectives.noising.noise import Noise

if TYPE_CHECKING:
    from seedbed.vocabulary.artifact import Vocabulary


@noises.register("mask", papers=["064", "299"])
class MaskNoise(Noise):
    """`rate` of a text's tokens, in spans whose lengths are of a Poisson distribution of mean `mean_length` without its
    zero, become one mask token a span: mBART's noise (Liu et al., 2020: 0.35 and 3.5). The mask is the tokenizer's mask
    token, or else its first sentinel."""

    def __init__(self, rate: float = 0.35, mean_length: float = 3.5) -> None:
        if not 0 < rate < 1:
            raise InputError("rate", "must lie between 0 and 1", value=rate)
        if not 0 < mean_length <= 100:
            raise InputError("mean_length", "must lie above 0 and not above 100", value=mean_length)
        self.rate, self.mean_length = rate, mean_length

    def bind(self, vocabulary: Vocabulary) -> None:
        """Raises InputError if there is neither a mask token nor a sentinel."""
        self._mask = Marks.of(vocabulary).mask(vocabulary)

    def damaged(self, texts: Texts, seed: int) -> Ragged:
        """Texts with masks."""
        spans, _ = poisson_spans(texts, self.rate, self.mean_length, seed)
        shown = Ragged(np.where(spans.noise_N, self._mask, texts.tokens.values_N), texts.tokens.lengths_S)
        return shown.keep(~spans.noise_N | spans.starts_N)
