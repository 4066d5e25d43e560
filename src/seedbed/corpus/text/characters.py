"""Texts as one array of code points, and where their words, lines and paragraphs are, for rules over many at once.

All positions count characters in the joined texts, each of which is followed by one newline that does not belong to it.
Shapes: C characters of all texts joined, D texts, S spans.
"""

from __future__ import annotations

import functools
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

# Bits of a character's classes.
SPACE, BREAK, LETTER, SYMBOL, OTHER = 1, 2, 4, 8, 16  # OTHER: neither space nor symbol, so letters too
_KNOWN = 0x32400  # above it there are only tags, variation selectors, private use and nothing: no letters, no spaces
_SPACES = [*range(9, 14), *range(28, 33), 0x85, 0xA0, 0x1680, *range(0x2000, 0x200B)]
_SPACES += [0x2028, 0x2029, 0x202F, 0x205F, 0x3000]
_BREAKS = [10, 11, 12, 13, 28, 29, 30, 0x85, 0x2028, 0x2029]  # of `str.splitlines`
_INNER = np.array([0x27, 0x2C, 0x2E, 0x2019], np.uint32)
_CHUNK = 1 << 18  # characters that are worked on at once: what is made of them stays in the processor's cache
_BASE = np.uint64(0x9E3779B97F4A7C15)
_SALT = np.uint64(0xD6E8FEB86659FD93)


@dataclass(frozen=True)
class Spans:
    """Pieces of texts in their order. Those of text d are `offsets[d]` to `offsets[d + 1]`."""

    starts: np.ndarray
    ends: np.ndarray
    offsets: np.ndarray

    @property
    def lengths(self) -> np.ndarray:
        return self.ends - self.starts

    @property
    def counts(self) -> np.ndarray:
        """The number of pieces of each text."""
        return np.diff(self.offsets)

    @property
    def texts(self) -> np.ndarray:
        """The number of the text that each piece is of."""
        return np.repeat(np.arange(len(self.offsets) - 1), self.counts)

    def totals(self, values_S: np.ndarray) -> np.ndarray:
        """Sums over the pieces of each text, of integers or truth values."""
        sums = np.zeros(len(values_S) + 1, np.int64)
        np.cumsum(values_S, out=sums[1:])
        return np.diff(sums[self.offsets])

    def chosen(self, is_S: np.ndarray) -> Spans:
        """The pieces for which it is true."""
        offsets = np.zeros(len(is_S) + 1, np.int64)
        np.cumsum(is_S, out=offsets[1:])
        return Spans(self.starts[is_S], self.ends[is_S], offsets[self.offsets])


