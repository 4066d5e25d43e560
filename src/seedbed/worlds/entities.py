"""The entities of the world `facts`: type and name of each, and all their facts, as functions of their number.

A fact's object is always an entity with a smaller number, and the early ones are chosen most often: so the world
can be told in order without knowing how large it will be, a smaller world is the beginning of a larger one, and some
entities are hubs.
"""

from __future__ import annotations

import datetime
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import lru_cache

from .dice import Dice
from .relations import ENDINGS, TYPES, Relation, relations_of
from .words import Words, lexicon

FIRST_DAY = datetime.date(2000, 1, 1)
DAYS = 7305  # twenty years
# fmt: off
_MONTHS = ("January", "February", "March", "April", "May", "June",
           "July", "August", "September", "October", "November", "December")
# fmt: on


@dataclass(slots=True)
class Fact:
    """A relation of a subject to an object, and what states it.

    Days count from FIRST_DAY; it holds from `since` until before `until`.
    """

    subject: int
    relation: Relation
    object: int
    copies: int  # documents that shall state it; 0: held out
    number: int = -1
    since: int | None = None
    until: int | None = None
    documents: list[str] = field(default_factory=list)
    days: list[int] = field(default_factory=list)


class Entities:
    """Numbers to types, names and facts."""

    def __init__(self, seed: int, vocabulary: int) -> None:
        self._words = Words(seed, vocabulary, 3)
        self._given = lexicon(vocabulary).given
        self.name: Callable[[int], str] = lru_cache(1 << 16)(self._name)

    def _name(self, number: int) -> str:
        """The word is of this entity alone; people have a first name too, organizations an ending."""
        word, type = self._words(number), type_of(number)
        if type == "substance":
            return word
        if type == "person":
            return f"{self._given[number * 13 % len(self._given)]} {word.title()}"
        return (
            f"{word.title()} {ENDINGS[number // len(TYPES) % len(ENDINGS)]}" if type == "organization" else word.title()
        )


def type_of(number: int) -> str:
    return TYPES[number % len(TYPES)]


def some_earlier(dice: Dice, type: str, before: int) -> int | None:
    """An entity of a type with a number below `before`, the first ones most likely; None if there is none."""
    places = _places(type)
    rounds, rest = divmod(before, len(TYPES))
    known = rounds * len(places) + sum(place < rest for place in places)
    chosen, place = divmod(int(known * dice() ** 2), len(places))
    return chosen * len(TYPES) + places[place] if known else None


@lru_cache(None)
def _places(type: str) -> tuple[int, ...]:
    return tuple(place for place, other in enumerate(TYPES) if other == type)


def facts_of(number: int, dice: Dice, copies: Callable[[Dice], int], changes: float, held_out: float) -> list[Fact]:
    """An entity's facts. What changes comes first, in the order of time."""
    found: list[Fact] = []
    for relation in relations_of(type_of(number)):
        wanted = 1 + dice.below(relation.most)
        if relation.changes and dice.chance(changes):
            wanted = 2 + dice.below(2)
        drawn = [some_earlier(dice, relation.object, number) for _ in range(wanted)]
        objects = [entity for entity in dict.fromkeys(drawn) if entity is not None]
        is_told = not dice.chance(held_out)
        facts = [Fact(number, relation, entity, copies(dice) if is_told else 0) for entity in objects]
        found = [*facts, *found] if relation.changes else [*found, *facts]
    return found


def deal(facts: list[Fact], per_page: int, dice: Dice) -> tuple[list[list[Fact]], list[int]]:
    """Which facts each document about an entity states, and the day of each document, in the order of time.

    Every fact is in as many documents as it has copies, never twice in one; no document states more than `per_page`.
    The values of a fact that changes fill neighboring documents, and hold from between two of them to the next.
    """
    chain = [fact for fact in facts if fact.relation.changes]
    rest = [fact for fact in facts if not fact.relation.changes]
    length, total = sum(fact.copies for fact in chain), sum(fact.copies for fact in facts)
    num_pages = max([length, -(-total // per_page), *(fact.copies for fact in rest)])
    pages: list[list[Fact]] = [[] for _ in range(num_pages)]
    days = sorted(dice.below(DAYS - num_pages) for _ in range(num_pages))
    days = [day + index for index, day in enumerate(days)]  # no two are the same
    place = dice.below(num_pages - length + 1)
    for index, fact in enumerate(chain):
        if index:
            # Of a chain that is held out nothing is told; it changes all the same.
            fact.since = (days[place - 1] + days[place] + 1) // 2 if fact.copies else DAYS * index // len(chain)
            chain[index - 1].until = fact.since
        for _ in range(fact.copies):
            pages[place].append(fact)
            place += 1
    for fact in rest:
        for _ in range(fact.copies):
            pages[place % num_pages].append(fact)
            place += 1
    return pages, days


def iso_date(day: int) -> str:
    return (FIRST_DAY + datetime.timedelta(day)).isoformat()


def spoken_date(day: int) -> str:
    date = FIRST_DAY + datetime.timedelta(day)
    return f"{date.day} {_MONTHS[date.month - 1]} {date.year}"
