"""Documents drawn one by one, each with the same probability in every step: what privacy accounting assumes.

Shapes: N documents.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from seedbed.core.counters import key, uniform
from seedbed.core.errors import InputError
from seedbed.data import samplers
from seedbed.data.artifact import TokenFile
from seedbed.data.batch import Batch
from seedbed.data.order import MIN_PIECE
from seedbed.data.rows import Row, assemble
from seedbed.data.stream import Stream

_MULTIPLE = 8  # widths that matrix units like


@samplers.register("poisson", papers=["275"])
class Poisson:
    """Every step takes each document by itself with a probability q, independent of all others and of earlier steps
    (Poisson sampling; Abadi et al., 2016, section 3.1, call the result a lot), and gives it one row: the whole
    document, or of one that is longer than a row a window, at a random multiple of the row's length (the last one
    ends with the document).

    So a step's number of rows is itself random, around the number that was asked for, and no document has more
    than one row in it: with gradients clipped by row, the intervention `private` can account for documents. With
    several sources, weights are shares of the documents that are drawn, not of tokens, and q differs between them.
    Epochs have no meaning: some documents come again before others came at all. Documents of a single token are never
    drawn. A draw may be empty; the batch is then a row of two padding tokens that belong to no document, and `private`
    leaves its gradient out. Numbers are drawn by (step, document): 8 bytes and a hash for each document in every
    step.
    """

    def stream(
        self, sources: dict[str, TokenFile], weights: dict[str, float], length: int, pad: int, seed: int
    ) -> PoissonStream:
        return PoissonStream(sources, weights, length, pad, seed)


class PoissonStream(Stream):
    """The stream. `next(n)` gives about n rows."""

    def __init__(
        self, sources: Mapping[str, TokenFile], weights: Mapping[str, float], length: int, pad: int, seed: int
    ) -> None:
        super().__init__(sources, weights, length, pad, seed)
        self._draws = 0
        self._documents = [np.flatnonzero(file.lengths >= MIN_PIECE) for file in self._mixer.files]

    @property
    def num_documents(self) -> int:
        """Those that can be drawn."""
        return sum(map(len, self._documents))

    def rates(self, num_rows: int) -> list[float]:
        """For each source (in the order of `sources`) the probability of a document to be in a step of about
        `num_rows` rows. Raises InputError if that is more than a source has."""
        shares = self._mixer.normalized(self.weights)
        found = [num_rows * share / len(own) for share, own in zip(shares, self._documents, strict=True)]
        for name, rate, own in zip(self.sources, found, self._documents, strict=True):
            if rate > 1:
                raise InputError(
                    "batch_tokens",
                    f"wants more documents a step than source {name} has",
                    value=round(rate * len(own)),
                    allowed=f"up to {len(own)} rows",
                )
        return found

    def next(self, num_rows: int) -> Batch:
        """About `num_rows` rows, source by source and in each in the order of its documents."""
        rows = self._next_rows(num_rows)
        self._draws += 1
        width = self._width(rows)
        if rows:
            batch = assemble(rows, self._mixer.files, self.sources, width=width, pad=self.pad, first_row=self.num_rows)
        else:
            batch = self._nothing(width)
        self.num_rows += len(batch.rows_B)
        self._count(rows, width)
        return batch

    def _next_rows(self, num_rows: int) -> list[Row]:
        rows: list[Row] = []
        for source, rate in enumerate(self.rates(num_rows)):
            name, file, own_N = self.sources[source], self._mixer.files[source], self._documents[source]
            drawn = own_N[uniform(key(self.seed, "poisson", name), self._draws, own_N) < rate]
            total = file.lengths[drawn]
            numbers = -(-total // self.length)
            window = (uniform(key(self.seed, "window", name), self._draws, drawn) * numbers).astype(np.int64)
            starts = np.minimum(window * self.length, np.maximum(total - self.length, 0))
            sizes = np.minimum(total, self.length)
            pieces = zip(drawn.tolist(), starts.tolist(), sizes.tolist(), strict=True)
            rows += [[(source, *piece)] for piece in pieces]
        return rows

    def _width(self, rows: list[Row]) -> int:
        longest = max((row[0][3] for row in rows), default=MIN_PIECE)
        return min(self.length, -(-longest // _MULTIPLE) * _MULTIPLE)

    def _nothing(self, width: int) -> Batch:
        """One row of no document. Its two tokens are text to a network, so that no step is without."""
        tokens_BL = np.full((1, width), self.pad, dtype=np.int64)
        columns_1L = np.arange(width)[None, :]
        segments_BL = np.where(columns_1L < MIN_PIECE, 0, -1)
        positions_BL = np.where(columns_1L < MIN_PIECE, columns_1L, 0)
        pieces_N6 = np.empty((0, 6), dtype=np.int64)
        return Batch(tokens_BL, segments_BL, positions_BL, np.array([self.num_rows]), pieces_N6, self.sources)

    def _state(self) -> dict[str, Any]:
        return {"draws": self._draws}

    def _load(self, state: dict[str, Any]) -> None:
        if "draws" not in state:
            raise InputError("sampler", "differs from the checkpoint's", value="poisson")
        self._draws = int(state["draws"])
