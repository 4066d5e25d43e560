"""Text infilling and the order of sentences.

Shapes: S texts, N tokens of all of them together, Q stretches of all of them together.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from seedbed.core.checks import check_share
from seedbed.core.counters import key
from seedbed.core.errors import InputError
from seedbed.objectives import objectives
from seedbed.objectives.base import Examples
from seedbed.objectives.denoising.pairs import Kind, denoised, texts_of
from seedbed.objectives.denoising.poisson import poisson_spans
from seedbed.objectives.denoising.ragged import Ragged
from seedbed.objectives.denoising.sentences import Sentences, sentence_ends
from seedbed.objectives.denoising.spans import Texts
from seedbed.objectives.denoising.writing import Writing

if TYPE_CHECKING:
    from seedbed.data.batch import Batch
    from seedbed.vocabulary.artifact import Vocabulary


@objectives.register("infilling", papers=["008"])
class Infilling(Writing):
    """Text infilling and sentence permutation (BART, Lewis et al., 2020): spans of a text, their lengths of a Poisson
    distribution, are replaced by one mask token each (of length 0: one is put in), its sentences are shuffled, and the
    whole text is to be written.

    `rate` of the tokens are in spans of a mean length of `mean_length`; `permute` is the share of texts whose sentences
    are shuffled (a sentence ends with a token that ends in one of `. ! ?` and the like). Sentences are shuffled first,
    and spans may cross them then. BART's large model has a rate of 0.3, a mean of 3 and shuffles all.

    Read off the paper (section 2.2, 5.1). Its spans are laid at random starts and may be joined by chance; here as many
    spans as have the wanted tokens are drawn, the last one cut to fit, and at least one token is between two spans.
    """

    def __init__(
        self, rate: float = 0.3, mean_length: float = 3.0, permute: float = 1.0, network: Kind = "encoder-decoder"
    ) -> None:
        if not 0 <= rate < 1:
            raise InputError("rate", "must be at least 0 and below 1", value=rate)
        if not 0 < mean_length <= 100:
            raise InputError("mean_length", "must lie above 0 and not above 100", value=mean_length)
        check_share("permute", permute)
        super().__init__(network)
        self.rate, self.mean_length, self.permute = rate, mean_length, permute

    def bind(self, vocabulary: Vocabulary) -> None:
        """Learn the ids; the mask token is the tokenizer's, or else its first sentinel."""
        super().bind(vocabulary)
        self._mask, self._ends_V = self._marks.mask(vocabulary), sentence_ends(vocabulary)

    def corrupt(self, batch: Batch, *, seed: int, progress: float) -> Examples:
        """Shuffled texts with masks in the place of spans, and the texts themselves."""
        texts = texts_of(batch, self._marks.special_V)
        shuffled = replace(texts, tokens=self._shuffled(texts, seed))
        spans, empty_S = poisson_spans(shuffled, self.rate, self.mean_length, seed)
        shown = Ragged(np.where(spans.noise_N, self._mask, shuffled.tokens.values_N), texts.tokens.lengths_S)
        source = self._inserted(texts, shown.keep(~spans.noise_N | spans.starts_N), empty_S, seed)
        return denoised(source, texts.tokens, texts, batch, self.attention, self._marks)

    def _shuffled(self, texts: Texts, seed: int) -> Ragged:
        """The sentences of some texts in another order, all orders being equally likely."""
        tokens = texts.tokens
        found = Sentences.of(tokens, self._ends_V)
        chosen_S = texts.drawn(key(seed, "infilling", "permute"), np.ones_like(tokens.lengths_S)) < self.permute
        order_Q = texts.drawn(key(seed, "infilling", "order"), found.counts_S)
        order_Q = np.where(chosen_S[found.text_Q], order_Q, np.arange(len(order_Q)))
        order_N = np.lexsort((tokens.place_N, order_Q[found.number_N], tokens.sequence_N))
        return Ragged(tokens.values_N[order_N], tokens.lengths_S)

    def _inserted(self, texts: Texts, source: Ragged, counts_S: np.ndarray, seed: int) -> Ragged:
        """Masks before so many tokens of each source, drawn evenly."""
        drawn_N = texts.drawn(key(seed, "infilling", "insert"), source.lengths_S)
        order_N = np.lexsort((drawn_N, source.sequence_N))
        rank_N = np.empty(len(order_N), np.int64)
        rank_N[order_N] = source.place_N
        return source.insert(rank_N < counts_S[source.sequence_N], np.int64(self._mask))
