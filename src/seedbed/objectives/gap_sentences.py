"""Gap sentences.

Shapes: S texts, N tokens of all of them together, Q sentences of all of them together.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from seedbed.core.errors import InputError
from seedbed.objectives import objectives
from seedbed.objectives.base import Examples
from seedbed.objectives.denoising.pairs import Kind, denoised, texts_of
from seedbed.objectives.denoising.ragged import Ragged
from seedbed.objectives.denoising.sentences import Sentences, sentence_ends
from seedbed.objectives.denoising.writing import Writing

if TYPE_CHECKING:
    from seedbed.data.batch import Batch
    from seedbed.vocabulary.artifact import Vocabulary


@objectives.register("gap_sentences", papers=["114", "221"])
class GapSentences(Writing):
    """Gap sentences (PEGASUS, Zhang et al., 2020): the most important sentences of a text are hidden behind a mask
    token each, and are to be written, one behind the other.

    `rate` of a text's sentences, at least one and never all: those with the highest ROUGE-1 (F1) to the rest of the
    text, each on its own ("independently, original"), of tokens where the paper has words. A sentence ends with a token
    that ends in one of `. ! ?` and the like; texts of one sentence have nothing to learn, and rows should be as long as
    documents. The mask is the tokenizer's, or else its first sentinel. `network` and `mode` as in `span_corruption`.
    Nothing is drawn. Not here: masked tokens in the sentences that stay.
    """

    def __init__(self, rate: float = 0.3, network: Kind = "encoder-decoder", mode: str | None = None) -> None:
        if not 0 < rate < 1:
            raise InputError("rate", "must lie between 0 and 1", value=rate)
        super().__init__(network, mode)
        self.rate = rate

    def bind(self, vocabulary: Vocabulary) -> None:
        """Learn the ids."""
        super().bind(vocabulary)
        self._mask, self._ends_V = self._marks.mask(vocabulary), sentence_ends(vocabulary)

    def corrupt(self, batch: Batch, *, seed: int, progress: float) -> Examples:
        """Texts without their most important sentences, and these."""
        texts = texts_of(batch, self._marks.special_V)
        sentences = Sentences.of(texts.tokens, self._ends_V)
        spans = sentences.spans(important(sentences, self.rate))
        shown = Ragged(np.where(spans.noise_N, self._mask, texts.tokens.values_N), texts.tokens.lengths_S)
        source, target = shown.keep(~spans.noise_N | spans.starts_N), texts.tokens.keep(spans.noise_N)
        return denoised(source, target, texts, batch, self.attention, self._marks, self._mode)


def important(sentences: Sentences, rate: float) -> np.ndarray:
    """Which sentences are the most like the rest of their text (Q): round(rate * n) of n, at least one, never all."""
    counts_S = sentences.counts_S
    wanted_S = np.minimum(np.maximum(np.round(rate * counts_S).astype(np.int64), 1), counts_S - 1)
    overlap_Q = sentences.overlaps(np.arange(len(counts_S)))
    return sentences.best(overlap_Q, sentences.text_Q, wanted_S[sentences.text_Q])
