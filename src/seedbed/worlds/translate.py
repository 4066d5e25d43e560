"""Whole texts in another language: words by a cipher, clauses in another order; and everything back."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import Literal

from .ciphers import WordCipher, letters
from .dice import Dice

Order = Literal["none", "reverse", "swap", "local"]

# A word with what hangs on it: it begins and ends with a letter or digit. Clauses are words with single blanks
# between them. So moving words within clauses, and changing their letters, leaves words and clauses what they are.
_WORD = re.compile(r"(\w+(?:[^\w\s]+\w+)*)")
_SENTENCE_END = re.compile(r"[.!?](?=\s|$)|\n")
_WINDOW = 4


class Translator:
    """From a text to its words in the other language, and back."""

    def __init__(self, cipher: WordCipher, language: int, script: str, order: Order) -> None:
        self.cipher, self.language, self.order = cipher, language, order
        self._there, self._back = letters(script)
        foreign = "".join(re.escape(chr(letter)) for letter in self._back)
        self.word = lru_cache(1 << 17)(self._word)  # the translation of one word of Latin letters
        self._latin, self._foreign = re.compile("[A-Za-z]+"), re.compile(f"[{foreign}]+")
        self._places = lru_cache(1024)(self._ordered)

    def text(self, text: str) -> str:
        return "".join(self.parts(text)[1])

    def parts(self, text: str) -> tuple[list[str], list[str], list[int]]:
        """The text as [gap, word, gap, ..., gap], the same of the translation, and the place of each word in it."""
        parts = _WORD.split(text)
        order = self.moved(parts)
        target = list(parts)
        for source, place in enumerate(order):
            word = parts[2 * source + 1]
            is_plain = word.isascii() and word.isalpha()
            target[2 * place + 1] = self.word(word) if is_plain else self._latin.sub(self._matched, word)
        return parts, target, order

    def word_order(self, text: str) -> list[int]:
        """The place of each word in the translation."""
        return self.moved(_WORD.split(text))

    def back(self, text: str) -> str:
        """The text that was translated, unless that had letters of the other script."""
        parts = _WORD.split(text)
        source = list(parts)
        for place, target in enumerate(self.moved(parts)):
            source[2 * place + 1] = self._foreign.sub(
                lambda match: self._word_back(match.group()), parts[2 * target + 1]
            )
        return "".join(source)

    def _matched(self, match: re.Match[str]) -> str:
        return self.word(match.group())

    def cased(self, word: str) -> bool:
        """Whether a word of Latin letters is a word: in lower case, Capitalized or in UPPER case."""
        return _cased(word, word.lower()) == word

    def _word(self, word: str) -> str:
        lower = word.lower()
        if not self.cased(word) or self.cipher.stays(lower):
            return word
        return _cased(word, self.cipher.encode(lower)).translate(self._there)

    def tokens(self, words: Sequence[str], tags: Sequence[str]) -> tuple[list[str], list[str]]:
        """Words and marks with BIO tags: of a span that the new order tears each piece is a span."""
        parts = _WORD.split(" ".join(words))
        names = [index for index, word in enumerate(words) if _WORD.fullmatch(word)]
        assert len(names) == len(parts) // 2, words
        spans = _span_numbers(tags)
        new_words, new_spans, new_tags = list(words), list(spans), list(tags)
        for source, place in enumerate(self.moved(parts)):
            new_words[names[place]] = self.text(words[names[source]])
            new_spans[names[place]], new_tags[names[place]] = spans[names[source]], tags[names[source]]
        for index, (span, tag) in enumerate(zip(new_spans, new_tags, strict=True)):
            if span:
                mark = "I" if index and new_spans[index - 1] == span else "B"
                new_tags[index] = f"{mark}-{tag[2:]}"
        return new_words, new_tags

    def moved(self, parts: Sequence[str]) -> list[int]:
        """The place of each word in the other order; moving is within clauses."""
        num_words = len(parts) // 2
        if self.order == "none":
            return list(range(num_words))
        found = []
        start = 0
        for stop in range(1, num_words + 1):
            if stop == num_words or parts[2 * stop] != " ":
                found += [start + place for place in self._places(stop - start)]
                start = stop
        return found

    def _ordered(self, length: int) -> list[int]:
        """The places of the words of a clause."""
        places = list(range(length))
        if self.order == "reverse":
            return places[::-1]
        size = 2 if self.order == "swap" else _WINDOW
        found: list[int] = []
        for start in range(0, length, size):
            window = places[start : start + size]
            dice = Dice(self.language, "order", len(window))  # the same for all windows of this length
            found += window[::-1] if self.order == "swap" else dice.shuffled(window)
        return found

    def _word_back(self, word: str) -> str:
        latin = word.translate(self._back)
        lower = latin.lower()
        return word if _cased(latin, lower) != latin else _cased(latin, self.cipher.decode(lower))


def word_places(text: str) -> list[tuple[int, int]]:
    """Where the words of a text stand."""
    return [match.span() for match in _WORD.finditer(text)]


def sentence_pairs(parts: Sequence[str], target: Sequence[str]) -> Iterator[tuple[str, str]]:
    """The sentences of a text and of its translation, which has them at the same places."""
    start = 1
    for place in range(1, len(parts), 2):
        gap = parts[place + 1]
        if place + 2 == len(parts) or (gap != " " and _SENTENCE_END.search(gap)):
            end = (gap.split() or [""])[0]  # the sentence's own mark, not the gap that follows
            yield "".join([*parts[start : place + 1], end]), "".join([*target[start : place + 1], end])
            start = place + 2


def _cased(word: str, other: str) -> str:
    """Another word in the case of a word: lower, Capitalized or UPPER; any other case counts as lower."""
    if word[:1].isupper() and word[1:] == word[1:].lower():
        return other[:1].upper() + other[1:]
    return other.upper() if word.isupper() else other


def _span_numbers(tags: Sequence[str]) -> list[int]:
    """The number of the span that each word is in, from 1; 0 for none."""
    found, number, before = [], 0, "O"
    for tag in tags:
        number += tag[0] == "B" or (tag[0] == "I" and before == "O")
        found.append(0 if tag == "O" else number)
        before = tag
    return found
