"""Running text without a message: sentences of English function words and made-up content words.

What a language model can learn from it: Zipf's law (content words fall as 1 / (rank + 2.7)), the syntax of a dozen
sentence patterns, topics (half of a document's nouns are from the forty of its topic), and what goes together (a
noun has four verbs and three adjectives that it takes in six of ten cases).
"""

from __future__ import annotations

import re
from functools import lru_cache

from .dice import Dice, zipf
from .words import lexicon

TOPICS = 16
_OWN_NOUNS = 40  # of a topic
_HABIT = 0.6
_PATTERNS = (
    "The {n} {v} the {n}.",
    "A {a} {n} {v} near the {n}.",
    "Every {n} of the {n} {v} in the {n}.",
    "When the {n} {v}, the {a} {n} was gone.",
    "There were {N} and {N} by the {n}.",
    "No {n} {v} without a {n}.",
    "The {a} {n} of the {n} {v} again, and the {n} {v} too.",
    "In the {n} one could see many {a} {N}.",
    "Some {N} {v} because the {n} was {a}.",
    "It was a {a} {n}, and it {v} for the {n}.",
    "They {v} the {n} with {N}, as the {n} {v} long ago.",
    "If a {n} is {a}, its {N} are {a} as well.",
)
_WEIGHTS = zipf(len(_PATTERNS), 0.5)
_SLOTS = re.compile(r"\{(\w)\}")


class Prose:
    """Sentences and paragraphs in the words of one vocabulary."""

    def __init__(self, vocabulary: int = 0) -> None:
        words = lexicon(vocabulary)
        self._nouns, self._verbs, self._adjectives = words.nouns, words.verbs, words.adjectives
        self._common_nouns = zipf(len(self._nouns), shift=2.7)
        self._common_verbs = zipf(len(self._verbs), shift=2.7)
        self._common_adjectives = zipf(len(self._adjectives), shift=2.7)
        self._own_nouns = zipf(_OWN_NOUNS, shift=1.0)
        # Patterns as [text, slot, text, slot, ..., text].
        self._patterns = [_SLOTS.split(pattern) for pattern in _PATTERNS]

    def sentence(self, dice: Dice, topic: int) -> str:
        parts = list(self._patterns[dice.weighted(_WEIGHTS)])
        noun, is_new = self._noun(dice, topic), True
        for place in range(1, len(parts), 2):
            slot = parts[place]
            if slot == "v":
                parts[place] = self._verbs[self._fitting(dice, noun, 4, self._common_verbs)] + "ed"
                continue
            if not is_new and (slot != "a" or parts[place + 1] == " "):  # not "is {a}.", which speaks of the last noun
                noun, is_new = self._noun(dice, topic), True
            if slot == "a":
                parts[place] = self._adjectives[self._fitting(dice, noun, 3, self._common_adjectives)]
            else:
                parts[place] = self._nouns[noun] + ("s" if slot == "N" else "")
                is_new = False
        return "".join(parts)

    def noun(self, dice: Dice, topic: int) -> str:
        return self._nouns[self._noun(dice, topic)]

    def paragraph(self, dice: Dice, topic: int, sentences: int) -> str:
        return " ".join([self.sentence(dice, topic) for _ in range(sentences)])

    def text(self, dice: Dice, topic: int) -> str:
        """Two to five paragraphs of two to six sentences."""
        return "\n\n".join([self.paragraph(dice, topic, 2 + dice.below(5)) for _ in range(2 + dice.below(4))])

    def _noun(self, dice: Dice, topic: int) -> int:
        if dice.chance(0.5):
            # Topics begin behind the words that all texts share.
            return 100 + topic * _OWN_NOUNS + dice.weighted(self._own_nouns)
        return dice.weighted(self._common_nouns)

    def _fitting(self, dice: Dice, noun: int, number: int, common: list[float]) -> int:
        if dice.chance(_HABIT):
            return (noun * 7 + dice.below(number) * 31) % len(common)
        return dice.weighted(common)


@lru_cache(4)
def prose(vocabulary: int) -> Prose:
    return Prose(vocabulary)
