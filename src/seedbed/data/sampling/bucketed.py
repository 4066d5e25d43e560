"""One document a row, rows of similar length together."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Literal

import numpy as np

from seedbed.core.counters import integers, key
from seedbed.core.errors import InputError
from seedbed.data import Sampler, samplers
from seedbed.data.order import Piece
from seedbed.data.rows import Row, pack_rows, unpack_rows
from seedbed.data.stream import Mixture, PaddedStream


@samplers.register("bucketed")
class Bucketed(Sampler):
    """One document (or chunk of one that is too long) a row; batches hold rows of similar length, padded to the
    longest, up to a multiple of 8.

    From the mixed, shuffled sequence `window` rows are taken and sorted by length; batches are neighbors in it, in
    random order. So the number of rows that is asked for shapes the batches, and other numbers give other rows
    (each row still once). With `overflow: chunk` all of a long document is used; with `truncate` its beginning, and
    the rest is counted as truncated.
    """

    def __init__(self, window: int = 1024, overflow: Literal["chunk", "truncate"] = "chunk") -> None:
        if window < 1:
            raise InputError("window", "must be positive", value=window)
        self.window, self.overflow = window, overflow

    def stream_of(self, mixture: Mixture) -> PaddedStream:
        return _BucketedStream(self, mixture)


class _BucketedStream(PaddedStream):
    def __init__(self, sampler: Bucketed, mixture: Mixture) -> None:
        self._whole = {name: file.lengths for name, file in mixture.sources.items()}
        if sampler.overflow == "truncate":
            length, sources = mixture.length, mixture.sources.items()
            cut = {name: replace(file, lengths=np.minimum(file.lengths, length)) for name, file in sources}
            mixture = replace(mixture, sources=cut)
        super().__init__(mixture, size=sampler.window, overflow=sampler.overflow)
        self._sampler = sampler
        self._key = key(self.seed, "bucketed")
        self._window: list[Piece] = []  # what is left of it, by length

    def _next_rows(self, num_rows: int) -> list[Row]:
        if len(self._window) < num_rows:
            self._fill(num_rows)
        # In steps of a batch, so that batches of one size divide the window without gaps.
        start = num_rows * int(integers(self._key, len(self._window) // num_rows, self.num_rows))
        chosen = self._window[start : start + num_rows]
        del self._window[start : start + num_rows]
        return [[piece] for piece in chosen]

    def _fill(self, num_rows: int) -> None:
        """Draw a window of rows, and at least a batch; what was left of the last one stays in it."""
        while len(self._window) < max(num_rows, self._sampler.window):
            self._window.append(self._draw())
        self._window.sort(key=lambda piece: piece[3])  # stable: equal lengths stay shuffled

    def _count(self, rows: list[Row], width: int) -> None:
        super()._count(rows, width)
        if self._sampler.overflow == "truncate":
            for ((source, document, _, length),) in rows:
                name = self._mixer.names[source]
                self._counts[name]["truncated"] += int(self._whole[name][document]) - length

    def _state(self) -> dict[str, Any]:
        return {"window": pack_rows([self._window])[0]}

    def _load(self, state: dict[str, Any]) -> None:
        self._window = unpack_rows([state["window"]])[0]
