"""Which documents are alike, and a path through all of them from one to the next most alike.

Shapes: N documents, H columns of a vector, K neighbors, T tokens of a document.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from seedbed.core.counters import hash64, key

if TYPE_CHECKING:
    from seedbed.data.artifact import TokenFile

COLUMNS = 1024
LENGTH = 4000  # of a vector, so that products of two are integers below 2**24, which float32 adds without rounding
_BUCKETS = 18  # bits: of the table that counts in how many documents a term is
_BLOCK = 256  # documents whose similarities to all are there at a time


def vectors(file: TokenFile) -> np.ndarray:
    """A vector (N, H) of each document, of whole numbers as float32, so that similarities are exact and depend neither
    on the machine's order of additions nor on threads.

    Terms are tokens and pairs of neighboring tokens, weighted by (1 + ln f) ln(N / n), with f how often one occurs in
    the document and n in how many it does, and hashed to columns with a sign (Weinberger et al., 2009).
    """
    inside = np.zeros(1 << _BUCKETS, dtype=np.int64)
    for index in range(file.num_documents):
        hashes, _ = _terms(file.document(index))
        inside[np.unique(hashes >> np.uint64(64 - _BUCKETS))] += 1
    found = np.zeros((file.num_documents, COLUMNS), dtype=np.float32)
    for index in range(file.num_documents):
        hashes, counts = _terms(file.document(index))
        rarity = np.log(file.num_documents / np.maximum(1, inside[hashes >> np.uint64(64 - _BUCKETS)]))
        signs = np.where(hashes & np.uint64(COLUMNS), 1.0, -1.0)
        columns = (hashes & np.uint64(COLUMNS - 1)).astype(np.int64)
        vector = np.bincount(columns, signs * (1 + np.log(counts)) * rarity, COLUMNS)
        size = np.sqrt((vector**2).sum())
        if size > 0:
            found[index] = np.round(vector * (LENGTH / size))
    return found


def _terms(tokens_T: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Hashes of a document's terms, and how often each occurs."""
    one, two = hash64(key(0, "token"), tokens_T), hash64(key(0, "pair"), tokens_T[:-1], tokens_T[1:])
    return np.unique(np.concatenate((one, two)), return_counts=True)


def neighbors(vectors_NH: np.ndarray, number: int) -> tuple[np.ndarray, np.ndarray]:
    """The most similar other documents of each (N, K), most similar first, and their similarities as cosines. Of equal
    ones the earlier document comes first. Exact: every pair is compared."""
    total = len(vectors_NH)
    number = min(number, total - 1)
    near_NK = np.zeros((total, max(0, number)), dtype=np.int64)
    cosine_NK = np.zeros(near_NK.shape)
    if number < 1:
        return near_NK, cosine_NK
    for start in range(0, total, _BLOCK):
        products = (vectors_NH[start : start + _BLOCK] @ vectors_NH.T).astype(np.int64)
        products[np.arange(len(products)), np.arange(start, start + len(products))] = -(LENGTH**2) * 2  # itself
        order = products * total - np.arange(total)  # no two are equal
        best = np.argpartition(-order, number - 1, axis=1)[:, :number]
        best = np.take_along_axis(best, np.argsort(-np.take_along_axis(order, best, 1), axis=1), 1)
        near_NK[start : start + _BLOCK] = best
        cosine_NK[start : start + _BLOCK] = np.take_along_axis(products, best, 1) / LENGTH**2
    return near_NK, cosine_NK


@dataclass
class Graph:
    """Neighbors in either direction, without near-duplicates: of each document the others, most similar first."""

    kept: list[int]
    edges: list[list[int]]

    @classmethod
    def of(cls, near_NK: np.ndarray, cosine_NK: np.ndarray, duplicate: float) -> Graph:
        """Of documents as similar as `duplicate` the first one stays."""
        total = len(near_NK)
        gone = np.zeros(total, dtype=bool)
        for index, (near, cosine) in enumerate(zip(near_NK, cosine_NK, strict=True)):
            earlier = near[(cosine >= duplicate) & (near < index)]
            gone[index] = bool((~gone[earlier]).any())
        weights: list[dict[int, float]] = [{} for _ in range(total)]
        for index, (near, cosine) in enumerate(zip(near_NK.tolist(), cosine_NK.tolist(), strict=True)):
            for other, weight in zip(near, cosine, strict=True):
                if weight > 0 and not gone[index] and not gone[other]:
                    weights[index][other] = weights[other][index] = weight
        edges = [sorted(found, key=lambda other, found=found: (-found[other], other)) for found in weights]  # type: ignore[misc]
        return cls([index for index in range(total) if not gone[index]], edges)

    def path(self) -> list[int]:
        """Every document once: on to the most similar one that has not been visited; where there is none, and at first,
        to the one of the fewest neighbors among those left (Shi et al., 2024, algorithm 1)."""
        visited = [False] * len(self.edges)
        found: list[int] = []
        for start in sorted(self.kept, key=lambda index: (len(self.edges[index]), index)):
            here: int | None = start
            while here is not None and not visited[here]:
                visited[here] = True
                found.append(here)
                here = next((other for other in self.edges[here] if not visited[other]), None)
        return found
