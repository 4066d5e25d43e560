"""N-grams of words as 64-bit hashes, for many texts at once.

A word's hash is its xxh3; an n-gram's is a polynomial in its words' hashes modulo 2**64. Two different n-grams have
the same hash with probability of about 2**-64.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import numpy as np
import xxhash

_BASE = 0x9E3779B97F4A7C15
_MOST_WORDS = 1 << 20


class WordHashes(dict[str, int]):
    """The hash of each word, made when it is first met; forgets all when it has grown large."""

    def __missing__(self, word: str) -> int:
        if len(self) >= _MOST_WORDS:
            self.clear()
        value = self[word] = xxhash.xxh3_64_intdigest(word.encode())
        return value


def ngram_hashes(texts: Sequence[str], n: int, known: WordHashes) -> tuple[np.ndarray, np.ndarray]:
    """All n-grams of texts whose words are parted by single spaces.

    Returns the hashes (uint64) of all texts one after the other, in order, and the offsets (one more than texts)
    where each text's begin. A text with fewer than n words has none.
    """
    words = [text.split(" ") if text else [] for text in texts]
    lengths = np.array([len(row) for row in words], np.int64)
    hashes = map(known.__getitem__, itertools.chain.from_iterable(words))
    flat = np.fromiter(hashes, np.uint64, int(lengths.sum()))
    counts = np.maximum(lengths - n + 1, 0)
    offsets = np.concatenate([[0], np.cumsum(counts)])
    size = max(len(flat) - n + 1, 0)
    windows = np.zeros(size, np.uint64)
    with np.errstate(over="ignore"):
        for place in range(n):
            windows = windows * np.uint64(_BASE) + flat[place : place + size]
    starts = np.concatenate([[0], np.cumsum(lengths)])[:-1]
    inside = np.arange(int(counts.sum())) - np.repeat(offsets[:-1], counts) + np.repeat(starts, counts)
    return windows[inside], offsets


def shingles(text: str, n: int, known: WordHashes) -> np.ndarray:
    """The set of a text's n-grams as sorted hashes; of a text with fewer than n words, the whole as one."""
    num_words = text.count(" ") + 1
    hashes, _ = ngram_hashes([text], min(n, num_words), known)
    return np.unique(hashes)


def jaccard(left: np.ndarray, right: np.ndarray) -> float:
    """The share of two sorted sets' union that is in both."""
    common = len(np.intersect1d(left, right, assume_unique=True))
    return common / (len(left) + len(right) - common)
