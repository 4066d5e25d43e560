"""Rows of related documents that see each other."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import ClassVar, Literal

import numpy as np

from seedbed.core.counters import generator
from seedbed.core.errors import InputError
from seedbed.data import Sampler, samplers
from seedbed.data.artifact import TokenFile
from seedbed.data.order import MIN_PIECE
from seedbed.data.rows import Row
from seedbed.data.sampling.related import Graph, neighbors, vectors
from seedbed.data.stream import Mixture, Stream


@samplers.register("in_context", papers=["072"])
class InContext(Sampler):
    """In-context pretraining (Shi et al., 2024): documents stand in the order of a path from each to the one most like
    it, are read as one long text, and cut into rows. All of a row is one segment, so that a document is predicted from
    those before it too; rows come in another random order every epoch.

    Documents are alike by TF-IDF of their tokens and pairs of tokens where the paper has a neural encoder
    (Contriever), and all pairs are compared where it has an approximate index: 4,000 documents took 2.6 s of
    processor time, and twice as many pairs take twice as long. Of documents with a similarity of `duplicate` or more
    the first one stays, the others are counted as dropped; the authors' code leaves out a document whose first 100
    characters have a Jaccard similarity of 0.85 or more, in 3-grams, to those of the one before it. The graph has
    each document's `neighbors` nearest ones, of its own source; every source has a path of its own.

    `order: random` is the control: the same documents, joined and cut in the same way, in an order drawn from the seed.
    """

    def __init__(
        self, order: Literal["related", "random"] = "related", neighbors: int = 20, duplicate: float = 0.95
    ) -> None:
        if neighbors < 1:
            raise InputError("neighbors", "must be at least 1", value=neighbors)
        if not 0 < duplicate <= 1:
            raise InputError("duplicate", "is a similarity above 0, up to 1", value=duplicate)
        self.order, self.neighbors, self.duplicate = order, neighbors, duplicate

    def stream_of(self, mixture: Mixture) -> Stream:
        texts = {
            name: _Text(file, self._documents(name, file, mixture.seed), mixture.length)
            for name, file in mixture.sources.items()
        }
        return _InContextStream(self, texts, mixture)

    def _documents(self, name: str, file: TokenFile, seed: int) -> list[int]:
        """The documents of a source in order, without those that are dropped."""
        usable = np.flatnonzero(file.lengths >= MIN_PIECE)
        part = TokenFile(
            file.tokens, file.offsets[usable], file.lengths[usable], file.bytes[usable], [""] * len(usable)
        )
        graph = Graph.of(*neighbors(vectors(part), self.neighbors), self.duplicate)
        if self.order == "related":
            return [int(usable[index]) for index in graph.path()]
        return [int(index) for index in generator(seed, "in_context", name).permutation(usable[graph.kept])]


class _Text:
    """Documents one after the other, and the rows that they are cut into."""

    def __init__(self, file: TokenFile, documents: Sequence[int], length: int) -> None:
        self.documents = documents
        sizes = file.lengths[np.array(documents, dtype=np.int64)]
        self._ends = np.cumsum(sizes)
        total = int(sizes.sum())
        starts = np.arange(0, total, length)
        if len(starts) > 1 and total - starts[-1] < MIN_PIECE:
            starts[-1] = total - MIN_PIECE
        self.starts, self.lengths = starts, np.diff(starts, append=total)
        kept = np.zeros(file.num_documents, dtype=bool)
        kept[list(documents)] = True
        self.dropped = int((~kept).sum()), int(file.lengths[~kept].sum())  # documents, tokens

    def as_file(self, file: TokenFile) -> TokenFile:
        """Rows in the place of documents, for those who draw them."""
        empty = np.zeros_like(self.lengths)
        return TokenFile(file.tokens, empty, self.lengths, empty, [""] * len(empty))

    def row(self, source: int, number: int) -> Row:
        """The pieces of a row."""
        start, end = int(self.starts[number]), int(self.starts[number] + self.lengths[number])
        index, pieces = int(np.searchsorted(self._ends, start, side="right")), []
        while start < end:
            stop = min(end, int(self._ends[index]))
            before = int(self._ends[index - 1]) if index else 0
            pieces.append((source, self.documents[index], start - before, stop - start))
            start, index = stop, index + 1
        return pieces


class _InContextStream(Stream):
    joined: ClassVar[bool] = True

    def __init__(self, sampler: InContext, texts: Mapping[str, _Text], mixture: Mixture) -> None:
        rows = {name: texts[name].as_file(file) for name, file in mixture.sources.items()}
        settings = {"order": sampler.order, "neighbors": sampler.neighbors, "duplicate": sampler.duplicate}
        super().__init__(replace(mixture, sources=rows), **settings)
        self._files = [mixture.sources[name] for name in self._mixer.names]
        self._texts = [texts[name] for name in self._mixer.names]

    def _next_rows(self, num_rows: int) -> list[Row]:
        rows = []
        for _ in range(num_rows):
            source, number, _, _ = self._draw()
            text, counts = self._texts[source], self._counts[self._mixer.names[source]]
            if number == len(text.starts) - 1:  # once an epoch
                counts["documents"] += text.dropped[0]
                counts["dropped"] += text.dropped[1]
            rows.append(text.row(source, number))
        return rows
