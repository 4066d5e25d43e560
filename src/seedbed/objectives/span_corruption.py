"""Span corruption.

Shapes: S texts, N tokens of all of them together.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from seedbed.core.checks import check_positive
from seedbed.core.errors import InputError
from seedbed.objectives import objectives
from seedbed.objectives.base import Examples
from seedbed.objectives.denoising.pairs import Kind, denoised, texts_of
from seedbed.objectives.denoising.ragged import Ragged
from seedbed.objectives.denoising.spans import Spans, random_spans, rolled
from seedbed.objectives.denoising.writing import Writing
from seedbed.vocabulary.artifact import SENTINELS

if TYPE_CHECKING:
    from seedbed.data.batch import Batch
    from seedbed.vocabulary.artifact import Vocabulary


@objectives.register("span_corruption", papers=["068", "081", "099", "120", "122", "127", "284"])
class SpanCorruption(Writing):
    """Span corruption (T5, Raffel et al., 2020): of a text some spans are taken out, a sentinel token in the place of
    each, and what is to be written are the sentinels, each with its span behind it.

    `rate` is the share of tokens in spans, `mean_length` their mean length (`denoising/spans.py`). `network` says what
    is trained: an encoder that reads the damaged text and a decoder that writes, or one decoder that reads it as a
    prefix, all of which it sees, and goes on with the spans. `mode` is a token that is put before the text, by which a
    mixture of denoisers tells the model what it wants (UL2, Tay et al., 2022). Needs a tokenizer with sentinels (style
    `seq2seq`): a text has at most as many spans as there are of those, longer ones if need be.

    Special tokens of documents are left out, and both texts end with the end token. After T5's code; as there nothing
    follows the last span but the end, where the paper's figure has one more sentinel. There a text begins with what is
    kept and ends with a span, which of a short text with one span leaves nothing to chance; `roll` (there an option
    that is off) moves each text's spans on by a number that is drawn. T5 draws so much raw text that the damaged one
    fills its row; here rows are drawn first, and become shorter by what is taken out. A document in a packed row is
    damaged on its own. With rows of the sampler `parallel` a text and its translation are one text: that is translation
    span corruption (DeltaLM, Ma et al., 2021) and pivot-based translation modeling (ERNIE-Code, Chai et al., 2023).
    """

    def __init__(
        self,
        rate: float = 0.15,
        mean_length: float = 3.0,
        network: Kind = "encoder-decoder",
        mode: str | None = None,
        roll: bool = True,
    ) -> None:
        if not 0 < rate < 1:
            raise InputError("rate", "must lie between 0 and 1", value=rate)
        check_positive(mean_length=mean_length)
        super().__init__(network, mode)
        self.rate, self.mean_length, self.roll = rate, mean_length, roll

    def wanted_tokens(self) -> list[str]:
        """Sentinels, and the mode's token."""
        return [*SENTINELS, *super().wanted_tokens()]

    def bind(self, vocabulary: Vocabulary) -> None:
        """Learn the ids. Raises InputError if the tokenizer has no sentinels, or not the mode's token."""
        super().bind(vocabulary)
        if len(self._marks.sentinels) < 2:
            raise InputError(
                "objective.span_corruption", "the tokenizer has no sentinels (<extra_id_0>, ...)", fix="style: seq2seq"
            )

    def corrupt(self, batch: Batch, *, seed: int, progress: float) -> Examples:
        """Damaged texts and what they have lost."""
        marks = self._marks
        texts = texts_of(batch, marks.special_V)
        most = len(marks.sentinels) - self.roll  # one that is cut becomes two
        spans = random_spans(texts, self.rate, self.mean_length, seed, max(most, 1))
        if self.roll:
            spans = rolled(texts, spans, seed)
        source, target = taken_out(texts.tokens, spans, marks.sentinels)
        return denoised(source, target, texts, batch, self.attention, marks, self._mode)


def taken_out(tokens: Ragged, spans: Spans, sentinels: tuple[int, ...]) -> tuple[Ragged, Ragged]:
    """The texts with a sentinel for each span, and the spans with theirs before them."""
    begun_N = np.cumsum(spans.starts_N)
    before_S = np.cumsum(spans.counts_S) - spans.counts_S
    sentinel_N = np.asarray(sentinels)[np.maximum(begun_N - before_S[tokens.sequence_N] - 1, 0)]
    shown = Ragged(np.where(spans.noise_N, sentinel_N, tokens.values_N), tokens.lengths_S)
    source = shown.keep(~spans.noise_N | spans.starts_N)
    lost = tokens.keep(spans.noise_N)
    return source, lost.insert(spans.starts_N[spans.noise_N], sentinel_N[spans.starts_N])
