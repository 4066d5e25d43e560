"""A made-up script: characters made of components, of which one tells what a character means and one how it sounds.

As in Chinese, most characters have a radical, which they share with others of a like meaning, and a phonetic part,
which they share with others of a like sound; how often that is true is a parameter. Those without a meaning are simple:
they share no component. Glyphs are bitmaps of strokes. Code points are those of Chinese characters, so that every
tokenizer sets them apart; what fonts show for them does not matter.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

from seedbed.core.errors import InputError

from .dice import Dice
from .words import VOCABULARIES, Permutation

CLASSES = 16  # of meaning; each has a radical
PHONETICS = 100
INITIALS = (*"bpmfdtnlgkhjqx", "zh", "ch", "sh", *"rzcs")
FINALS = ("a", "an", "ei", "i", "ong", "u")
TONES = 4
SIDE = 12  # pixels of a glyph
_FIRST, _BLOCK = 0x4E00, 0x5200 // VOCABULARIES  # code points of all vocabularies together: U+4E00 to U+9FFF
_ROLES = {"function": 5, "number": 9, "particle": len(FINALS), "classifier": CLASSES}
MOST = 1200  # characters with a meaning, so that there are components for all of them

Strokes = list[tuple[int, int, int, int]]
Box = tuple[int, int, int, int]  # top, left, height, width


@dataclass(frozen=True, slots=True)
class Character:
    """`meaning` is its class, or None; the radical is that of a class, of its own as a rule, and the phonetic part a
    number; both are None where the character is simple. `final` is the number of the sound's."""

    token: str
    role: str
    meaning: int | None
    sound: str
    final: int
    radical: int | None
    phonetic: int | None
    glyph: str


class Script:
    """The characters of one vocabulary, by role: `noun` and `verb`, of which four and one of every five characters of
    meaning are; a `classifier` for each class of meaning; a `particle` for each rhyme; numbers and function characters.
    It does not depend on a world's seed."""

    def __init__(self, vocabulary: int, size: int, true_radicals: float, true_phonetics: float) -> None:
        if not 0 <= vocabulary < VOCABULARIES:
            raise InputError("vocabulary", f"must lie between 0 and {VOCABULARIES - 1}", value=vocabulary)
        self.vocabulary, self._true_radicals, self._true_phonetics = vocabulary, true_radicals, true_phonetics
        self._syllables = Permutation(len(INITIALS) * len(FINALS) * TONES, 0, "syllables", vocabulary)
        self._radicals = [self._strokes("radical", number) for number in range(CLASSES)]
        self._phonetics = [self._strokes("phonetic", number) for number in range(PHONETICS)]
        self._taken: set[tuple[int, int]] = set()
        self.all: list[Character] = []
        self.by_role: dict[str, list[Character]] = {}
        for role, number in {**_ROLES, "noun": size - size // 5, "verb": size // 5}.items():
            meant = role in ("classifier", "noun", "verb")
            self.by_role[role] = [
                self._character(role, index % CLASSES if meant else None, index if role == "particle" else None)
                for index in range(number)
            ]

    def _character(self, role: str, meaning: int | None, final: int | None) -> Character:
        """The next one. One with a `final` sounds so."""
        number = len(self.all)
        dice = Dice(0, "character", self.vocabulary, number)
        radical = phonetic = None
        if meaning is None:
            glyph = _drawn([(self._strokes("simple", number), (0, 0, SIDE, SIDE))])
        else:
            radical, phonetic = self._components(meaning, dice)
            glyph = self._composed(radical, phonetic)
        syllable = dice.below(self._syllables.size)
        if phonetic is not None and dice.chance(self._true_phonetics):
            syllable = self._syllables(phonetic)
        initial_and_final, tone = divmod(syllable, TONES)
        initial, own = divmod(initial_and_final, len(FINALS))
        final = own if final is None else final
        token = chr(_FIRST + self.vocabulary * _BLOCK + number)
        sound = f"{INITIALS[initial]}{FINALS[final]}{tone + 1}"
        self.all.append(Character(token, role, meaning, sound, final, radical, phonetic, glyph))
        return self.all[-1]

    def _components(self, meaning: int, dice: Dice) -> tuple[int, int]:
        """A radical and a phonetic part that no other character has together."""
        while True:
            radical = meaning if dice.chance(self._true_radicals) else dice.below(CLASSES)
            phonetic = dice.below(PHONETICS)
            if (radical, phonetic) not in self._taken:
                self._taken.add((radical, phonetic))
                return radical, phonetic

    def _strokes(self, kind: str, number: int) -> Strokes:
        """Three to five lines between points of a lattice of 4 x 4, as (row, column, row, column)."""
        dice = Dice(0, "strokes", self.vocabulary, kind, number)
        found: Strokes = []
        for _ in range(3 + dice.below(3)):
            begin = dice.below(16)
            end = (begin + 1 + dice.below(15)) % 16
            found.append((*divmod(begin, 4), *divmod(end, 4)))
        return found

    def _composed(self, radical: int, phonetic: int) -> str:
        """Half of the radicals stand at the left, half on top; the phonetic part has the rest."""
        wide, narrow = SIDE - 5, 4
        boxes: tuple[Box, Box] = ((0, 0, SIDE, narrow), (0, SIDE - wide, SIDE, wide))
        if radical % 2:
            boxes = ((0, 0, narrow, SIDE), (SIDE - wide, 0, wide, SIDE))
        return _drawn([(self._radicals[radical], boxes[0]), (self._phonetics[phonetic], boxes[1])])


@lru_cache(4)
def script(vocabulary: int, size: int, true_radicals: float, true_phonetics: float) -> Script:
    return Script(vocabulary, size, true_radicals, true_phonetics)


def _drawn(parts: list[tuple[Strokes, Box]]) -> str:
    """A bitmap of strokes, each in its box; in whole numbers, so that every machine draws the same."""
    pixels = [["."] * SIDE for _ in range(SIDE)]
    for strokes, (top, left, height, width) in parts:
        for first_row, first_column, last_row, last_column in strokes:
            row, end_row = (point * (height - 1) // 3 for point in (first_row, last_row))
            column, end_column = (point * (width - 1) // 3 for point in (first_column, last_column))
            steps = max(abs(end_row - row), abs(end_column - column), 1)
            for step in range(steps + 1):
                down = (2 * step * (end_row - row) + steps) // (2 * steps)
                along = (2 * step * (end_column - column) + steps) // (2 * steps)
                pixels[top + row + down][left + column + along] = "#"
    return "/".join("".join(row) for row in pixels)
