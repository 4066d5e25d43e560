"""Texts as a segmenter sees them: words and marks in their order, each as a few hashed features.

A unit is a word, a single mark, or a single letter of a script that puts no spaces between words. Apostrophes and
hyphens within a word, and points within a number, are parts of it that are not seen, so that it is the same without
them. A sentence can end after any unit.

Shapes: N units of a text, F features of a unit.
"""

from __future__ import annotations

import functools
import itertools
import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import xxhash

BUCKETS = 1 << 15
FEATURES = 5  # the word, its first and last letters, its shape, whether a space stands before it
SHAPE = 3  # the place of the one feature that has to do with case
MARKS = ".,?!:;…-–—\"'“”‘’()«»。、，？！：；؟،؛।॥።"  # noqa: RUF001  # those whose absence is learned to be seen

# Thai, Lao, Tibetan, Myanmar, Khmer, kana, Chinese characters.
_UNSPACED = "\u0e00-\u0fff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"
# Signs that belong to words and that Python does not count as letters: combining marks, points, vowel signs.
_SIGNS = "\u0300-\u036f\u0591-\u05c7\u064b-\u065f\u0670\u0900-\u0963\u0966-\u0dff"
_LETTERS = rf"(?:(?![{_UNSPACED}])[\w{_SIGNS}])+"
_UNIT = re.compile(rf"[{_UNSPACED}]|{_LETTERS}(?:(?:['’‐-]|[.,](?=\d)){_LETTERS})*|\S")  # noqa: RUF001
_INNER = str.maketrans("", "", "'’‐-.,")  # noqa: RUF001
_NO_SPACE = re.compile(f"[{_UNSPACED}]")
_LONGEST = 24  # letters of a word that count


@dataclass(frozen=True)
class Units:
    """A text's units."""

    ends_N: np.ndarray  # int64: the character after each
    features_NF: np.ndarray  # int64, below BUCKETS
    lower_N: np.ndarray  # the feature SHAPE as it were if the text had no capitals
    is_mark_N: np.ndarray  # bool: punctuation
    mark_N: np.ndarray  # which of MARKS, from 1; 0 for all else

    def __len__(self) -> int:
        return len(self.ends_N)

    def part(self, start: int, end: int) -> Units:
        """Some of them, in their order."""
        return Units(*(getattr(self, name)[start:end] for name in self.__dataclass_fields__))


def units_of(text: str) -> Units:
    """The units of a text; line ends count as any other space."""
    ends, rows = [], []
    before = 0
    for match in _UNIT.finditer(text):
        start, end = match.span()
        rows.append(_unit(match.group(), start > before or start == 0))
        ends.append(end)
        before = end
    if not rows:
        nothing = np.zeros(0, np.int64)
        return Units(nothing, np.zeros((0, FEATURES), np.int64), nothing, nothing.astype(bool), nothing)
    values = np.array(rows, np.int64)
    return Units(
        np.array(ends, np.int64),
        values[:, :FEATURES],
        values[:, FEATURES],
        values[:, FEATURES + 1].astype(bool),
        values[:, FEATURES + 2],
    )


def joined(lines: Sequence[str]) -> tuple[str, list[int]]:
    """Lines as one text, and the character after each of them: a space between them, but none before a letter of a
    script that has none."""
    parts: list[str] = []
    for line in lines:
        parts += [" " if parts and not _NO_SPACE.match(line) else "", line]
    ends = list(itertools.accumulate(map(len, parts)))
    return "".join(parts), ends[1::2]


def lines_of(lines: Sequence[str]) -> tuple[Units, np.ndarray]:
    """The units of lines that are joined into one text, and after which of them a line ends (bool (N,))."""
    text, ends = joined(lines)
    units = units_of(text)
    return units, np.isin(units.ends_N, ends)


@functools.lru_cache(maxsize=1 << 18)
def _unit(word: str, has_space: bool) -> tuple[int, ...]:
    """All that is known of a unit: features, the shape in lower case, whether it is a mark, and which."""
    is_mark = len(word) == 1 and unicodedata.category(word)[0] == "P"
    if len(word) > 1:
        word = word.translate(_INNER)
    short = word[:_LONGEST]
    lower = short.lower()
    features = (
        _bucket("w", lower),
        _bucket("p", lower[:3]),
        _bucket("s", word[-3:].lower()),
        _bucket("c", _shape(short)),
        _bucket("g", " " if has_space else ""),
    )
    mark = MARKS.find(word) + 1 if len(word) == 1 else 0
    return (*features, _bucket("c", _shape(lower)), is_mark, mark)


def _shape(word: str) -> str:
    """Kinds of its characters, runs as one: Xx, X, x0; a mark is itself."""
    kinds = ["X" if c.isupper() else "x" if c.isalpha() else "0" if c.isdigit() else c for c in word]
    return "".join(kind for place, kind in enumerate(kinds) if place == 0 or kinds[place - 1] != kind)


def _bucket(kind: str, value: str) -> int:
    return xxhash.xxh3_64_intdigest(f"{kind}\x1f{value}".encode("utf8", "surrogatepass")) % BUCKETS
