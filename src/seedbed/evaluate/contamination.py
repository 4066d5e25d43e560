"""How much of a test set stands in the pretraining corpora: shared n-grams of words.

As in Brown et al. (2020, appendix C) an item is contaminated if one of its n-grams (13 words by default) occurs in
a corpus; the share of its n-grams that occur is given too. Words are runs of letters, digits and underscores,
lower-cased; a script without blanks has long "words", and overlaps are then missed. n-grams are compared by 64-bit
hashes: with 10^6 test n-grams and 10^9 in a corpus, fewer than 10^-4 false hits are expected.
Items shorter than n words cannot be judged, and are counted.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import xxhash

from seedbed.core.counters import hash64

if TYPE_CHECKING:
    from seedbed.corpus.artifact import Corpus

_WORD = re.compile(r"\w+")
_BASE = np.uint64(0x9E3779B97F4A7C15 | 1)
_SPLITS_NOT_TRAINED_ON = ("validation", "test")


@dataclass
class _Item:
    task: str
    id: str
    grams: np.ndarray


def ngram_hashes(text: str, n: int) -> np.ndarray:
    """Hashes of all n-grams of words, in order (uint64); empty for fewer than n words."""
    words = _WORD.findall(text.lower())
    if len(words) < n:
        return np.zeros(0, dtype=np.uint64)
    hashes = np.fromiter((xxhash.xxh3_64_intdigest(word.encode()) for word in words), np.uint64, len(words))
    found = np.zeros(len(words) - n + 1, dtype=np.uint64)
    with np.errstate(over="ignore"):
        for place in range(n):
            found = found * _BASE + hashes[place : place + len(found)]
    return hash64(n, found)


def contamination(
    tests: Mapping[str, Sequence[tuple[str, str]]], corpora: Sequence[Corpus], *, n: int = 13, examples: int = 20
) -> dict[str, Any]:
    """The report. `tests` holds (item id, text) pairs by task; of the corpora everything but splits called
    validation and test is read, once, one document at a time."""
    items = [
        _Item(task, name, np.unique(ngram_hashes(text, n))) for task, pairs in tests.items() for name, text in pairs
    ]
    wanted = np.unique(np.concatenate([np.zeros(0, np.uint64), *[item.grams for item in items]]))
    hit = np.zeros(len(wanted), dtype=bool)
    where: dict[int, str] = {}
    for corpus in corpora:
        for split in corpus.splits():
            if split in _SPLITS_NOT_TRAINED_ON:
                continue
            for document in corpus.documents(split, ["id", "text"]):
                for place in _hits(ngram_hashes(document["text"], n), wanted):
                    if not hit[place]:
                        hit[place] = True
                        where[int(place)] = str(document["id"])
    return {
        "n": n,
        "corpora": [str(corpus.path) for corpus in corpora],
        "tasks": {task: _report([i for i in items if i.task == task], wanted, hit, where, examples) for task in tests},
    }


def _hits(grams: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    if not len(wanted) or not len(grams):
        return np.zeros(0, dtype=np.int64)
    place = np.minimum(np.searchsorted(wanted, grams), len(wanted) - 1)
    return np.unique(place[wanted[place] == grams])


def _report(
    items: list[_Item], wanted: np.ndarray, hit: np.ndarray, where: dict[int, str], examples: int
) -> dict[str, Any]:
    found: list[dict[str, Any]] = []
    for item in items:
        places = np.searchsorted(wanted, item.grams)
        hits = places[hit[places]] if len(places) else places
        if len(hits):
            row = {"item": item.id, "share": round(len(hits) / len(places), 4), "document": where[int(hits[0])]}
            found.append(row)
    judged = sum(len(item.grams) > 0 for item in items)
    grams = sum(len(item.grams) for item in items)
    shared = sum(int(hit[np.searchsorted(wanted, item.grams)].sum()) for item in items if len(item.grams))
    return {
        "items": len(items),
        "too_short": len(items) - judged,
        "contaminated": len(found),
        "contaminated_share": len(found) / judged if judged else 0.0,
        "ngram_share": shared / grams if grams else 0.0,
        "examples": sorted(found, key=lambda row: (-row["share"], row["item"]))[:examples],
    }
