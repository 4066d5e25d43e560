"""Autoregressive blank infilling.

Shapes: S texts, P pieces that were taken out of all of them, N tokens, T targets.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from seedbed.core.checks import check_share
from seedbed.core.counters import key
from seedbed.core.errors import InputError
from seedbed.models.network import Ranks
from seedbed.objectives import objectives
from seedbed.objectives.base import Examples
from seedbed.objectives.denoising.pairs import Marks, texts_of
from seedbed.objectives.denoising.poisson import poisson_spans
from seedbed.objectives.denoising.ragged import Ragged, in_rows, join
from seedbed.objectives.denoising.spans import Spans, Texts
from seedbed.objectives.prediction import TokenPrediction
from seedbed.vocabulary.artifact import SENTINELS

if TYPE_CHECKING:
    from seedbed.data.batch import Batch
    from seedbed.vocabulary.artifact import Vocabulary

_PLACED = ("rope", "learned")


@objectives.register("blank_infilling", papers=["368"])
class BlankInfilling(TokenPrediction):
    """Autoregressive blank infilling (GLM, Du et al., 2022, section 2.1): pieces are taken out of a text, a blank in
    the place of each; behind the text, which is seen whole, the pieces stand in an order that is drawn, and are
    predicted token by token, each seeing the text and the pieces before it.

    Either `rate` of a text's tokens are taken out, in pieces whose lengths are of a Poisson distribution of mean
    `mean_length` without its zero, or, for a share `long` of the texts, one piece at the end, of a length drawn evenly
    from `shortest` of the text to all of it (their document level; at the end, as GLM-130B has it, Zeng et al., 2023).
    A piece begins with a token of its own and ends with the end token. Of a tokenizer of style `seq2seq` the first
    three sentinels are: the short blank, the long one, what begins a piece.

    For a prefix decoder. GLM has two numbers for each token, the place of its blank in the damaged text and the place
    in the piece, each with its own embeddings. Networks here have one: it is the sum of the two, so that a piece counts
    on from its blank, and attention between a piece and what surrounds its blank has about the distances of the text.
    How long a piece will be cannot be seen either way. That takes positions that can be given (`rope`, `learned`);
    others count what stands between in the row. Not here: blanks for whole sentences.
    """

    attention: ClassVar[str] = "prefix"
    reshapes: ClassVar[bool] = True

    def __init__(
        self,
        rate: float = 0.15,
        mean_length: float = 3.0,
        long: float = 0.5,
        shortest: float = 0.5,
        shuffle: bool = True,
    ) -> None:
        if not 0 < rate < 1:
            raise InputError("rate", "must lie between 0 and 1", value=rate)
        if not 0 < mean_length <= 100:
            raise InputError("mean_length", "must lie above 0 and not above 100", value=mean_length)
        check_share("long", long)
        check_share("shortest", shortest)
        self.rate, self.mean_length, self.long, self.shortest = rate, mean_length, long, shortest
        self.shuffle = shuffle

    def wanted_tokens(self) -> list[str]:
        """The sentinels that it takes."""
        return SENTINELS[:3]

    def bind(self, vocabulary: Vocabulary) -> None:
        """Learn the ids. Raises InputError if the tokenizer has less than three sentinels."""
        self._marks = Marks.of(vocabulary)
        if len(self._marks.sentinels) < 3:
            problem = "the tokenizer has not three sentinels (<extra_id_0>, ...)"
            raise InputError("objective.blank_infilling", problem, fix="style: seq2seq")

    def prepare(self, network: Any, seed: int) -> None:
        """Raises InputError if the network's positions are those in the row."""
        positions = network.architecture.positions
        if positions not in _PLACED:
            problem = "count tokens in the row, and a piece would not be at its blank"
            raise InputError("model.positions", problem, value=positions, allowed=_PLACED)

    def corrupt(self, batch: Batch, *, seed: int, progress: float) -> Examples:
        """Texts with blanks, their pieces behind them."""
        marks = self._marks
        texts = texts_of(batch, marks.special_V)
        tokens = texts.tokens
        is_long_S = texts.drawn(key(seed, "blank_infilling", "long"), np.ones_like(tokens.lengths_S)) < self.long
        spans = self._spans(texts, is_long_S, seed)
        blank_N = np.where(is_long_S[tokens.sequence_N], marks.sentinels[1], marks.sentinels[0])
        shown = Ragged(np.where(spans.noise_N, blank_N, tokens.values_N), tokens.lengths_S)
        source = shown.keep(~spans.noise_N | spans.starts_N)
        blank_P = source.place_N[spans.starts_N[~spans.noise_N | spans.starts_N]]
        order_P = texts.drawn(key(seed, "blank_infilling", "order"), spans.counts_S)
        taken = Taken(tokens, spans, blank_P, order_P if self.shuffle else np.arange(len(order_P)))
        return self._as_examples(source, taken, texts, len(batch.rows_B))

    def _spans(self, texts: Texts, is_long_S: np.ndarray, seed: int) -> Spans:
        """Short ones, or for some texts one at the end."""
        tokens, length_S = texts.tokens, texts.tokens.lengths_S
        short, _ = poisson_spans(texts, self.rate, self.mean_length, seed)
        drawn_S = texts.drawn(key(seed, "blank_infilling", "length"), np.ones_like(length_S))
        share_S = self.shortest + drawn_S * (1 - self.shortest)
        written_S = np.minimum(np.maximum(np.round(share_S * length_S).astype(np.int64), 1), length_S)
        begins_N = (length_S - written_S)[tokens.sequence_N]
        is_long_N = is_long_S[tokens.sequence_N]
        return Spans(
            np.where(is_long_N, tokens.place_N >= begins_N, short.noise_N),
            np.where(is_long_N, tokens.place_N == begins_N, short.starts_N),
            np.where(is_long_S, np.minimum(length_S, 1), short.counts_S),
        )

    def _as_examples(self, source: Ragged, taken: Taken, texts: Texts, rows: int) -> Examples:
        """Text and pieces in one row; each token of a piece predicts the next."""
        marks = self._marks
        shown, wanted, place = taken.behind(marks.sentinels[2], marks.end)
        lost_S = shown.lengths_S > 0
        parts = (source, shown), (Ragged(source.place_N, source.lengths_S), place)
        both, places = (join(*(part.only(lost_S) for part in pair)) for pair in parts)
        is_piece_N = both.place_N >= source.lengths_S[lost_S][both.sequence_N]
        laid = in_rows(both, texts.row_S[lost_S], rows, marks.pad)
        prefix_BL = np.zeros(laid.tokens_BL.shape, bool)
        prefix_BL.ravel()[laid.flat_N[~is_piece_N]] = True
        laid.positions_BL.ravel()[laid.flat_N] = places.values_N
        where_T = laid.flat_N[is_piece_N]
        ranks = Ranks.of_prefix(prefix_BL)
        return Examples(laid.tokens_BL, laid.segments_BL, laid.positions_BL, where_T, wanted.values_N, ranks=ranks)


