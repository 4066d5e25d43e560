"""Bounded samples of a corpus, the same ones whatever the order of its files."""

from __future__ import annotations

import heapq
from typing import TYPE_CHECKING, Any

from seedbed.core.errors import InputError

from .records import share

if TYPE_CHECKING:
    from seedbed.corpus.artifact import Corpus

Document = dict[str, Any]


def sample_documents(
    corpus: Corpus, split: str, limit: int, *, seed: int = 0, columns: tuple[str, ...] = ("id", "text")
) -> list[Document]:
    """At most `limit` documents of a split: those whose ids have the smallest hash, in that order.

    Keeps `limit` documents in memory, not the split.
    """
    if limit < 1:
        raise InputError("limit", "must be positive", value=limit)
    if split not in corpus.splits():
        raise InputError(
            "split",
            f"the corpus has no split '{split}'",
            allowed=corpus.splits(),
            fix="build_corpus: {split: {test: 0.05}} holds documents out",
        )
    heap: list[tuple[float, str, int, Document]] = []
    for index, document in enumerate(corpus.documents(split, list(columns))):
        name = str(document["id"])
        entry = (-share(name, "documents", seed), name, index, document)
        if len(heap) < limit:
            heapq.heappush(heap, entry)
        else:
            heapq.heappushpop(heap, entry)
    if not heap:
        fix = "hold more out (build_corpus: {split: ...}), or take smaller documents (the reader's `unit`)"
        raise InputError("split", f"the split '{split}' of the corpus is empty", value=str(corpus.path), fix=fix)
    return [entry[3] for entry in sorted(heap, reverse=True, key=lambda entry: entry[:3])]
