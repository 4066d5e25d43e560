"""Made-up words that can be spoken, each for one number: no two numbers have the same word.

A word is two or three syllables, each a group of consonants and a vowel, and perhaps a last consonant. The groups
can be read back from the letters, so words for different numbers differ; three syllables are for the names of
entities and two for everything else, so a name is never another word. Numbers are scrambled by a permutation that
the seed gives, so neighbors do not look alike.
"""

from __future__ import annotations

import math
from functools import cached_property, lru_cache

from seedbed.core.counters import key
from seedbed.core.errors import InputError

ONSETS = (*"bdfghklmnprstvz", "br", "dr", "tr", "kl", "pl", "st")
VOWELS = tuple("aeiou")
CODAS = ("", "n", "r", "l", "m", "t", "k")
VOCABULARIES = 8  # that share no word


def check_vocabulary(vocabulary: int) -> None:
    """Raises InputError for what is no vocabulary's number."""
    if not 0 <= vocabulary < VOCABULARIES:
        raise InputError("vocabulary", f"must lie between 0 and {VOCABULARIES - 1}", value=vocabulary)


_MASK = (1 << 64) - 1


class Permutation:
    """A permutation of range(size) that is computed, not stored, in both directions.

    A Feistel network of four rounds on pairs of numbers below the root of the size; what it puts outside the range
    goes through it again (Black and Rogaway, 2002).
    """

    def __init__(self, size: int, seed: int, *names: int | str) -> None:
        self.size = size
        self._side = math.isqrt(size - 1) + 1
        self._keys = [key(seed, "permutation", *names, number) for number in range(4)]

    def __call__(self, number: int) -> int:
        assert 0 <= number < self.size
        while True:
            left, right = divmod(number, self._side)
            for round_key in self._keys:
                left, right = right, (left + _mixed(right, round_key)) % self._side
            number = left * self._side + right
            if number < self.size:
                return number

    def inverse(self, number: int) -> int:
        assert 0 <= number < self.size
        while True:
            left, right = divmod(number, self._side)
            for round_key in reversed(self._keys):
                left, right = (right - _mixed(left, round_key)) % self._side, left
            number = left * self._side + right
            if number < self.size:
                return number


class Words:
    """The words of one vocabulary with a number of syllables: `words(0)`, `words(1)` ... up to `len(words)`.

    The vocabularies 0 to 7 share no word under the same seed.
    """

    def __init__(self, seed: int, vocabulary: int, syllables: int) -> None:
        check_vocabulary(vocabulary)
        self.vocabulary, self.syllables = vocabulary, syllables
        total = (len(ONSETS) * len(VOWELS)) ** syllables * len(CODAS)
        self._permutation = Permutation(total, seed, "words", syllables)

    def __len__(self) -> int:
        return self._permutation.size // VOCABULARIES

    def __call__(self, number: int) -> str:
        if number >= len(self):
            raise InputError("documents", f"the vocabulary has only {len(self)} names", fix="a smaller world")
        return _spelled(self._permutation(number * VOCABULARIES + self.vocabulary), self.syllables)


class Lexicon:
    """The words of a vocabulary by part of speech, the most frequent first. It does not depend on a world's seed."""

    NOUNS, VERBS, ADJECTIVES, GIVEN = 800, 300, 300, 60

    def __init__(self, vocabulary: int) -> None:
        self._words = Words(0, vocabulary, 2)

    @cached_property
    def nouns(self) -> list[str]:
        return self._some(0, self.NOUNS)

    @cached_property
    def verbs(self) -> list[str]:
        """Stems that end in a consonant, so that `-ed` can follow."""
        return [word for word in self._some(self.NOUNS, 2 * self.VERBS) if word[-1] not in VOWELS][: self.VERBS]

    @cached_property
    def adjectives(self) -> list[str]:
        return self._some(self.NOUNS + 2 * self.VERBS, self.ADJECTIVES)

    @cached_property
    def given(self) -> list[str]:
        """First names."""
        return [word.title() for word in self._some(self.NOUNS + 2 * self.VERBS + self.ADJECTIVES, self.GIVEN)]

    def _some(self, start: int, number: int) -> list[str]:
        return [self._words(start + index) for index in range(number)]


@lru_cache(4)
def lexicon(vocabulary: int) -> Lexicon:
    return Lexicon(vocabulary)


def _spelled(number: int, syllables: int) -> str:
    number, coda = divmod(number, len(CODAS))
    parts = []
    for _ in range(syllables):
        number, vowel = divmod(number, len(VOWELS))
        number, onset = divmod(number, len(ONSETS))
        parts.append(ONSETS[onset] + VOWELS[vowel])
    return "".join(parts) + CODAS[coda]


def _mixed(value: int, round_key: int) -> int:
    value = ((value ^ round_key) * 0x9E3779B97F4A7C15) & _MASK
    value = ((value ^ (value >> 32)) * 0xD6E8FEB86659FD93) & _MASK
    return value >> 16
