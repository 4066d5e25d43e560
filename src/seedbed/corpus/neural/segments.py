"""Segments (text nodes of a page, lines of a text) as a small network sees them: hashed words, marks, and numbers.

Shapes: N segments of one document in their order, W words and M marks of all of them one after the other, F numbers.
"""

from __future__ import annotations

import functools
import re
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import xxhash

WORD_BUCKETS, MARK_BUCKETS = 1 << 14, 1 << 12
NUMBERS = 14  # of every segment, before those that the caller adds
_FIRST, _LAST = 40, 8  # words of a segment that count
_WORD = re.compile(r"\w+|[^\w\s]")
_DIGITS = str.maketrans("123456789", "000000000")
_SPACE, _LETTER, _UPPER, _DIGIT, _STOP, _SIGN = range(6)
_STOPS = ".!?…。！？।"  # noqa: RUF001


@dataclass(frozen=True)
class Segments:
    """The features of one document's segments. `word_counts_N` and `mark_counts_N` say how many ids are each one's."""

    words_W: np.ndarray  # int64 in [0, WORD_BUCKETS)
    word_counts_N: np.ndarray
    marks_M: np.ndarray  # int64 in [0, MARK_BUCKETS)
    mark_counts_N: np.ndarray
    numbers_NF: np.ndarray  # float32, between -1 and about 3

    def __len__(self) -> int:
        return len(self.numbers_NF)

    def parts(self, size: int) -> Iterator[Segments]:
        """At most `size` segments at a time."""
        word_ends = np.concatenate([[0], np.cumsum(self.word_counts_N)])
        mark_ends = np.concatenate([[0], np.cumsum(self.mark_counts_N)])
        for start in range(0, len(self), size):
            end = min(start + size, len(self))
            yield Segments(
                self.words_W[word_ends[start] : word_ends[end]],
                self.word_counts_N[start:end],
                self.marks_M[mark_ends[start] : mark_ends[end]],
                self.mark_counts_N[start:end],
                self.numbers_NF[start:end],
            )


def segments_of(texts: Sequence[str], marks: Sequence[Iterable[str]], more_NF: np.ndarray | None = None) -> Segments:
    """The features of segments with their texts, their marks (names of any kind), and further numbers.

    Of a text count its first 40 and last 8 words and signs, in lower case with digits as 0, which of them is first and
    which last, how long it is, what it is made of, how it begins and ends, and where it stands.
    """
    words = [_word_ids(text) for text in texts]
    found = [[_bucket(mark, MARK_BUCKETS) for mark in set(own)] for own in marks]
    numbers_NF = _numbers(texts)
    if more_NF is not None:
        numbers_NF = np.concatenate([numbers_NF, np.asarray(more_NF, np.float32)], axis=1)
    return Segments(_flat(words), _lengths(words), _flat(found), _lengths(found), numbers_NF)


def _word_ids(text: str) -> list[int]:
    found = _WORD.findall(text if len(text) <= 600 else f"{text[:400]} {text[-200:]}")
    if not found:
        return []
    found = [word.translate(_DIGITS).lower() for word in (found[:_FIRST] + found[_FIRST:][-_LAST:])]
    ends = (f"first {found[0]}", f"last {found[-1]}")
    return [_bucket(word, WORD_BUCKETS) for word in (*found, *ends)]


@functools.lru_cache(maxsize=1 << 18)
def _bucket(name: str, buckets: int) -> int:
    return xxhash.xxh3_64_intdigest(name.encode("utf8", "surrogatepass")) % buckets


def _flat(lists: Sequence[Sequence[int]]) -> np.ndarray:
    return np.fromiter((id for ids in lists for id in ids), np.int64)


def _lengths(lists: Sequence[Sequence[int]]) -> np.ndarray:
    return np.fromiter(map(len, lists), np.int64, len(lists))


def _numbers(texts: Sequence[str]) -> np.ndarray:
    """NUMBERS for each text: length, kinds of characters, first and last ones, the place in the document."""
    lengths_N = _lengths(texts)  # type: ignore[arg-type]
    points = np.frombuffer("".join(texts).encode("utf-32-le", "surrogatepass"), np.uint32)
    kinds = _kinds()[np.minimum(points, 0xFFFF)]
    ends_N = np.cumsum(lengths_N)
    starts_N = ends_N - lengths_N
    # Counts of each kind up to each character: a difference of two is a segment's.
    counts = np.concatenate([np.zeros((1, 6), np.int64), np.cumsum(kinds[:, None] == np.arange(6), axis=0)])
    counts_N6 = counts[ends_N] - counts[starts_N]
    foreign = np.concatenate([[0], np.cumsum(points > 127)])
    solid_N = np.maximum(lengths_N - counts_N6[:, _SPACE], 1)
    is_empty_N = lengths_N == 0
    padded = np.concatenate([kinds, [_SPACE]])
    first_N = np.where(is_empty_N, _SPACE, padded[starts_N])
    last_N = np.where(is_empty_N, _SPACE, padded[ends_N - 1])
    size = len(texts)
    places_N = np.arange(size)
    columns = [
        np.log1p(lengths_N) / 4,
        np.log1p(counts_N6[:, _SPACE]) / 4,
        *(counts_N6[:, kind] / solid_N for kind in (_UPPER, _DIGIT, _STOP, _SIGN)),
        (foreign[ends_N] - foreign[starts_N]) / solid_N,
        first_N == _UPPER,
        last_N == _STOP,
        last_N == _SIGN,
        places_N / max(size, 1),
        np.log1p(places_N) / 4,
        np.log1p(size - 1 - places_N) / 4,
        np.full(size, np.log1p(size) / 4),
    ]
    assert len(columns) == NUMBERS
    return np.stack(columns, axis=1).astype(np.float32)


@functools.cache
def _kinds() -> np.ndarray:
    """What each character of the basic plane is; what lies above counts as a sign."""
    by_category = {"Lu": _UPPER, "Lt": _UPPER, "Nd": _DIGIT, "Zs": _SPACE, "Zl": _SPACE, "Zp": _SPACE, "Cc": _SPACE}
    table = np.full(1 << 16, _SIGN, np.uint8)
    for point in range((1 << 16) - 1):  # the last one stands for all above
        category = unicodedata.category(chr(point))
        table[point] = by_category.get(category, _LETTER if category[0] in "LM" else _SIGN)
    table[[ord(stop) for stop in _STOPS]] = _STOP
    return table
