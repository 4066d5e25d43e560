"""Which documents belong together: candidates that share a band of their MinHash signatures, and their components.

Documents are numbered in the order of their ids, so that all that follows is the same whatever order they came in.
Shapes: N documents, K bands, H hashes.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np

from seedbed.core.counters import hash64, key
from seedbed.core.errors import InputError

_RECALL = 0.995

Similar = Callable[[np.ndarray, np.ndarray], np.ndarray]  # of pairs of documents, which ones are similar


class Buckets(NamedTuple):
    """Sets of two or more documents, one after the other, each ascending."""

    members: np.ndarray
    sizes: np.ndarray

    @property
    def starts(self) -> np.ndarray:
        return np.cumsum(self.sizes) - self.sizes

    def where(self, chosen: np.ndarray) -> Buckets:
        return Buckets(self.members[np.repeat(chosen, self.sizes)], self.sizes[chosen])


def cut(threshold: float, num_hashes: int) -> tuple[int, int]:
    """(bands, rows a band) of at most so many hashes: the most rows, so the fewest candidates, and the fewest bands
    that find a pair of just this similarity with probability of at least 0.995, which is 1 - (1 - s**rows)**bands.
    Raises InputError if there are too few hashes for that.
    """
    for rows in range(num_hashes, 0, -1):
        missed = 1 - threshold**rows
        bands = 1 if missed == 0 else math.ceil(math.log(1 - _RECALL) / math.log(missed)) if missed < 1 else math.inf
        if bands * rows <= num_hashes:
            return int(bands), rows
    wanted = f"at least {bands}" if missed < 1 else "a higher threshold"
    problem = f"cannot find pairs of the similarity {threshold:g} with probability {_RECALL}"
    raise InputError("num_hashes", problem, value=num_hashes, allowed=wanted)


def band_keys(signatures_NH: np.ndarray, bands: int, rows: int) -> np.ndarray:
    """The key of every document in every band (N, K): a sum of its hashes, each times a number of its own."""
    factors_H = hash64(key(0, "band"), np.arange(bands * rows)) | np.uint64(1)
    keys_NK = np.zeros((len(signatures_NH), bands), np.uint64)
    for row in range(rows):
        place = slice(row, bands * rows, rows)
        keys_NK += signatures_NH[:, place] * factors_H[place]
    return keys_NK


class KeyFiles:
    """The keys of documents, a file for each band in `folder`, so that one band at a time is in memory."""

    def __init__(self, folder: Path, bands: int) -> None:
        self._paths = [folder / f"{band}.keys" for band in range(bands)]

    def add(self, keys_NK: np.ndarray) -> None:
        for path, keys_N in zip(self._paths, keys_NK.T, strict=True):
            with path.open("ab") as file:
                file.write(keys_N.tobytes())

    def in_order(self, order_N: np.ndarray) -> Iterator[np.ndarray]:
        """Band after band the keys (N,) of documents, given as the numbers with which they were added."""
        for path in self._paths:
            yield np.fromfile(path, np.uint64)[order_N] if len(order_N) else np.empty(0, np.uint64)


def buckets(keys: Iterable[np.ndarray]) -> Buckets:
    """The sets of two or more documents that agree in some band, each once. `keys`: those of each band (N,)."""
    members, sizes = [np.empty(0, np.int64)], [np.empty(0, np.int64)]
    for keys_N in keys:
        order = np.argsort(keys_N, kind="stable")
        ordered = keys_N[order]
        again = np.zeros(len(keys_N) + 1, np.bool_)  # it has the key of the one before
        again[1:-1] = ordered[1:] == ordered[:-1]
        shared = again[:-1] | again[1:]
        first = np.flatnonzero(~again[:-1][shared])
        members.append(order[shared])
        sizes.append(np.append(first[1:], np.count_nonzero(shared))[: len(first)] - first)
    found = Buckets(np.concatenate(members), np.concatenate(sizes))
    if not len(found.sizes):
        return found
    names = np.add.reduceat(hash64(key(0, "bucket"), found.members), found.starts)
    chosen = np.zeros(len(names), np.bool_)
    chosen[np.unique(names, return_index=True)[1]] = True
    return found.where(chosen)


def parts(found: Buckets, weights_N: np.ndarray, most: int) -> np.ndarray:
    """Which part each of N documents is of, so that those that share a bucket are of one part, as are those that are
    connected by such. A part weighs at most `most`, or else begins below it and ends with its largest component's.
    """
    others = np.ones(len(found.members), np.bool_)
    others[found.starts] = False
    firsts = np.repeat(found.members[found.starts], found.sizes - 1)
    _, component_N = np.unique(connected(np.arange(len(weights_N)), firsts, found.members[others]), return_inverse=True)
    weights = np.bincount(component_N, weights_N).astype(np.int64)
    _, part = np.unique((np.cumsum(weights) - weights) // most, return_inverse=True)
    return np.asarray(part[component_N])


def components(found: Buckets, count: int, similar: Similar) -> np.ndarray:
    """The smallest document of every document's component (of `count` documents); two are linked if they share a
    bucket and are similar.

    In each round the first document of every bucket is compared with the others and leaves. A pair that is connected
    already is not compared, and a bucket within one component is done: this changes no component.
    """
    label_N = np.arange(count)
    while len(found.sizes):
        is_first = np.zeros(len(found.members), np.bool_)
        is_first[found.starts] = True
        left, right = np.repeat(found.members[is_first], found.sizes - 1), found.members[~is_first]
        apart = label_N[left] != label_N[right]
        pairs = np.unique(left[apart] * count + right[apart])
        left, right = np.divmod(pairs, count)
        close = similar(left, right)
        label_N = connected(label_N, left[close], right[close])
        found = Buckets(found.members[~is_first], found.sizes - 1)
        labels = label_N[found.members]
        if len(labels):
            lowest, highest = (pick.reduceat(labels, found.starts) for pick in (np.minimum, np.maximum))
            found = found.where(lowest != highest)
        else:
            break
    return label_N


def connected(label_N: np.ndarray, left: np.ndarray, right: np.ndarray) -> np.ndarray:
    """The labels after joining pairs; of components that become one, the smallest label stays."""
    while True:
        one, other = label_N[left], label_N[right]
        if np.array_equal(one, other):
            return label_N
        into_N = np.arange(len(label_N))
        np.minimum.at(into_N, np.maximum(one, other), np.minimum(one, other))
        while not np.array_equal(further_N := into_N[into_N], into_N):
            into_N = further_N
        label_N = into_N[label_N]
