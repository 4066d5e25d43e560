"""A bounded sample of a corpus, drawn by a hash of each text: no order of files or documents changes it."""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

import numpy as np
import xxhash

from seedbed.core.counters import hash64, key

Documents = Callable[[], Iterable[Mapping[str, Any]]]  # each call begins anew; with `text` and `domain`

HELD_OUT_SHARE = 0.02
HELD_OUT_BYTES = 1_000_000  # for each domain
_BATCH = 512


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


def draw(documents: Documents, limit: float, seed: int, *, alpha: float = 1.0, share_held_out: float = 0.0) -> Drawn:
    """Draw about `limit` bytes of text for training; texts are never repeated.

    A domain's part is in proportion to its bytes to the power `alpha` (Lample and Conneau, 2019): 1 takes documents
    as they come, 0 equal parts; a domain that has too little gives all that it has, and the others share the rest.
    With `share_held_out` that share of the texts is kept from training, up to a megabyte a domain.
    """
    quotas: dict[str, float] | None = None
    if alpha != 1.0:
        sizes: dict[str, int] = {}
        for domain, _, num_bytes, _ in _numbered(documents, seed):
            sizes[domain] = sizes.get(domain, 0) + num_bytes
        quotas = share_out(limit, sizes, alpha)
    pools: dict[str, Pool] = {}
    drawn = Drawn()
    for domain, text, num_bytes, (number, other) in _numbered(documents, seed):
        drawn.num_documents += 1
        drawn.num_bytes += num_bytes
        if other < share_held_out * 2.0**64:
            drawn.held_out.setdefault(domain, Pool(HELD_OUT_BYTES)).add(number, text, num_bytes)
            continue
        name = domain if quotas is not None else ""
        if name not in pools:
            pools[name] = Pool(limit if quotas is None else quotas[domain])
        pools[name].add(number, text, num_bytes)
    drawn.texts = [text for name in sorted(pools) for text in pools[name].texts()]
    return drawn


@dataclass
class Drawn:
    """What was drawn, and how much there was."""

    texts: list[str] = field(default_factory=list)
    held_out: dict[str, Pool] = field(default_factory=dict)  # by domain
    num_documents: int = 0
    num_bytes: int = 0


def by_domain(documents: Documents, seed: int, limit: float = HELD_OUT_BYTES) -> dict[str, list[str]]:
    """Some texts of every domain."""
    pools: dict[str, Pool] = {}
    for domain, text, num_bytes, (number, _) in _numbered(documents, seed):
        pools.setdefault(domain, Pool(limit)).add(number, text, num_bytes)
    return {domain: pools[domain].texts() for domain in sorted(pools)}


def share_out(total: float, sizes: Mapping[str, float], alpha: float) -> dict[str, float]:
    """Split `total` in proportion to sizes**alpha, nobody getting more than its size."""
    shares: dict[str, float] = {}
    open_names = {name for name in sizes if sizes[name] > 0}
    while open_names:
        weight = sum(sizes[name] ** alpha for name in sorted(open_names))
        left = max(0.0, total - sum(shares.values()))
        full = {name for name in open_names if left * sizes[name] ** alpha / weight >= sizes[name]}
        for name in full or open_names:
            shares[name] = float(sizes[name]) if full else left * sizes[name] ** alpha / weight
        open_names -= full or set(open_names)
    return {name: shares.get(name, 0.0) for name in sizes}


def _numbered(documents: Documents, seed: int) -> Iterator[tuple[str, str, int, tuple[int, int]]]:
    """(domain, text, bytes, two random numbers below 2**64 that depend on the seed and the text alone)."""
    training, held_out = key(seed, "tokenizer", "sample"), key(seed, "tokenizer", "held out")
    rows = iter(documents())
    while batch := list(islice(rows, _BATCH)):
        encoded = [row["text"].encode("utf8") for row in batch]
        hashes = np.array([xxhash.xxh3_64_intdigest(raw) for raw in encoded], dtype=np.uint64)
        pairs = zip(hash64(training, hashes).tolist(), hash64(held_out, hashes).tolist(), strict=True)
        for row, raw, pair in zip(batch, encoded, pairs, strict=True):
            yield str(row.get("domain") or ""), row["text"], len(raw), pair