class Texts:
    """Some texts, joined. Memory: about 30 bytes a character while rules look at them."""

    def __init__(self, texts: Sequence[str]) -> None:
        self.texts = texts
        self.codes_C = np.frombuffer(("\n".join(texts) + "\n").encode("utf-32-le", "surrogatepass"), np.uint32)
        lengths_D = np.fromiter(map(len, texts), np.int64, len(texts))
        self.ends_D = np.cumsum(lengths_D + 1) - 1
        self.starts_D = self.ends_D - lengths_D

    @functools.cached_property
    def classes_C(self) -> np.ndarray:
        return np.take(_classes(), self.codes_C, mode="clip")

    @functools.cached_property
    def ascii(self) -> bytes:
        """A byte a character, lower case: what is not Latin-1 is 255."""
        bytes_C = np.minimum(self.codes_C, 255).astype(np.uint8)
        return bytes_C.tobytes().lower()

    @functools.cached_property
    def words(self) -> Spans:
        """What white space parts, as `str.split` does."""
        space_C = (self.classes_C & SPACE) != 0
        return self._spans(*_runs(~space_C))

    @functools.cached_property
    def pieces(self) -> Spans:
        """Words, and runs of punctuation and symbols apart from them; an apostrophe, period or comma between two other
        characters parts nothing (don't, 3.5)."""
        kinds_C = self.classes_C & (SPACE | SYMBOL)
        inner = np.flatnonzero(np.isin(self.codes_C[1:-1], _INNER)) + 1
        kinds_C[inner[(kinds_C[inner - 1] == 0) & (kinds_C[inner + 1] == 0)]] = 0
        starts = np.flatnonzero(np.concatenate([[True], kinds_C[1:] != kinds_C[:-1]]))
        ends = np.append(starts[1:], len(kinds_C))
        is_piece = (kinds_C[starts] & SPACE) == 0
        return self._spans(starts[is_piece], ends[is_piece])

    @functools.cached_property
    def lines(self) -> Spans:
        """As `str.splitlines` gives them, without the line ends."""
        places = np.flatnonzero(self.classes_C & BREAK)
        after_return = (self.codes_C[places] == 10) & (self.codes_C[np.maximum(places - 1, 0)] == 13) & (places > 0)
        after_return[np.searchsorted(places, self.ends_D)] = False  # the newlines between texts are no part of them
        first = places[~after_return]
        ends = np.where(np.isin(first, places[after_return] - 1), first + 2, first + 1)
        inside = ~np.isin(first, self.ends_D)
        lines = self._parted(self.starts_D, self.ends_D, first[inside], ends[inside])
        last = lines.offsets[1:] - 1
        keep = np.ones(len(lines.starts), bool)
        keep[last] = lines.lengths[last] > 0  # a line end at the very end begins no line
        return lines.chosen(keep)

    def parted_at_newlines(self, least: int = 1, *, joined: bool = False, stripped: bool = False) -> Spans:
        """The pieces between newlines; with `joined`, between runs of `least` newlines or more, each run as one.
        `stripped`: of the texts without the white space around them."""
        starts_D, ends_D = self.trimmed() if stripped else (self.starts_D, self.ends_D)
        newline_C = self.codes_C == 10
        newline_C[self.ends_D] = False
        if joined:
            starts, ends = _runs(newline_C)
            wanted = ends - starts >= least
            starts, ends = starts[wanted], ends[wanted]
        else:
            starts = np.flatnonzero(newline_C)
            ends = starts + 1
        if stripped:
            text = np.searchsorted(self.starts_D, starts, side="right") - 1
            inside = (starts > starts_D[text]) & (ends < ends_D[text])
            starts, ends = starts[inside], ends[inside]
        return self._parted(starts_D, ends_D, starts, ends)

    def trimmed(self, spans: Spans | None = None) -> tuple[np.ndarray, np.ndarray]:
        """Starts and ends of pieces (or of the texts) without the white space around them."""
        starts, ends = (self.starts_D, self.ends_D) if spans is None else (spans.starts, spans.ends)
        first, after = self.word_range(starts, ends)
        filled = after > first
        words = self.words
        new_starts, new_ends = starts.copy(), starts.copy()
        new_starts[filled] = words.starts[first[filled]]
        new_ends[filled] = words.ends[after[filled] - 1]
        return new_starts, new_ends

    def word_range(self, starts: np.ndarray, ends: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The words in each piece, as a range; no word crosses the end of one."""
        return np.searchsorted(self.words.starts, starts), np.searchsorted(self.words.starts, ends)

    def classes(self, spans: Spans) -> np.ndarray:
        """The classes of each piece's characters, together. Between pieces nothing but white space may stand, whose
        classes come along."""
        if not len(spans.starts):
            return np.zeros(0, np.uint8)
        return np.bitwise_or.reduceat(self.classes_C, spans.starts)

    def find(self, spans: Spans, words: Iterable[str]) -> Iterator[np.ndarray]:
        """For each of these words, which are not empty, the numbers of the pieces that are it."""
        lengths, known = spans.lengths, dict[int, tuple[np.ndarray, np.ndarray]]()
        for word in words:
            if len(word) not in known:
                rows = np.flatnonzero(lengths == len(word))
                known[len(word)] = rows, self.codes_C[spans.starts[rows]]
            rows, first = known[len(word)]
            rows = rows[first == ord(word[0])]
            for place, character in enumerate(word[1:], 1):
                rows = rows[self.codes_C[spans.starts[rows] + place] == ord(character)]
            yield rows

    def counted(self, is_C: np.ndarray, starts: np.ndarray, ends: np.ndarray) -> np.ndarray:
        """The number of true characters in pieces."""
        sums = np.zeros(len(is_C) + 1, np.int32 if len(is_C) < 2**31 else np.int64)
        np.cumsum(is_C, out=sums[1:])
        return sums[ends] - sums[starts]

    def hashes(self, spans: Spans) -> np.ndarray:
        """64-bit hashes of pieces: the same for the same characters, wherever they stand."""
        sums, powers = self._sums, _powers(len(self.codes_C) + 1)
        shift = len(self.codes_C) - spans.starts  # all pieces as if they stood at one place
        with np.errstate(over="ignore"):
            values = (sums[spans.ends] - sums[spans.starts]) * powers[shift]
            # The power that is common to this batch comes off again, so that batches agree.
            values *= _inverse(powers[len(self.codes_C)])
            values ^= values >> np.uint64(32)
            values *= _SALT
            return values ^ (values >> np.uint64(29))

    def whole_hash(self) -> np.uint64:
        """The hash of the one text."""
        return np.uint64(self.hashes(Spans(self.starts_D, self.ends_D, np.array([0, 1])))[0])

    def local(self, hashes: np.ndarray, texts: np.ndarray) -> np.ndarray:
        """Hashes that are different in different texts."""
        with np.errstate(over="ignore"):
            return hashes ^ ((texts.astype(np.uint64) + np.uint64(1)) * _BASE)

    @functools.cached_property
    def _sums(self) -> np.ndarray:
        sums = np.zeros(len(self.codes_C) + 1, np.uint64)
        with np.errstate(over="ignore"):
            np.cumsum(_powers(len(self.codes_C) + 1)[:-1] * (self.codes_C + np.uint64(1)), out=sums[1:])
        return sums

    def _spans(self, starts: np.ndarray, ends: np.ndarray) -> Spans:
        return Spans(starts, ends, np.searchsorted(starts, np.append(self.starts_D, len(self.codes_C))))

    def _parted(self, starts_D: np.ndarray, ends_D: np.ndarray, starts: np.ndarray, ends: np.ndarray) -> Spans:
        """What lies between the separators that `starts` and `ends` name, of each text."""
        pieces = np.sort(np.concatenate([starts_D, ends]), kind="stable")
        return self._spans(pieces, np.sort(np.concatenate([ends_D, starts]), kind="stable"))


def chunks(texts: Sequence[str]) -> Iterator[Texts]:
    """The texts in order, some at a time: as many as have about a quarter of a million characters."""
    first = size = 0
    for number, text in enumerate(texts):
        if size and size + len(text) > _CHUNK:
            yield Texts(texts[first:number])
            first, size = number, 0
        size += len(text) + 1
    if first < len(texts):
        yield Texts(texts[first:])


def is_repeat(keys: np.ndarray) -> np.ndarray:
    """Whether the same key stands earlier."""
    codes = numbered(keys)
    highest = np.maximum.accumulate(np.concatenate([[-1], codes]))[:-1]
    return codes <= highest


def numbered(keys: np.ndarray) -> np.ndarray:
    """A number for each distinct key, in the order of their first places."""
    import pyarrow as pa
    import pyarrow.compute as pc

    return np.asarray(pc.dictionary_encode(pa.array(keys)).indices)


def _runs(is_C: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Starts and ends of the runs of true values."""
    changes = np.flatnonzero(is_C[1:] != is_C[:-1]) + 1
    if len(is_C) and is_C[0]:
        changes = np.concatenate([[0], changes])
    if len(changes) % 2:
        changes = np.append(changes, len(is_C))
    return changes[::2], changes[1::2]


@functools.cache
def _classes() -> np.ndarray:
    """The classes of every code point: a table, whose last entry stands for all above."""
    categories = np.array([ord(unicodedata.category(chr(code))[0]) for code in range(_KNOWN)], np.uint8)
    table = np.zeros(_KNOWN + 1, np.uint8)
    table[:-1][categories == ord("L")] = LETTER
    table[:-1][np.isin(categories, list(b"PSC"))] = SYMBOL
    table[_SPACES] = SPACE
    table[_BREAKS] |= BREAK
    table[(table & (SPACE | SYMBOL)) == 0] |= OTHER
    return table


_power_table = np.ones(1, np.uint64)


def _powers(size: int) -> np.ndarray:
    """Powers of the base modulo 2**64, at least so many; kept."""
    global _power_table
    table = _power_table  # another thread may replace it
    if len(table) < size:
        with np.errstate(over="ignore"):
            factors = np.full(max(size, 2 * _CHUNK), _BASE, np.uint64)
            factors[0] = 1
            _power_table = table = np.cumprod(factors)
    return table[:size]


def _inverse(power: np.uint64) -> np.uint64:
    """What a product with an odd number is undone by, modulo 2**64."""
    return np.uint64(pow(int(power), -1, 1 << 64))
