"""Batches: what the data room gives and objectives take.

Shapes: B rows, L tokens a row, N documents' pieces in the batch.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, get_args

import numpy as np

from seedbed.core.errors import InputError

if TYPE_CHECKING:
    from .artifact import TokenFile

# what the second of two texts in a row is to the first: the text right behind it, the text right before it, another
# stretch of its document, of a document that its own is linked with, of any other document of its source
Kind = Literal["next", "previous", "document", "linked", "random"]
KINDS: tuple[Kind, ...] = get_args(Kind)
_CUT = 40  # bits: rows of a run are fewer than 2 ** 40


@dataclass
class Batch:
    """Rows of tokens, in numpy.

    `segments_BL` numbers the pieces of documents within a row (0, 1, ...; -1 is padding); tokens attend only
    within their segment. A sampler may join the pieces of a row into one segment. `positions_BL` counts from 0 in every
    segment. `rows_B` is each row's number in the whole run, the counter for all randomness about it, so that nothing
    depends on how rows are grouped.
    `pieces_N6` tells where each piece comes from: (row in the batch, start column, length, source, document, first
    token in the document), `sources` the names of the sources. A document is an index into that source's table.
    `seen_BL` are the segments of attention where they are others: context that is not to be learned is padding in
    `segments_BL`, which no objective touches, and has the number of those who see it in `seen_BL`. `files` are the
    sources' tables of documents, where they are known. `kinds_B` says of rows that are two pieces what the second is to
    the first, as an index of `KINDS`, and is -1 in others.
    """

    tokens_BL: np.ndarray
    segments_BL: np.ndarray
    positions_BL: np.ndarray
    rows_B: np.ndarray
    pieces_N6: np.ndarray
    sources: tuple[str, ...]
    seen_BL: np.ndarray | None = None
    files: tuple[TokenFile, ...] = ()
    kinds_B: np.ndarray | None = None

    @property
    def num_tokens(self) -> int:
        """Tokens that are not padding."""
        return int((self.segments_BL >= 0).sum())

    @property
    def is_plain(self) -> bool:
        """One piece a row and no padding: attention needs no mask."""
        return bool((self.segments_BL == 0).all())

    def select(self, rows: slice | np.ndarray) -> Batch:
        """Some of the rows (by a slice, or by their numbers, ascending), as a batch of their own."""
        chosen = np.arange(len(self.rows_B))[rows]
        place_B = np.full(len(self.rows_B), -1)
        place_B[chosen] = np.arange(len(chosen))
        pieces = self.pieces_N6.copy()
        pieces[:, 0] = place_B[pieces[:, 0]]
        pieces = pieces[pieces[:, 0] >= 0]
        return Batch(
            self.tokens_BL[rows],
            self.segments_BL[rows],
            self.positions_BL[rows],
            self.rows_B[rows],
            pieces,
            self.sources,
            None if self.seen_BL is None else self.seen_BL[rows],
            self.files,
            None if self.kinds_B is None else self.kinds_B[rows],
        )

    def _refuse_pairs(self) -> None:
        if self.kinds_B is not None:
            raise InputError(
                "interventions", "one changes rows that are pairs of texts", fix="another sampler than pairs"
            )

    def cut(self, parts: int) -> Batch:
        """Every row as so many rows of equal length, one below the other. Tokens stay in order; segments begin anew in
        each. A width that cannot be divided gets padding. Part p of row r has the counter r + p * 2**40."""
        assert self.seen_BL is None
        self._refuse_pairs()
        width = self.tokens_BL.shape[1]
        length = -(-width // parts)
        widths = ((0, 0), (0, length * parts - width))

        def divided(array_BL: np.ndarray, empty: int) -> np.ndarray:
            return np.pad(array_BL, widths, constant_values=empty).reshape(-1, length)

        segments_BL, positions_BL = divided(self.segments_BL, -1), divided(self.positions_BL, 0)
        first_B1 = segments_BL[:, :1]
        is_text_BL = segments_BL >= 0
        # the segment that a cut goes through counts its positions from 0 again
        positions_BL = positions_BL - np.where(is_text_BL & (segments_BL == first_B1), positions_BL[:, :1], 0)
        return Batch(
            divided(self.tokens_BL, 0),
            np.where(is_text_BL, segments_BL - first_B1, -1),
            positions_BL,
            (self.rows_B[:, None] + (np.arange(parts, dtype=np.int64) << _CUT)).ravel(),
            _cut_pieces(self.pieces_N6, parts, length),
            self.sources,
            files=self.files,
        )

    def framed(self, before: Sequence[Sequence[int]], after: Sequence[Sequence[int]]) -> Batch:
        """The batch with tokens put before and after each piece. What stands before is seen and not learned; what
        stands after is learned like the piece's own text. Rows become as wide as the longest needs; `pieces_N6` still
        speaks of what comes from documents. A batch without pieces (of `poisson`) stays as it is."""
        assert self.seen_BL is None
        self._refuse_pairs()
        if not len(self.pieces_N6):
            return self
        row_N, column_N, size_N = self.pieces_N6[:, 0], self.pieces_N6[:, 1], self.pieces_N6[:, 2]
        before_N, after_N = np.array([*map(len, before)], np.int64), np.array([*map(len, after)], np.int64)
        whole_N = before_N + size_N + after_N
        first_N = np.flatnonzero(np.diff(row_N, prepend=-1))  # of each row; pieces stand in order and without gaps
        shift_N = np.cumsum(whole_N) - whole_N
        start_N = shift_N - np.repeat(shift_N[first_N], np.diff(first_N, append=len(row_N)))
        shape = len(self.rows_B), max(self.tokens_BL.shape[1], int((start_N + whole_N).max()))
        tokens_BL, positions_BL = np.zeros(shape, np.int64), np.zeros(shape, np.int64)
        segments_BL, seen_BL = np.full(shape, -1, np.int64), np.full(shape, -1, np.int64)
        begin = dict[tuple[int, int], int]()  # of each segment of each row
        for n, (row, column, size, start) in enumerate(zip(row_N, column_N, size_N, start_N, strict=True)):
            text, end = start + before_N[n], start + whole_N[n]
            segment = self.segments_BL[row, column]
            tokens_BL[row, start:end] = [*before[n], *self.tokens_BL[row, column : column + size], *after[n]]
            segments_BL[row, text:end] = seen_BL[row, start:end] = segment
            positions_BL[row, start:end] = np.arange(start, end) - begin.setdefault((row, segment), start)
        pieces_N6 = self.pieces_N6.copy()
        pieces_N6[:, 1] = start_N + before_N
        return Batch(tokens_BL, segments_BL, positions_BL, self.rows_B, pieces_N6, self.sources, seen_BL, self.files)


def _cut_pieces(pieces_N6: np.ndarray, parts: int, length: int) -> np.ndarray:
    """Pieces as they lie in rows that were cut: one that goes over a cut becomes several."""
    row_N, column_N, size_N = pieces_N6[:, 0], pieces_N6[:, 1], pieces_N6[:, 2]
    first_N, last_N = column_N // length, (column_N + size_N - 1) // length
    number_N = last_N - first_N + 1
    pieces = np.repeat(pieces_N6, number_N, axis=0)
    part = np.arange(len(pieces)) - np.repeat(np.cumsum(number_N) - number_N, number_N) + np.repeat(first_N, number_N)
    begin = np.maximum(pieces[:, 1], part * length)
    end = np.minimum(pieces[:, 1] + pieces[:, 2], (part + 1) * length)
    pieces[:, 5] += begin - pieces[:, 1]
    pieces[:, 0] = np.repeat(row_N, number_N) * parts + part
    pieces[:, 1], pieces[:, 2] = begin - part * length, end - begin
    return pieces
