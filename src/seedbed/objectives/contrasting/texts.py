"""The texts of a batch, and what is known of them, as arrays.

Shapes: B rows, L tokens a row, S texts of a row, N pieces, H levels of a path, F documents of a file.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

import numpy as np

from seedbed.core.counters import hash64, key
from seedbed.core.errors import InputError
from seedbed.data.metadata import values_of

if TYPE_CHECKING:
    from seedbed.data.artifact import TokenFile
    from seedbed.data.batch import Batch


@dataclass
class Texts:
    """Every piece of a row that has an ordinary token is a text: `text_BL` is its number in the row, -1 elsewhere, and
    `piece_BS` which of the batch's pieces it is, -1 where a row has fewer."""

    text_BL: np.ndarray
    piece_BS: np.ndarray

    def spread(self, value_N: np.ndarray, empty: int = -1) -> np.ndarray:
        """A value of each piece (N, ...) as one of each text (B, S, ...)."""
        nothing = np.full((1, *value_N.shape[1:]), empty, dtype=value_N.dtype)
        return np.asarray(np.concatenate([value_N, nothing])[self.piece_BS])  # where -1 is the last


def find_texts(batch: Batch, ordinary_BL: np.ndarray) -> Texts:
    """The texts of a batch. Raises InputError if pieces of documents see each other."""
    row_N, column_N, size_N = batch.pieces_N6[:, 0], batch.pieces_N6[:, 1], batch.pieces_N6[:, 2]
    order_N = np.lexsort((column_N, row_N))
    row_N, column_N, size_N = row_N[order_N], column_N[order_N], size_N[order_N]
    segment_N = batch.segments_BL[row_N, column_N]
    joined = ((np.diff(row_N) == 0) & (np.diff(segment_N) == 0)).any()
    if joined and batch.files:  # without files it is a batch of random tokens, to measure speed
        fix = "another sampler: packed with fit: best, or grouped"
        raise InputError("sampler", "the texts of a row see each other, and are to be compared", fix=fix)
    before_BL = np.pad(np.cumsum(ordinary_BL, axis=1), ((0, 0), (1, 0)))
    kept_N = before_BL[row_N, column_N + size_N] > before_BL[row_N, column_N]
    row_N, column_N, size_N, order_N = (array[kept_N] for array in (row_N, column_N, size_N, order_N))
    number_B = np.bincount(row_N, minlength=len(batch.rows_B))
    within_N = np.arange(len(row_N)) - np.repeat(np.cumsum(number_B) - number_B, number_B)
    piece_BS = np.full((len(number_B), max(1, int(number_B.max(initial=0)))), -1)
    piece_BS[row_N, within_N] = order_N
    text_BL = np.full(batch.tokens_BL.shape, -1)
    for row, column, size, text in zip(row_N, column_N, size_N, within_N, strict=True):
        text_BL[row, column : column + size] = text
    return Texts(text_BL, piece_BS)


class Fields:
    """What the metadata of a batch's documents say, as numbers that are equal where it is; kept for each file."""

    def __init__(self) -> None:
        self._known: dict[str, WeakKeyDictionary[TokenFile, np.ndarray]] = {}

    def of(self, batch: Batch, field: str, name: str) -> np.ndarray:
        """Of each piece a number (N), -1 if the document has no such value; of lists one for each beginning (N, H)."""
        if len(batch.pieces_N6) and not batch.files:
            raise InputError(name, "the texts come from no corpus", value=field)
        sources_N, documents_N = batch.pieces_N6[:, 3], batch.pieces_N6[:, 4]
        parts = {int(source): self._numbers(batch.files[source], field, name) for source in np.unique(sources_N)}
        shapes = {part.shape[1:] for part in parts.values()} or {()}
        if len({len(shape) for shape in shapes}) > 1:
            raise InputError(name, "is a list in one source and none in another", value=field)
        found_N = np.full((len(sources_N), *max(shapes)), -1, dtype=np.int64)
        for source, part in parts.items():
            of_source_N = sources_N == source
            columns: Any = slice(part.shape[1]) if part.ndim > 1 else ...
            found_N[of_source_N, columns] = part[documents_N[of_source_N]]
        return found_N

    def _numbers(self, file: TokenFile, field: str, name: str) -> np.ndarray:
        known = self._known.setdefault(field, WeakKeyDictionary())
        if file not in known:
            known[file] = _numbered(values_of(file, field, name))
        return known[file]


def _numbered(values: list[Any]) -> np.ndarray:
    """Numbers for values (F), or for each beginning of lists (F, H)."""
    if not any(isinstance(value, list) for value in values):
        return np.array([-1 if value is None else key(0, "value", str(value)) >> 1 for value in values])
    depth = max(len(value) for value in values if isinstance(value, list))
    found_FH = np.full((len(values), depth), -1)
    for number, value in enumerate(values):
        path = value if isinstance(value, list) else []
        for level in range(len(path)):
            found_FH[number, level] = key(0, "path", *map(str, path[: level + 1])) >> 1
    return found_FH


def groups_of(batch: Batch, value_N: np.ndarray | None) -> np.ndarray:
    """What belongs together (N): pieces of documents that share a value, else of the same stretch of a document."""
    own_N = (hash64(key(0, "text"), *batch.pieces_N6[:, 3:].T) >> np.uint64(1)).astype(np.int64)
    return own_N if value_N is None else np.where(value_N >= 0, value_N, own_N)
