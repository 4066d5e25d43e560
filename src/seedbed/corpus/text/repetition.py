"""Word n-grams that come again within one text, for many texts at once.

An n-gram can only come again where the (n-1)-grams at its two first words do, so from one size to the next only those
places are looked at: in prose a tenth at n = 3, one in a hundred at n = 5.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from .characters import Spans, Texts, numbered

_BASE = np.uint64(0x9E3779B97F4A7C15)


@dataclass(frozen=True)
class Level:
    """The n-grams of one size that come again: the number of the first word, and which n-gram it is.

    `codes` count from 0 in the order of first places; n-grams of different texts are different.
    """

    n: int
    places: np.ndarray
    codes: np.ndarray
    counts: np.ndarray  # of each code


class Repeats:
    """The words of some texts, and `levels` of their n-grams. Shapes: W words, D texts, R places."""

    def __init__(self, texts: Texts, words: Spans) -> None:
        self.words = words
        self.documents = len(texts.texts)
        self.text_W = words.texts
        self.chars_W1 = np.concatenate([[0], np.cumsum(words.lengths)])  # of all words before
        self._hash_W = texts.hashes(words)
        self._local_W = texts.local(self._hash_W, self.text_W)

    def levels(self, largest: int) -> Iterator[Level]:
        """n = 2, 3 ... `largest`."""
        places = np.flatnonzero(self.text_W[1:] == self.text_W[:-1]) if len(self.text_W) else np.zeros(0, np.int64)
        keys = self._local_W[places]
        for n in range(2, largest + 1):
            with np.errstate(over="ignore"):
                keys = keys * _BASE + self._hash_W[places + n - 1]
            codes = numbered(keys)
            again = np.bincount(codes)[codes] > 1
            places, keys = places[again], keys[again]
            codes = numbered(codes[again])
            yield Level(n, places, codes, np.bincount(codes))
            on = np.flatnonzero(places[1:] == places[:-1] + 1)
            places, keys = places[on], keys[on]

    def length(self, places: np.ndarray, n: int) -> np.ndarray:
        """The characters of n-grams, without spaces."""
        return self.chars_W1[places + n] - self.chars_W1[places]

    def top(self, level: Level) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Each text's most common n-gram, of several the first: how often it is there (0 where no n words are), the
        number of its first word, and its characters."""
        has_D = self.words.counts >= level.n
        count_D, place_D = has_D.astype(np.int64), np.where(has_D, self.words.offsets[:-1], 0)
        count_R, text_R = level.counts[level.codes], self.text_W[level.places]
        if len(text_R):
            first = np.flatnonzero(np.diff(text_R, prepend=-1))
            # The highest count, and of those the earliest place.
            best = np.maximum.reduceat((count_R << 32) - level.places, first)
            count = (best + (1 << 32) - 1) >> 32
            count_D[text_R[first]], place_D[text_R[first]] = count, (count << 32) - best
        chars_D = np.zeros(self.documents, np.int64)
        chars_D[has_D] = self.length(place_D[has_D], level.n)
        return count_D, place_D, chars_D

    def repeated_chars(self, level: Level) -> np.ndarray:
        """Each text's characters in n-grams that stood earlier: from left to right, none counted twice."""
        return self._sums(self._taken(level), level.n)

    def all_chars(self, level: Level) -> np.ndarray:
        """Each text's characters in all n-grams that are there more than once, overlaps counted each time."""
        return self._sums(level.places, level.n)

    def sum_of_lengths(self, n: int) -> np.ndarray:
        """Each text's characters in all its n-grams, overlaps counted each time."""
        sums = np.concatenate([[0], np.cumsum(self.chars_W1)])
        first, after = self.words.offsets[:-1], self.words.offsets[1:]
        has_D = after - first >= n
        total_D = np.zeros(self.documents, np.int64)
        first, after = first[has_D], after[has_D]
        total_D[has_D] = (sums[after + 1] - sums[first + n]) - (sums[after - n + 1] - sums[first])
        return total_D

    def _sums(self, places: np.ndarray, n: int) -> np.ndarray:
        """The characters of n-grams, of each text."""
        return np.bincount(self.text_W[places], self.length(places, n), self.documents).astype(np.int64)

    def _taken(self, level: Level) -> np.ndarray:
        """Going through each text: where an n-gram stood before, it counts, and one goes on behind it."""
        taken: list[int] = []
        seen: set[int] = set()
        free = 0
        for place, code in zip(level.places.tolist(), level.codes.tolist(), strict=True):
            if place < free:
                continue
            if code in seen:
                taken.append(place)
                free = place + level.n
            else:
                seen.add(code)
        return np.array(taken, np.int64)
