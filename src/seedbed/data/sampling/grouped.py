"""Rows of short texts, in which some belong together.

Shapes: M texts of a group.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from seedbed.core.counters import key, uniform
from seedbed.core.errors import InputError
from seedbed.data import Sampler, samplers
from seedbed.data.order import MIN_PIECE, Piece
from seedbed.data.rows import Row, pack_rows, unpack_rows
from seedbed.data.sampling.links import check_links, find_links
from seedbed.data.stream import Mixture, Stream

_BLOCK = 256  # texts whose random numbers are there at a time


@samplers.register("grouped", papers=["123", "279", "307", "358"])
class Grouped(Sampler):
    """Packed rows in which each text comes with some that it is linked with, for objectives that compare the texts of a
    row: synonyms of a concept, a word in several languages, articles on one story.

    Texts are documents, or the parts of `length` / `texts` tokens of longer ones, so that at least so many fit into a
    row; each is a segment of its own. Every text comes once an epoch, in random order, and with it up to `members` - 1
    documents that `links` says (as in the sampler `pairs`: `metadata.NAME`, or `similar`, the `neighbors` nearest by
    TF-IDF), drawn anew each time; of a longer one a stretch anywhere. They come on top, so an epoch as counted
    (`epochs`) is over sooner. All of these go into the row that is being filled, or if they do not
    fit into the next; so do they where one is there already. What stays empty is padding. Rows do not depend on how
    many are asked for at a time.
    """

    def __init__(self, links: str, texts: int = 8, members: int = 2, neighbors: int = 5) -> None:
        check_links(links, "links")
        if not 2 <= members <= texts:
            raise InputError("members", "are from 2 to `texts`", value=members)
        if neighbors < 1:
            raise InputError("neighbors", "must be at least 1", value=neighbors)
        self.links, self.texts, self.members, self.neighbors = links, texts, members, neighbors

    def stream_of(self, mixture: Mixture) -> Stream:
        return _GroupedStream(self, mixture)


class _GroupedStream(Stream):
    def __init__(self, sampler: Grouped, mixture: Mixture) -> None:
        names = ("links", "texts", "members", "neighbors")
        self._longest = mixture.length // sampler.texts
        if self._longest < 2 * MIN_PIECE:
            least = 2 * MIN_PIECE * sampler.texts
            raise InputError(
                "length", f"must be at least {least} tokens, for {sampler.texts} texts", value=mixture.length
            )
        settings = {name: getattr(sampler, name) for name in names}
        super().__init__(replace(mixture, length=self._longest), **settings)
        self.length = mixture.length
        self._members = sampler.members
        self._links = [
            find_links(file, sampler.links, sampler.neighbors, "sampler.grouped.links") for file in self._files
        ]
        self._key = key(self.seed, "grouped")
        self._open: Row = []
        self._ready: list[Row] = []
        self._drawn = 0  # texts
        self._block, self._numbers = -1, [[0.0]]

    def _next_rows(self, num_rows: int) -> list[Row]:
        while len(self._ready) < num_rows:
            group = self._group(self._draw())
            used = sum(piece[3] for piece in (*self._open, *group))
            if used > self.length or {piece[:2] for piece in self._open} & {piece[:2] for piece in group}:
                self._ready.append(self._open)
                self._open = []
            self._open += group
        rows, self._ready = self._ready[:num_rows], self._ready[num_rows:]
        return rows

    def _group(self, first: Piece) -> Row:
        """A text with some that it is linked with."""
        source, document, _, _ = first
        linked_M = self._links[source].of(document)
        draws = self._draws()
        group = [first]
        for draw, place in zip(draws[1 : self._members], draws[self._members :], strict=False):
            if not len(linked_M):
                break
            other = int(linked_M[int(draw * len(linked_M))])
            linked_M = linked_M[linked_M != other]
            total = int(self._files[source].lengths[other])
            size = min(total, self._longest)
            group.append((source, other, int(place * (total - size + 1)), size))
        return group

    def _draws(self) -> list[float]:
        """The next text's random numbers; they are hashed for many texts at a time."""
        block, place = divmod(self._drawn, _BLOCK)
        if block != self._block:
            numbers = block * _BLOCK + np.arange(_BLOCK)[:, None]
            self._block, self._numbers = block, uniform(self._key, numbers, np.arange(2 * self._members)).tolist()
        self._drawn += 1
        return self._numbers[place]

    def _state(self) -> dict[str, Any]:
        return {"open": pack_rows([self._open])[0], "ready": pack_rows(self._ready), "drawn": self._drawn}

    def _load(self, state: dict[str, Any]) -> None:
        self._open = unpack_rows([state["open"]])[0]
        self._ready, self._drawn = unpack_rows(state["ready"]), int(state["drawn"])
