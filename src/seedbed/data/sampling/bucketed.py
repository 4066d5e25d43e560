"""One document a row, rows of similar length together."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Literal

import numpy as np

from seedbed.core.counters import integers, key
from seedbed.core.errors import InputError
from seedbed.data import samplers
from seedbed.data.artifact import TokenFile
from seedbed.data.order import Piece
from seedbed.data.rows import Row, pack_rows, unpack_rows
from seedbed.data.stream import Stream

_MULTIPLE = 8  # widths that matrix units like


@samplers.register("bucketed")
class Bucketed:
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

    def stream(
        self, sources: dict[str, TokenFile], weights: dict[str, float], length: int, pad: int, seed: int
    ) -> Stream:
        return _BucketedStream(self, sources=sources, weights=weights, length=length, pad=pad, seed=seed)


class _BucketedStream(Stream):
    def __init__(
        self,
        sampler: Bucketed,
        *,
        sources: Mapping[str, TokenFile],
        weights: Mapping[str, float],
        length: int,
        pad: int,
        seed: int,
    ) -> None:
        self._whole = {name: file.lengths for name, file in sources.items()}
        if sampler.overflow == "truncate":
            sources = {n: replace(file, lengths=np.minimum(file.lengths, length)) for n, file in sources.items()}
        super().__init__(sources, weights, length, pad, seed)
        self._sampler = sampler
        self._key = key(seed, "bucketed")
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

    def _width(self, rows: list[Row]) -> int:
        longest = max(row[0][3] for row in rows)
        return min(self.length, -(-longest // _MULTIPLE) * _MULTIPLE)

    def _state(self) -> dict[str, Any]:
        return {"window": pack_rows([self._window])[0], **self._settings()}

    def _load(self, state: dict[str, Any]) -> None:
        for name, value in self._settings().items():
            if state.get(name) != value:
                raise InputError(
                    f"sampler.bucketed.{name}",
                    "differs from the checkpoint's",
                    value=value,
                    allowed=str(state.get(name)),
                )
        self._window = unpack_rows([state["window"]])[0]

    def _settings(self) -> dict[str, Any]:
        return {"size": self._sampler.window, "overflow": self._sampler.overflow}
