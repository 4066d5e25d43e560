"""Documents drawn one by one, each with the same probability in every step: what privacy accounting assumes.

Shapes: N documents.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from seedbed.core.counters import key, uniform
from seedbed.core.errors import InputError
from seedbed.data import Sampler, samplers
from seedbed.data.batch import Batch
from seedbed.data.order import MIN_PIECE
from seedbed.data.rows import Row
from seedbed.data.stream import Mixture, PaddedStream


@samplers.register("poisson", papers=["275"])
class Poisson(Sampler):
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

    def stream_of(self, mixture: Mixture) -> PoissonStream:
        return PoissonStream(mixture)


class PoissonStream(PaddedStream):
    """The stream. `next(n)` gives about n rows, source by source and in each in the order of its documents."""

    def __init__(self, mixture: Mixture) -> None:
        super().__init__(mixture)
        self._draws = 0
        self._documents = [np.flatnonzero(file.lengths >= MIN_PIECE) for file in self._files]

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

    def _next_rows(self, num_rows: int) -> list[Row]:
        rows: list[Row] = []
        for source, rate in enumerate(self.rates(num_rows)):
            name, file, own_N = self.sources[source], self._files[source], self._documents[source]
            drawn = own_N[uniform(key(self.seed, "poisson", name), self._draws, own_N) < rate]
            total = file.lengths[drawn]
            numbers = -(-total // self.length)
            window = (uniform(key(self.seed, "window", name), self._draws, drawn) * numbers).astype(np.int64)
            starts = np.minimum(window * self.length, np.maximum(total - self.length, 0))
            sizes = np.minimum(total, self.length)
            pieces = zip(drawn.tolist(), starts.tolist(), sizes.tolist(), strict=True)
            rows += [[(source, *piece)] for piece in pieces]
        self._draws += 1
        return rows

    def _batch(self, rows: list[Row], width: int) -> Batch:
        """Of no rows one of no document. Its two tokens are text to a network, so that no step is without."""
        if rows:
            return super()._batch(rows, width)
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
