"""Pieces of documents into rows, rows into arrays.

Shapes: B rows, L tokens a row, N pieces, T tokens in all pieces.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from seedbed.core.errors import InputError

from .artifact import TokenFile
from .batch import Batch
from .order import MIN_PIECE, Piece

Row = list[Piece]


class Packer:
    """Rows in the making, none longer than `length`.

    A full chunk is a row of its own, at once. With `split` there is one open row; what does not fit is cut, and goes
    on in the next row. Otherwise a piece goes whole into that of at most `num_open` open rows where it leaves the
    least room (best fit, Ding et al., 2024); if it fits nowhere, the oldest row is given out as it is: were it the
    fullest, a document that never fills its row could wait for many epochs.
    No piece is cut below MIN_PIECE tokens: a row keeps a place empty rather.
    """

    def __init__(self, length: int, *, split: bool, num_open: int = 1) -> None:
        self.length, self.split, self.num_open = length, split, 1 if split else num_open
        self.open: list[Row] = []
        self.room: list[int] = []  # of each open row
        self.ready: list[Row] = []

    def add(self, piece: Piece) -> None:
        size = piece[3]
        if size == self.length:
            self.ready.append([piece])
        elif self.split:
            self._add_split(piece)
        else:
            self._add_whole(piece)

    def flush(self) -> None:
        """Give out all open rows."""
        self.ready += self.open
        self.open, self.room = [], []

    def _add_split(self, piece: Piece) -> None:
        source, document, start, size = piece
        room = self.room[0] if self.open else self.length
        if size <= room:
            self._put(0, piece)
        else:
            first = min(room, size - MIN_PIECE)
            if first >= MIN_PIECE:
                self._put(0, (source, document, start, first))
                start, size = start + first, size - first
            if self.open:
                self._give_out(0)
            self._put(0, (source, document, start, size))

    def _add_whole(self, piece: Piece) -> None:
        size = piece[3]
        fitting = [(room, index) for index, room in enumerate(self.room) if room >= size]
        if fitting:
            self._put(min(fitting)[1], piece)
            return
        if len(self.open) == self.num_open:
            self._give_out(0)
        self._put(len(self.open), piece)

    def _put(self, index: int, piece: Piece) -> None:
        if index == len(self.open):
            self.open.append([])
            self.room.append(self.length)
        self.open[index].append(piece)
        self.room[index] -= piece[3]
        if self.room[index] < MIN_PIECE:
            self._give_out(index)

    def _give_out(self, index: int) -> None:
        self.ready.append(self.open.pop(index))
        self.room.pop(index)

    def state_dict(self) -> dict[str, Any]:
        return {"open": pack_rows(self.open), "ready": pack_rows(self.ready)}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.open, self.ready = unpack_rows(state["open"]), unpack_rows(state["ready"])
        self.room = [self.length - sum(piece[3] for piece in row) for row in self.open]


def pack_rows(rows: Sequence[Row]) -> list[list[int]]:
    """Rows as flat lists of integers, for a state."""
    return [[number for piece in row for number in piece] for row in rows]


def unpack_rows(rows: Sequence[Sequence[int]]) -> list[Row]:
    return [list(zip(*(iter(map(int, row)),) * 4, strict=True)) for row in rows]


def assemble(
    rows: Sequence[Row],
    files: Sequence[TokenFile],
    names: tuple[str, ...],
    *,
    width: int,
    pad: int,
    first_row: int,
    joined: bool = False,
) -> Batch:
    """Gather the tokens of rows into a batch of `width` columns, padded with `pad`, segment -1, position 0. Each piece
    is a segment; `joined`, those of a row are one, and positions go on from piece to piece."""
    pieces_N4 = np.array([piece for row in rows for piece in row], dtype=np.int64).reshape(-1, 4)
    source_N, document_N, start_N, length_N = pieces_N4.T
    numbers_B = np.array([len(row) for row in rows], dtype=np.int64)
    row_N = np.repeat(np.arange(len(rows)), numbers_B)
    ends_N = np.cumsum(length_N)
    first_piece_B = np.cumsum(numbers_B) - numbers_B
    before_N = ends_N - length_N  # tokens in front of the piece, over all rows
    column_N = before_N - before_N[first_piece_B][row_N]
    segment_N = np.zeros_like(row_N) if joined else np.arange(len(row_N)) - first_piece_B[row_N]

    within_T = np.arange(int(ends_N[-1])) - np.repeat(before_N, length_N)
    target_T = np.repeat(row_N * width + column_N, length_N) + within_T
    tokens_BL = np.full((len(rows), width), pad, dtype=np.int64)
    segments_BL = np.full((len(rows), width), -1, dtype=np.int64)
    positions_BL = np.zeros((len(rows), width), dtype=np.int64)
    segments_BL.reshape(-1)[target_T] = np.repeat(segment_N, length_N)
    positions_BL.reshape(-1)[target_T] = within_T + np.repeat(column_N, length_N) if joined else within_T
    for source in np.unique(source_N):
        file = files[source]
        of_source_N = source_N == source
        places_N = np.where(of_source_N, file.offsets[np.where(of_source_N, document_N, 0)] + start_N, 0)
        places_T = np.repeat(places_N, length_N) + within_T
        mine_T: Any = slice(None) if of_source_N.all() else np.repeat(of_source_N, length_N)
        found = file.tokens[places_T[mine_T]]
        if file.vocabulary and int(found.max(initial=0)) >= file.vocabulary:
            raise _out_of_range(file, found, np.repeat(document_N, length_N)[mine_T])
        tokens_BL.reshape(-1)[target_T[mine_T]] = found
    return Batch(
        tokens_BL,
        segments_BL,
        positions_BL,
        np.arange(first_row, first_row + len(rows), dtype=np.int64),
        np.stack([row_N, column_N, length_N, source_N, document_N, start_N], 1),
        names,
        files=tuple(files),
    )


def _out_of_range(file: TokenFile, tokens: np.ndarray, documents: np.ndarray) -> InputError:
    """The error for the first token that the vocabulary does not have."""
    first = int(np.argmax(tokens >= file.vocabulary))
    return InputError(
        "data",
        f"the id {int(tokens[first])} in document '{file.ids[int(documents[first])]}' is outside the vocabulary",
        allowed=f"0 to {file.vocabulary - 1}",
        fix="the file of tokens was changed or damaged: tokenize the corpus again with --rebuild",
    )
