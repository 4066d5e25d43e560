"""Which chunk of which document comes next: a fresh order every epoch, sources mixed by tokens.

A chunk is at most `length` tokens of one document; what is longer is cut into full chunks and a rest. The order of a
source's chunks in an epoch is a permutation keyed by (seed, source, epoch), so the position in it is two numbers.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from seedbed.core.counters import generator
from seedbed.core.errors import InputError, unknown_key

from .artifact import TokenFile

# A piece is (source, document, first token, tokens), its source as an index into the sorted names.
Piece = tuple[int, int, int, int]

MIN_PIECE = 2  # tokens: one alone has neither context nor a next token
_BLOCK = 1024  # chunks that are looked up at a time


class Chunks:
    """All chunks of a file, numbered document by document.

    A rest of fewer than `least` tokens takes some from the full chunk before it, so that only documents shorter than
    `least` have such chunks.
    """

    def __init__(self, file: TokenFile, length: int, least: int = MIN_PIECE) -> None:
        assert length >= 2 * least
        self.length, self.least = length, least
        self._lengths_N = file.lengths
        numbers_N = -(-file.lengths // length)
        self._ends_N = np.cumsum(numbers_N)
        self.number = int(self._ends_N[-1]) if len(self._ends_N) else 0
        self._plain = bool((numbers_N == 1).all())  # chunk i is document i

    def look_up(self, chunks: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Document, first token and number of tokens of each chunk."""
        if self._plain:
            return chunks, np.zeros_like(chunks), self._lengths_N[chunks]
        documents = np.searchsorted(self._ends_N, chunks, side="right")
        total = self._lengths_N[documents]
        number = -(-total // self.length)
        index = chunks - (self._ends_N[documents] - number)
        rest = total - (number - 1) * self.length
        moved = np.where((number > 1) & (rest < self.least), self.least - rest, 0)  # tokens that the rest is given
        starts = index * self.length - np.where(index == number - 1, moved, 0)
        lengths = np.where(index == number - 1, rest + moved, self.length)
        return documents, starts, np.where(index == number - 2, lengths - moved, lengths)


class Cursor:
    """A place in the endless sequence of a source's chunks."""

    def __init__(self, file: TokenFile, chunks: Chunks, name: str, seed: int) -> None:
        self.file, self.chunks, self.name, self.seed = file, chunks, name, seed
        self.move(0, 0)

    def move(self, epoch: int, index: int) -> None:
        self.epoch, self.index = epoch, index
        self._order: np.ndarray | None = None
        self._block: list[tuple[int, int, int]] = []
        self._block_start = index

    def next(self) -> tuple[int, int, int]:
        """The next chunk: document, first token, tokens."""
        place = self.index - self._block_start
        if place >= len(self._block):
            if self.index >= self.chunks.number:
                self.move(self.epoch + 1, 0)
            self._load_block()
            place = 0
        self.index += 1
        return self._block[place]

    def _load_block(self) -> None:
        if self._order is None:
            kind = np.uint32 if self.chunks.number <= 1 << 32 else np.uint64
            self._order = np.arange(self.chunks.number, dtype=kind)
            generator(self.seed, "order", self.name, self.epoch).shuffle(self._order)
        self._block_start = self.index
        chosen = self._order[self.index : self.index + _BLOCK].astype(np.int64)
        columns = [column.tolist() for column in self.chunks.look_up(chosen)]
        self._block = list(zip(*columns, strict=True))


class Mixer:
    """Chunks of several sources, each source's share of the tokens being its weight.

    The source that is furthest behind its share gives the next chunk: a source is never more than one chunk ahead.
    What each is owed is kept as a running balance, so a change of weights holds from then on and makes up nothing.
    """

    def __init__(self, sources: Mapping[str, TokenFile], weights: Mapping[str, float], length: int, seed: int) -> None:
        if not sources:
            raise InputError("data", "names no source")
        self.names = tuple(sorted(sources))  # so that the order in a recipe does not matter
        self.files = [sources[name] for name in self.names]
        self.seed = seed
        for name, file in zip(self.names, self.files, strict=True):
            if not (file.lengths >= MIN_PIECE).any():
                raise InputError(f"data.{name}", f"has no document of {MIN_PIECE} tokens or more")
        self.cursors = [
            Cursor(file, Chunks(file, length), name, seed) for name, file in zip(self.names, self.files, strict=True)
        ]
        self.owed = [0.0] * len(self.names)  # tokens
        self.shares = self.normalized(weights)

    def normalized(self, weights: Mapping[str, float]) -> list[float]:
        """Weights as shares that sum to one, in the order of `names`. InputError for those that cannot be."""
        for name in weights:
            if name not in self.names:
                raise unknown_key(f"data.{name}", name, self.names, "source")
        values = []
        for name in self.names:
            weight = weights.get(name)
            if weight is None:
                raise InputError(f"data.{name}", "has no weight")
            if not 0 <= weight < float("inf"):
                raise InputError(f"data.{name}", "a weight is a number that is not negative", value=weight)
            values.append(float(weight))
        if not sum(values):
            raise InputError("data", "all weights are zero", value=values)
        return [value / sum(values) for value in values]

    def next(self) -> Piece:
        """The next chunk; one of fewer than MIN_PIECE tokens is for the caller to drop."""
        if len(self.cursors) == 1:
            return (0, *self.cursors[0].next())
        chosen, best = -1, -np.inf
        for index, share in enumerate(self.shares):
            claim = self.owed[index] + share  # after one token more
            if share and claim > best:
                chosen, best = index, claim
        chunk = self.cursors[chosen].next()
        if (size := chunk[2]) >= MIN_PIECE:
            for index, share in enumerate(self.shares):
                self.owed[index] += share * size
            self.owed[chosen] -= size
        return (chosen, *chunk)

    def state_dict(self) -> dict[str, Any]:
        return {
            name: {"epoch": cursor.epoch, "index": cursor.index, "chunks": cursor.chunks.number, "owed": owed}
            for name, cursor, owed in zip(self.names, self.cursors, self.owed, strict=True)
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Raises InputError if the state is of other data."""
        if set(state) != set(self.names):
            raise InputError("data", "the checkpoint's sources are others", value=sorted(state), allowed=self.names)
        for index, (name, cursor) in enumerate(zip(self.names, self.cursors, strict=True)):
            place = state[name]
            if place["chunks"] != cursor.chunks.number:
                raise InputError(
                    f"data.{name}",
                    f"has {cursor.chunks.number} chunks, the checkpoint's data had {place['chunks']}",
                    fix="continue with the same tokens and length, or start anew",
                )
            cursor.move(int(place["epoch"]), int(place["index"]))
            self.owed[index] = float(place["owed"])


def in_order(file: TokenFile, length: int) -> Sequence[Piece]:
    """Every chunk of a file once, document by document; also those of one token."""
    chunks = Chunks(file, length)
    columns = chunks.look_up(np.arange(chunks.number))
    return [(0, *chunk) for chunk in zip(*(column.tolist() for column in columns), strict=True)]
