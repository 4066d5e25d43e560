"""Pairs of what is read and what is to be written, as examples of an encoder-decoder or of a prefix decoder.

Shapes: S texts, N tokens of all of them together, B rows, L columns.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

from seedbed.core.errors import InputError
from seedbed.models.network import Ranks
from seedbed.objectives.base import Examples, Outputs
from seedbed.objectives.denoising.ragged import Ragged, in_rows, join
from seedbed.objectives.denoising.spans import Texts

if TYPE_CHECKING:
    from seedbed.data.batch import Batch
    from seedbed.vocabulary.artifact import Vocabulary

Kind = Literal["encoder-decoder", "prefix"]


@dataclass(frozen=True)
class Marks:
    """The tokens around a text: what ends it, what fills rows and is what a decoder begins with (T5's way); and those
    that stand for spans, in order."""

    end: int
    pad: int
    sentinels: tuple[int, ...]
    special_V: np.ndarray

    @classmethod
    def of(cls, vocabulary: Vocabulary) -> Marks:
        """Raises InputError if the tokenizer has no token to end a text with."""
        end = vocabulary.eos if vocabulary.eos is not None else vocabulary.sep
        if end is None:
            raise InputError("objective", "the tokenizer has no token that ends a text", fix="one of style seq2seq")
        return cls(end, vocabulary.pad or 0, vocabulary.sentinels, np.asarray(vocabulary.special_V, dtype=bool))

    def mask(self, vocabulary: Vocabulary) -> int:
        """What stands for something that is hidden: the mask token, or else the first sentinel. Raises InputError if
        there is neither."""
        found = [index for index in (vocabulary.mask, *self.sentinels) if index is not None]
        if not found:
            raise InputError("objective", "the tokenizer has neither a mask token nor sentinels", fix="style: seq2seq")
        return found[0]

    def mode(self, vocabulary: Vocabulary, token: str | None) -> int | None:
        """The id of a token that is put before a text."""
        if token is None:
            return None
        if token not in vocabulary.tokens:
            fix = f"train_tokenizer with `special: ['{token}']`"
            raise InputError("mode", "the tokenizer has no such token", value=token, fix=fix)
        return vocabulary.tokens.index(token)


def texts_of(batch: Batch, special_V: np.ndarray) -> Texts:
    """The ordinary tokens of each segment of each row; special ones, such as what ends a document, stay out."""
    return _texts(batch, special_V, np.empty(0, np.int64))[0]


def pieces_of(batch: Batch, special_V: np.ndarray) -> tuple[Texts, np.ndarray]:
    """The same for each piece, of which a segment may have several; and the number of its segment (S), ascending."""
    return _texts(batch, special_V, batch.pieces_N6[:, 0] * batch.tokens_BL.shape[1] + batch.pieces_N6[:, 1])


def _texts(batch: Batch, special_V: np.ndarray, cuts: np.ndarray) -> tuple[Texts, np.ndarray]:
    """Texts that begin with each segment and at flat places, and the number of the segment of each."""
    width = batch.tokens_BL.shape[1]
    begins = np.zeros(batch.tokens_BL.size, np.int64)
    begins[cuts] = 1
    flat_N = np.flatnonzero((batch.segments_BL >= 0).ravel() & ~special_V[batch.tokens_BL.ravel()])
    row_N, segment_N = flat_N // width, batch.segments_BL.ravel()[flat_N]
    changes_N = (np.diff(row_N, prepend=-1) != 0) | (np.diff(segment_N, prepend=-2) != 0)
    piece_N = np.cumsum(begins)[flat_N]
    first_S = np.flatnonzero(changes_N | (np.diff(piece_N, prepend=-1) != 0))
    lengths_S = np.diff(first_S, append=len(flat_N))
    tokens_N = batch.tokens_BL.ravel()[flat_N].astype(np.int64)
    row_S = row_N[first_S]
    texts = Texts(Ragged(tokens_N, lengths_S), row_S, batch.rows_B[row_S], flat_N[first_S] % width)
    return texts, np.cumsum(changes_N)[first_S] - 1


def denoised(
    source: Ragged, target: Ragged, texts: Texts, batch: Batch, kind: Kind, marks: Marks, mode: int | None = None
) -> Examples:
    """A batch's damaged texts and what is to be written for them; texts that have lost nothing stay out."""
    lost_S = target.lengths_S > 0
    rows = len(batch.rows_B)
    return as_examples(source.only(lost_S), target.only(lost_S), texts.row_S[lost_S], rows, kind, marks, mode)


def pieces_under(texts: Texts, batch: Batch) -> np.ndarray:
    """Which of the batch's pieces each text is (S), as an index of `pieces_N6`; of one of several pieces, the first."""
    width = batch.tokens_BL.shape[1]
    order_N = np.lexsort((batch.pieces_N6[:, 1], batch.pieces_N6[:, 0]))
    place_N = batch.pieces_N6[order_N, 0] * width + batch.pieces_N6[order_N, 1]
    piece_S = np.searchsorted(place_N, texts.row_S * width + texts.column_S, side="right") - 1
    return np.asarray(order_N[piece_S])


def as_examples(
    source: Ragged,
    target: Ragged,
    row_S: np.ndarray,
    rows: int,
    kind: Kind,
    marks: Marks,
    mode: int | np.ndarray | None = None,
) -> Examples:
    """What is read, with a mode's token before it (one for all, or S), and what is to be written for it; both get their
    end."""
    count = len(row_S)
    end = Ragged.same(marks.end, count)
    source, target = join(source, end), join(target, end)
    if mode is not None:
        modes_S = np.broadcast_to(np.asarray(mode, np.int64), (count,))
        source = join(Ragged(modes_S, np.ones(count, np.int64)), source)
    if kind == "prefix":
        return _as_prefix(source, target, row_S, rows, marks)
    is_last_N = target.place_N == target.lengths_S[target.sequence_N] - 1
    shown = join(Ragged.same(marks.pad, count), target.keep(~is_last_N))
    read = in_rows(source, row_S, rows, marks.pad)
    written = in_rows(shown, row_S, rows, marks.pad)
    outputs = Outputs(written.tokens_BL, written.segments_BL, written.positions_BL)
    return Examples(
        read.tokens_BL, read.segments_BL, read.positions_BL, written.flat_N, target.values_N, decoder=outputs
    )


def _as_prefix(source: Ragged, target: Ragged, row_S: np.ndarray, rows: int, marks: Marks) -> Examples:
    """Target behind source, in one row: what stands before a token of the target predicts it."""
    both = in_rows(join(source, target), row_S, rows, marks.pad)
    lengths_2S = np.stack((source.lengths_S, target.lengths_S), axis=1).ravel()
    is_target_N = np.repeat(np.arange(len(lengths_2S)) % 2 == 1, lengths_2S)
    prefix_BL = np.zeros(both.tokens_BL.shape, bool)
    prefix_BL.ravel()[both.flat_N[~is_target_N]] = True
    where_T, ranks = both.flat_N[is_target_N] - 1, Ranks.of_prefix(prefix_BL)
    return Examples(both.tokens_BL, both.segments_BL, both.positions_BL, where_T, target.values_N, ranks=ranks)
