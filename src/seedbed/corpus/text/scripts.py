"""Which script a text is written in."""

from __future__ import annotations

import unicodedata
from collections import Counter
from collections.abc import Iterable


def script_name(letter: str) -> str:
    """The first word of a letter's name in Unicode ("latin", "cyrillic", "cjk"), which is its script or near to it:
    kana are two, and full-width Latin is one of its own."""
    return unicodedata.name(letter, "").partition(" ")[0].partition("-")[0].lower()


def script_of(texts: Iterable[str]) -> str:
    """The script of most of the letters, of equally frequent ones the first by the alphabet; "" without letters."""
    found = Counter[str]()
    for letter, count in sum(map(Counter, texts), Counter[str]()).items():
        if unicodedata.category(letter)[0] == "L":
            found[script_name(letter)] += count
    return min(found, key=lambda script: (-found[script], script), default="")