class Taken:
    """Pieces taken out of texts, in an order that is given by a number of each (P)."""

    def __init__(self, tokens: Ragged, spans: Spans, blank_P: np.ndarray, order_P: np.ndarray) -> None:
        text_P = tokens.sequence_N[spans.starts_N]
        order = np.lexsort((order_P, text_P))
        piece_N = np.cumsum(spans.starts_N[spans.noise_N]) - 1
        lost = Ragged(tokens.values_N[spans.noise_N], np.bincount(piece_N, minlength=len(text_P)))
        self.pieces, self.blank_P, self.counts_S = lost.take(order), blank_P[order], spans.counts_S

    def behind(self, start: int, end: int) -> tuple[Ragged, Ragged, Ragged]:
        """Of each text its pieces one behind the other: what is read, what is wanted there, and the place of it."""
        count = len(self.blank_P)
        shown = join(Ragged.same(start, count), self.pieces)
        wanted = join(self.pieces, Ragged.same(end, count))
        place_N = self.blank_P[shown.sequence_N] + shown.place_N
        text_P = np.repeat(np.arange(len(self.counts_S)), self.counts_S)
        lengths_S = np.bincount(text_P, shown.lengths_S, minlength=len(self.counts_S)).astype(np.int64)
        read, targets, places = (Ragged(each, lengths_S) for each in (shown.values_N, wanted.values_N, place_N))
        return read, targets, places
