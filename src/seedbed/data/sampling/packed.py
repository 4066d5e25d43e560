"""Packed rows: no padding, several documents a row, none seeing another."""

from __future__ import annotations

from typing import Any, Literal

from seedbed.core.errors import InputError
from seedbed.data import Sampler, samplers
from seedbed.data.rows import Packer, Row
from seedbed.data.stream import Mixture, Stream


@samplers.register("packed", papers=["172"])
class Packed(Sampler):
    """Rows of exactly the wanted length, filled with pieces of documents; each piece is a segment of its own, with
    positions from 0, so that a network with segments computes what it would for the piece alone.

    With `fit: split` a document that does not fit goes on in the next row as a new segment: nothing is padded but a
    place where a piece of one token would stand. With `fit: best` documents that are no longer than a row are never
    cut: each goes into the best fitting of `open_rows` open rows (Ding et al., 2024, whose algorithm sorts the whole
    data set first; here rows are filled as documents come), and what stays empty is padding.
    Documents longer than a row become full rows and a rest in both cases. Documents of a single token are dropped,
    and counted. Rows do not depend on how many are asked for at a time.
    """

    def __init__(self, fit: Literal["split", "best"] = "split", open_rows: int = 32) -> None:
        if open_rows < 1:
            raise InputError("open_rows", "must be positive", value=open_rows)
        self.fit, self.open_rows = fit, open_rows

    def stream_of(self, mixture: Mixture) -> Stream:
        return _PackedStream(self, mixture)


class _PackedStream(Stream):
    def __init__(self, sampler: Packed, mixture: Mixture) -> None:
        super().__init__(mixture, fit=sampler.fit)
        self._packer = Packer(self.length, split=sampler.fit == "split", num_open=sampler.open_rows)

    def _next_rows(self, num_rows: int) -> list[Row]:
        packer = self._packer
        while len(packer.ready) < num_rows:
            packer.add(self._draw())
        rows, packer.ready = packer.ready[:num_rows], packer.ready[num_rows:]
        return rows

    def _state(self) -> dict[str, Any]:
        return self._packer.state_dict()

    def _load(self, state: dict[str, Any]) -> None:
        self._packer.load_state_dict(state)
