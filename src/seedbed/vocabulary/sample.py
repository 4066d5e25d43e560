"""A bounded sample of a corpus, drawn by a hash of each text: no order of files or documents changes what is drawn."""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

import numpy as np
import xxhash

from seedbed.core.counters import hash64, key
from seedbed.core.errors import InputError

Documents = Callable[[], Iterable[Mapping[str, Any]]]  # each call begins anew; with `text` and `group`

HELD_OUT_SHARE = 0.02
HELD_OUT_BYTES = 1_000_000  # for each group
_BATCH = 512
_BUCKETS = 1 << 14  # a sample is drawn to this part of a group's bytes


@dataclass
class Pool:
    """The texts with the smallest numbers, as many as first reach `limit` bytes; so the last may exceed it."""

    limit: float
    _heap: list[tuple[int, str, int]] = field(default_factory=list)  # (negated number, text, bytes), largest first
    num_bytes: int = 0

    def add(self, number: int, text: str, num_bytes: int) -> None:
        if self.limit <= 0:
            return
        heapq.heappush(self._heap, (-number, text, num_bytes))
        self.num_bytes += num_bytes
        while self.num_bytes - self._heap[0][2] >= self.limit:
            self.num_bytes -= heapq.heappop(self._heap)[2]

    def texts(self) -> list[str]:
        """In the order of their numbers."""
        return [text for _, text, _ in sorted(self._heap, key=lambda item: (-item[0], item[1]))]


@dataclass
class Drawn:
    """What was drawn: which texts, without holding them, and how much there was."""

    documents: Documents
    seed: int
    cuts: dict[str, float]  # by group: texts with a smaller number are drawn
    held_out: dict[str, Pool]  # by group
    sizes: dict[str, int]  # bytes of each group, those held out included
    num_documents: int
    share_held_out: float = 0.0

    def texts(self, group: str | None = None) -> Iterator[str]:
        """The texts for training, read again each time, in the corpus's order; of one group, or all."""
        least = self.share_held_out * 2.0**64
        for name, text, _, (number, other) in _numbered(self.documents, self.seed):
            if other >= least and number < self.cuts[name] and group in (None, name):
                yield text


def draw(
    documents: Documents,
    limit: float,
    seed: int,
    *,
    alpha: float = 1.0,
    weights: Mapping[str, float] | None = None,
    share_held_out: float = 0.0,
) -> Drawn:
    """Draw about `limit` bytes of text for training; texts are never repeated.

    A group's part (a domain's, a language's) is in proportion to n**alpha for its n bytes (Lample and Conneau, 2019,
    and XLM-R after them; their exponents, 0.5 and 0.3, we have from memory). 1 takes documents as they come, 0 equal
    parts. `weights` gives the proportions themselves. A group that has too little gives all that it has, and the others
    share the rest.

    With `share_held_out` that share of the texts is kept from training, up to a megabyte a group. Memory: those, and
    128 kB for each group; texts stay where they are.
    """
    found = Drawn(documents, seed, {}, {}, {}, 0, share_held_out)
    least = share_held_out * 2.0**64
    histograms: dict[str, np.ndarray] = {}
    for group, text, num_bytes, (number, other) in _numbered(documents, seed):
        found.num_documents += 1
        found.sizes[group] = found.sizes.get(group, 0) + num_bytes
        if group not in histograms:
            histograms[group] = np.zeros(_BUCKETS)
        if other < least:
            found.held_out.setdefault(group, Pool(HELD_OUT_BYTES)).add(number, text, num_bytes)
        else:
            histograms[group][number * _BUCKETS >> 64] += num_bytes
    if weights is None and alpha == 1.0:  # all groups as one
        cut = _cut(sum(histograms.values(), np.zeros(_BUCKETS)), limit)
        found.cuts = dict.fromkeys(histograms, cut)
    else:
        quotas = share_out(limit, {name: float(part.sum()) for name, part in histograms.items()}, alpha, weights)
        found.cuts = {name: _cut(histograms[name], quotas[name]) for name in sorted(histograms)}
    return found


def _cut(bytes_by_bucket: np.ndarray, quota: float) -> float:
    """The number below which texts reach the quota."""
    reached = np.flatnonzero(np.cumsum(bytes_by_bucket) >= quota)
    if quota <= 0:
        return 0.0
    return (int(reached[0]) + 1) * 2.0**64 / _BUCKETS if len(reached) else 2.0**64


def by_group(documents: Documents, seed: int, limit: float = HELD_OUT_BYTES) -> dict[str, list[str]]:
    """Some texts of every group."""
    pools: dict[str, Pool] = {}
    for group, text, num_bytes, (number, _) in _numbered(documents, seed):
        pools.setdefault(group, Pool(limit)).add(number, text, num_bytes)
    return {group: pools[group].texts() for group in sorted(pools)}


def share_out(
    total: float, sizes: Mapping[str, float], alpha: float, weights: Mapping[str, float] | None = None
) -> dict[str, float]:
    """Split `total` in proportion to sizes**alpha, or to weights, nobody getting more than its size."""
    if weights is not None:
        _check(weights, sizes)
    wanted = {name: sizes[name] ** alpha if weights is None else float(weights[name]) for name in sizes}
    shares: dict[str, float] = {}
    open_names = {name for name in sizes if sizes[name] > 0 and wanted[name] > 0}
    while open_names:
        weight = sum(wanted[name] for name in sorted(open_names))
        left = max(0.0, total - sum(shares.values()))
        full = {name for name in open_names if left * wanted[name] / weight >= sizes[name]}
        for name in full or open_names:
            shares[name] = float(sizes[name]) if full else left * wanted[name] / weight
        open_names -= full or set(open_names)
    return {name: shares.get(name, 0.0) for name in sizes}


def _check(weights: Mapping[str, float], sizes: Mapping[str, float]) -> None:
    for name in sorted({*weights, *sizes}):
        if name not in sizes:
            raise InputError(f"weights.{name}", "no such group is in the corpora", allowed=sorted(sizes))
        if name not in weights:
            raise InputError("weights", f"says nothing of the group '{name}'", value=dict(weights), fix=f"{name}: 0")
        if not weights[name] >= 0:
            raise InputError(f"weights.{name}", "must not be negative", value=weights[name])
    if not any(weights.values()):
        raise InputError("weights", "are all zero", value=dict(weights))


def _numbered(documents: Documents, seed: int) -> Iterator[tuple[str, str, int, tuple[int, int]]]:
    """(group, text, bytes, two random numbers below 2**64 that depend on the seed and the text alone)."""
    training, held_out = key(seed, "tokenizer", "sample"), key(seed, "tokenizer", "held out")
    rows = iter(documents())
    while batch := list(islice(rows, _BATCH)):
        encoded = [row["text"].encode("utf8") for row in batch]
        hashes = np.array([xxhash.xxh3_64_intdigest(raw) for raw in encoded], dtype=np.uint64)
        pairs = zip(hash64(training, hashes).tolist(), hash64(held_out, hashes).tolist(), strict=True)
        for row, raw, pair in zip(batch, encoded, pairs, strict=True):
            yield str(row.get("group") or ""), row["text"], len(raw), pair
