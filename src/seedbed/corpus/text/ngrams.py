"""N-grams of words as 64-bit hashes, for many texts at once.

A word's hash is its xxh3, made by Daft; an n-gram's is a polynomial in its words' hashes modulo 2**64, made by numpy.
Two different n-grams have the same hash with a probability of about 2**-64; in a set, which keeps 52 bits of each hash
so that a number below 2**12 fits in front of it, 2**-52. Sorting such marked hashes makes the sets of thousands of
texts, or compares thousands of pairs of them, at once.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import xxhash

if TYPE_CHECKING:
    from daft import Expression

_BASE = np.uint64(0x9E3779B97F4A7C15)
_NO_WORD = np.uint64(xxhash.xxh3_64_intdigest(b""))
_BITS = np.uint64(52)  # of a hash in a set
_MASK = np.uint64((1 << 52) - 1)
_BLOCK = 1 << 12  # texts or pairs that are sorted together
_ELEMENTS = 1 << 22  # hashes that are sorted together, so 100 MB with what the sorting needs


class Sets(NamedTuple):
    """Sets of hashes, one after the other, each ascending; `offsets` (one more than sets) says where each begins."""

    hashes: np.ndarray
    offsets: np.ndarray

    @property
    def sizes(self) -> np.ndarray:
        return np.diff(self.offsets)

    def row(self, number: int) -> np.ndarray:
        return self.hashes[self.offsets[number] : self.offsets[number + 1]]

    def take(self, rows: np.ndarray) -> Sets:
        """The sets of the given rows, in that order."""
        sizes = self.sizes[rows]
        ends = np.cumsum(sizes)
        inside = np.repeat(self.offsets[rows] - (ends - sizes), sizes)
        inside += np.arange(len(inside))
        return Sets(self.hashes[inside], np.concatenate([[0], ends]))


def word_hashes(plain: Expression) -> Expression:
    """The hashes of a text's words, which are parted by single spaces, as a list."""
    from seedbed.corpus.engine import daft, functions

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

    from seedbed.corpus.engine import daft
    from seedbed.corpus.tagging import plain

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


def shingle_sets(words: np.ndarray, lengths: np.ndarray, n: int) -> Sets:
    """Each text's set of n-grams; of a text with fewer than n words, the whole as one."""
    hashes, offsets = ngram_hashes(words, lengths, n)
    numbers = np.repeat(np.arange(len(lengths)), np.diff(offsets))
    starts = np.cumsum(lengths) - lengths
    for length in range(1, n):
        short = np.flatnonzero(lengths == length)
        if len(short):
            whole, _ = ngram_hashes(words[starts[short][:, None] + np.arange(length)].ravel(), lengths[short], length)
            hashes, numbers = np.concatenate([hashes, whole]), np.concatenate([numbers, short])
    return sets_of(hashes, numbers, len(lengths))


def sets_of(hashes: np.ndarray, numbers: np.ndarray, count: int) -> Sets:
    """The sets of `count` texts from hashes (64 bits) and the number of the text that each of them is of."""
    if not np.all(numbers[1:] >= numbers[:-1]):
        order = np.argsort(numbers, kind="stable")
        hashes, numbers = hashes[order], numbers[order]
    found, sizes = [np.empty(0, np.uint64)], [np.empty(0, np.int64)]
    for first in range(0, count, _BLOCK):
        place = slice(*np.searchsorted(numbers, [first, first + _BLOCK]))
        marked = (numbers[place] - first).astype(np.uint64) << _BITS
        marked |= hashes[place] >> (np.uint64(64) - _BITS)
        marked.sort()
        marked = marked[np.concatenate([[True], marked[1:] != marked[:-1]])] if len(marked) else marked
        found.append(marked & _MASK)
        sizes.append(np.bincount((marked >> _BITS).view(np.int64), minlength=min(_BLOCK, count - first)))
    return Sets(np.concatenate(found), np.concatenate([[0], np.cumsum(np.concatenate(sizes))]))


def placed(parts: list[tuple[np.ndarray, Sets]]) -> Sets:
    """The sets of several collections, each set in its place among all of them. The collections go out of the list on
    the way, so that hardly a hash is in memory twice."""
    sizes_N = np.zeros(sum(len(places) for places, _ in parts), np.int64)
    for places, part in parts:
        sizes_N[places] = part.sizes
    offsets = np.concatenate([[0], np.cumsum(sizes_N)])
    hashes = np.empty(offsets[-1], np.uint64)
    while parts:
        places, part = parts.pop()
        inside = np.repeat(offsets[places] - part.offsets[:-1], part.sizes)
        inside += np.arange(len(inside))
        hashes[inside] = part.hashes
    return Sets(hashes, offsets)


def jaccard(sets: Sets, left: np.ndarray, right: np.ndarray) -> np.ndarray:
    """For each pair of rows the share of both sets' union that is in both."""
    sizes = sets.sizes
    common = np.zeros(len(left), np.int64)
    ends = np.cumsum(sizes[left] + sizes[right])
    first = 0
    while first < len(left):
        before = ends[first - 1] if first else 0
        last = int(np.searchsorted(ends, before + _ELEMENTS, side="right"))
        block = slice(first, min(max(last, first + 1), first + _BLOCK))
        common[block] = _common(sets, left[block], right[block])
        first = block.stop
    return common / (sizes[left] + sizes[right] - common)


def _common(sets: Sets, left: np.ndarray, right: np.ndarray) -> np.ndarray:
    """The number of hashes that both sets of each pair have: those that come twice when all are sorted by pair."""
    both = sets.take(np.concatenate([left, right]))
    pairs = np.arange(len(left), dtype=np.uint64) << _BITS
    marked = both.hashes | np.repeat(np.concatenate([pairs, pairs]), both.sizes)
    marked.sort()
    twice = marked[1:][marked[1:] == marked[:-1]]
    return np.bincount((twice >> _BITS).view(np.int64), minlength=len(left))


class Lookup:
    """Which of many hashes are among known ones (different, ascending). A table of low bits, 16 bytes for each known
    one and at most 256 MB, settles nearly all that are not at a tenth of the price of a search.
    """

    def __init__(self, known: np.ndarray) -> None:
        self.known = known
        bits = int(min(28, max(16, np.ceil(np.log2(len(known) + 1)) + 4)))
        self._mask = np.uint64((1 << bits) - 1)
        self._occurs = np.zeros(1 << bits, np.bool_)
        self._occurs[known & self._mask] = True

    def find(self, hashes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The places of those that are, ascending, and which known ones they are."""
        places = np.flatnonzero(self._occurs[hashes & self._mask])
        rows = np.minimum(np.searchsorted(self.known, hashes[places]), max(len(self.known) - 1, 0))
        right = self.known[rows] == hashes[places] if len(self.known) else np.zeros(len(places), np.bool_)
        return places[right], rows[right]
