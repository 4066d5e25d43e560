"""Which documents belong together: candidates that share a band of their MinHash signatures, and their components.

Documents are numbered in the order of their ids, so that all that follows is the same whatever order they came in.
Shapes: N documents, K bands, H hashes.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from seedbed.core.counters import hash64, key

from .ngrams import jaccard

_RECALL = 0.995
# How far below the truth the similarity that signatures estimate may lie: four standard deviations of a mean of H.
_DEVIATIONS = 4.0


def cut(threshold: float, num_hashes: int) -> tuple[int, int]:
    """(bands, rows a band): the most rows, so the fewest candidates, that find a pair of just this similarity with
    probability of at least 0.995, which is 1 - (1 - s**rows)**bands.
    """
    for rows in range(num_hashes, 1, -1):
        bands = num_hashes // rows
        if 1 - (1 - threshold**rows) ** bands >= _RECALL:
            return bands, rows
    return num_hashes, 1


def band_keys(signatures_NH: np.ndarray, bands: int, rows: int) -> np.ndarray:
    """The key of every document in every band (N, K)."""
    keys_NK = np.empty((len(signatures_NH), bands), np.uint64)
    for band in range(bands):
        columns = [signatures_NH[:, band * rows + row] for row in range(rows)]
        keys_NK[:, band] = hash64(key(0, "band", band), *columns)
    return keys_NK


def buckets(keys_NK: np.ndarray) -> Iterator[np.ndarray]:
    """The sets of two or more documents that agree in some band, each ascending, each set once."""
    seen = set()
    for keys_N in keys_NK.T:
        order = np.argsort(keys_N, kind="stable")
        ordered = keys_N[order]
        starts = np.flatnonzero(np.concatenate([[True], ordered[1:] != ordered[:-1]])) if len(ordered) else order
        sizes = np.diff(np.append(starts, len(ordered)))
        for start, size in zip(starts[sizes > 1], sizes[sizes > 1], strict=True):
            members = order[start : start + size]
            if (name := members.tobytes()) not in seen:
                seen.add(name)
                yield members


class Components:
    """Connected components of documents; two are linked if their sets have at least this Jaccard similarity.

    `documents` are the candidates' numbers, ascending, with their n-gram sets and signatures in the same order.
    Pairs that are connected already are not compared again: this changes no component.
    """

    def __init__(
        self, documents: np.ndarray, sets: Sequence[np.ndarray], signatures_NH: np.ndarray, threshold: float
    ) -> None:
        self.documents, self.sets, self.signatures_NH, self.threshold = documents, sets, signatures_NH, threshold
        self._sizes = np.array([len(row) for row in sets], np.int64)
        self._label = np.arange(len(documents))
        self._members = [[row] for row in range(len(documents))]
        deviation = _DEVIATIONS * (threshold * (1 - threshold) / signatures_NH.shape[1]) ** 0.5
        self._estimate = threshold - deviation

    def link(self, bucket: np.ndarray) -> None:
        """Compare the documents of one bucket."""
        rows = np.searchsorted(self.documents, bucket)
        for place, anchor in enumerate(rows[:-1]):
            for other in self._promising(anchor, rows[place + 1 :]):
                if self._label[other] != self._label[anchor] and self.similarity(anchor, other) >= self.threshold:
                    self._join(anchor, other)

    def groups(self) -> list[list[int]]:
        """Components of two or more, as ascending rows of `documents`, the smallest first."""
        return sorted(sorted(members) for members in self._members if len(members) > 1)

    def similarity(self, left: int, right: int) -> float:
        return jaccard(self.sets[left], self.sets[right])

    def _promising(self, anchor: int, others: np.ndarray) -> np.ndarray:
        """Those not yet connected, whose sizes and signatures do not rule the similarity out."""
        others = others[self._label[others] != self._label[anchor]]
        sizes, size = self._sizes[others], self._sizes[anchor]
        others = others[np.minimum(sizes, size) >= self.threshold * np.maximum(sizes, size)]
        estimates = (self.signatures_NH[others] == self.signatures_NH[anchor]).mean(axis=1)
        return others[estimates >= self._estimate]

    def _join(self, left: int, right: int) -> None:
        into, gone = int(self._label[left]), int(self._label[right])
        if len(self._members[into]) < len(self._members[gone]):
            into, gone = gone, into
        self._label[self._members[gone]] = into
        self._members[into] += self._members[gone]
        self._members[gone] = []
