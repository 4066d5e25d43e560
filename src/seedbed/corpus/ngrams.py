"""N-grams of words as 64-bit hashes, for many texts at once.

A word's hash is its xxh3, made by Daft; an n-gram's is a polynomial in its words' hashes modulo 2**64, made by numpy.
Two different n-grams have the same hash with a probability of about 2**-64.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import xxhash

if TYPE_CHECKING:
    from daft import Expression

_BASE = np.uint64(0x9E3779B97F4A7C15)
_NO_WORD = np.uint64(xxhash.xxh3_64_intdigest(b""))


def word_hashes(plain: Expression) -> Expression:
    """The hashes of a text's words, which are parted by single spaces, as a list."""
    from .engine import daft, functions

    return functions.list_map(functions.split(plain, " "), functions.hash(daft.element(), hash_function="xxhash3_64"))


def word_arrays(lists: Any) -> tuple[np.ndarray, np.ndarray]:
    """From an Arrow array of lists of words' hashes: all of them (uint64) in order, and the number in each list."""
    import pyarrow.compute as pc

    words = np.asarray(lists.flatten(), np.uint64)
    lengths = np.asarray(pc.list_value_length(lists), np.int64)
    # A text without words was split into one empty word.
    is_word = words != _NO_WORD
    if not is_word.all():
        lengths = lengths - np.bincount(np.repeat(np.arange(len(lengths)), lengths)[~is_word], minlength=len(lengths))
        words = words[is_word]
    return words, lengths


def text_words(texts: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
    """As `word_arrays`, of texts in memory, in their plain form."""
    import pyarrow as pa

    from .engine import daft
    from .tagging import plain

    table = pa.table({"number": np.arange(len(texts)), "text": pa.array(texts, pa.large_string())})
    words = word_hashes(plain(daft.col("text"))).alias("words")
    rows = daft.from_arrow(table).select("number", words).sort("number").to_arrow()
    return word_arrays(rows["words"].combine_chunks())


def ngram_hashes(words: np.ndarray, lengths: np.ndarray, n: int) -> tuple[np.ndarray, np.ndarray]:
    """All n-grams of texts given by `word_arrays`.

    Returns the hashes (uint64) of all texts one after the other, in order, and the offsets (one more than texts)
    where each text's begin. A text with fewer than n words has none.
    """
    counts = np.maximum(lengths - n + 1, 0)
    offsets = np.concatenate([[0], np.cumsum(counts)])
    size = max(len(words) - n + 1, 0)
    windows = np.zeros(size, np.uint64)
    for place in range(n):
        windows *= _BASE
        windows += words[place : place + size]
    starts = np.cumsum(lengths) - lengths
    inside = np.arange(offsets[-1]) + np.repeat(starts - offsets[:-1], counts)
    return windows[inside], offsets


def shingle_sets(words: np.ndarray, lengths: np.ndarray, n: int) -> list[np.ndarray]:
    """Each text's set of n-grams as sorted hashes; of a text with fewer than n words, the whole as one."""
    hashes, offsets = ngram_hashes(words, lengths, n)
    ends = np.cumsum(lengths)
    sets = []
    for row, (length, end) in enumerate(zip(lengths.tolist(), ends.tolist(), strict=True)):
        own = hashes[offsets[row] : offsets[row + 1]]
        if 0 < length < n:
            own, _ = ngram_hashes(words[end - length : end], lengths[row : row + 1], length)
        sets.append(np.unique(own))
    return sets


def jaccard(left: np.ndarray, right: np.ndarray) -> float:
    """The share of two sorted sets' union that is in both."""
    common = len(np.intersect1d(left, right, assume_unique=True))
    return common / (len(left) + len(right) - common)
