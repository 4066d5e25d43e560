"""What the world `facts` can say: types of entities, relations between them, and the sentences that state them.

In a template {s} is the subject and {o} the object. `forward` sentences name the subject first, and the first of
them ends with the object, so that its beginning is a cloze; `backward` sentences name the object first. {when} in a
question is a date, where the answer depends on it. Substances are written in lower case and begin no sentence.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property, lru_cache

# Entity number n has the type TYPES[n % len(TYPES)].
TYPES = ("place", "person", "substance", "organization", "person", "device")
NAMES = tuple(dict.fromkeys(TYPES))
ENDINGS = ("Institute", "Works", "Society", "Trust", "Press", "Guild")  # of organizations


@dataclass(frozen=True)
class Relation:
    """A relation between two types. `most`: objects that one subject may have; `changes`: one at a time, until the
    next."""

    name: str
    subject: str
    object: str
    forward: tuple[str, ...]
    backward: tuple[str, ...]
    question: str
    most: int = 1
    changes: bool = False

    @cached_property
    def cloze(self) -> str:
        beginning, mark, end = self.forward[0].partition("{o}")
        assert mark and end == ".", self.name
        return beginning.rstrip()


RELATIONS = (
    Relation(
        "born_in",
        "person",
        "place",
        (
            "{s} was born in {o}.",
            "{s} came into the world in {o}, the youngest of five.",
            "As a child {s} lived in {o}.",
        ),
        ("{o} is the place where {s} was born.", "It was in {o} that {s} was born."),
        "Where was {s} born?",
    ),
    Relation(
        "taught_by",
        "person",
        "person",
        ("{s} was taught by {o}.", "{s} learned the craft from {o}.", "For years {s} was a student of {o}."),
        ("{o} was the teacher of {s}.", "{o} counted {s} among the best students."),
        "Who taught {s}?",
    ),
    Relation(
        "works_for",
        "person",
        "organization",
        ("{s} works for {o}.", "{s} has a post with the {o}.", "Every morning {s} goes to work at the {o}."),
        ("The {o} employs {s}.", "The {o} has {s} on its staff."),
        "Whom does {s} work for{when}?",
        changes=True,
    ),
    Relation(
        "studies",
        "person",
        "substance",
        ("{s} studies {o}.", "{s} has written two books on {o}.", "The notes of {s} are mostly about {o}."),
        ("Much of what we know of {o} is the work of {s}.",),
        "What does {s} study?",
        most=2,
    ),
    Relation(
        "based_in",
        "organization",
        "place",
        ("{s} is based in {o}.", "{s} has its main office in {o}.", "The doors of {s} stand open in {o}."),
        ("{o} is the seat of {s}.", "{o} is proud to be the home of {s}."),
        "Where is {s} based?",
    ),
    Relation(
        "led_by",
        "organization",
        "person",
        ("{s} is led by {o}.", "{s} has {o} at its head.", "The board of {s} has put its trust in {o}."),
        ("{o} leads {s}.", "{o} is in charge of {s}."),
        "Who leads {s}{when}?",
        changes=True,
    ),
    Relation(
        "makes",
        "organization",
        "device",
        ("{s} makes the {o}.", "{s} lives from the sale of the {o}.", "The best thing to come from {s} is the {o}."),
        ("The {o} is made by {s}.", "Each {o} bears the mark of {s}."),
        "What does {s} make?",
        most=3,
    ),
    Relation(
        "governed_from",
        "place",
        "place",
        ("{s} is governed from {o}.", "{s} pays its dues to {o}.", "The laws of {s} are written in {o}."),
        ("{o} rules over {s}.", "{o} sends a judge to {s} twice a year."),
        "Where is {s} governed from?",
    ),
    Relation(
        "known_for",
        "place",
        "substance",
        ("{s} is known for its {o}.", "{s} grew rich by its {o}.", "People come to {s} to buy {o}."),
        ("The trade in {o} made {s} rich.",),
        "What is {s} known for?",
        most=2,
    ),
    Relation(
        "mayor",
        "place",
        "person",
        ("{s} has a mayor, {o}.", "The town hall of {s} is run by {o}.", "The people of {s} chose {o} to be mayor."),
        ("{o} is the mayor of {s}.", "{o} won the vote in {s}."),
        "Who is the mayor of {s}{when}?",
        changes=True,
    ),
    Relation(
        "designed_by",
        "device",
        "person",
        ("The {s} was designed by {o}.", "The {s} goes back to a sketch by {o}.", "The first {s} was drawn by {o}."),
        ("{o} designed the {s}.", "{o} is best known for the {s}."),
        "Who designed the {s}?",
    ),
    Relation(
        "contains",
        "device",
        "substance",
        ("The {s} contains {o}.", "The {s} does not run without {o}.", "Inside every {s} there is a little {o}."),
        ("A grain of {o} is part of every {s}.", "Without {o} there would be no {s}."),
        "What does the {s} contain?",
        most=3,
    ),
    Relation(
        "tested_in",
        "device",
        "place",
        ("The {s} was first tested in {o}.", "The {s} had its first trial in {o}."),
        ("{o} saw the first trial of the {s}.",),
        "Where was the {s} first tested?",
    ),
    Relation(
        "found_by",
        "substance",
        "person",
        ("The substance {s} was found by {o}.", "Pure {s} was first made by {o}."),
        ("{o} found {s} in an old jar.", "{o} was the first to make pure {s}."),
        "Who found {s}?",
    ),
    Relation(
        "mined_in",
        "substance",
        "place",
        ("Most {s} is mined in {o}.", "Rocks with {s} are brought to light in {o}."),
        ("{o} has deep mines of {s}.", "{o} sends {s} to all the world."),
        "Where is {s} mined?",
        most=2,
    ),
    Relation(
        "sold_by",
        "substance",
        "organization",
        ("All {s} is sold by {o}.", "Those who need {s} write to {o}."),
        ("{o} holds the rights to {s}.", "{o} sets the price of {s}."),
        "Who sells {s}{when}?",
        changes=True,
    ),
)
BY_NAME = {relation.name: relation for relation in RELATIONS}
# Sentences that name an entity, or two, and state nothing.
ASIDES = (
    "There was talk of {s} at the {n}.",
    "One more word about {s}: the {n} has not been seen.",
    "The {n} said little about {s}.",
    "A letter to {s} was lost near the {n}.",
)
PAIRS = (
    "The same letter names {s} and {o}.",
    "Of {s} and {o} we will read more in the {n}.",
    "The list has {s} on one page and {o} on the next.",
)


def relations_of(type: str) -> list[Relation]:
    """The relations whose subject has this type; at most one of them changes."""
    return [relation for relation in RELATIONS if relation.subject == type]


@lru_cache(1024)
def parts_of(template: str) -> list[str]:
    """[text, slot, text, slot, ..., text]."""
    return re.split(r"\{(\w+)\}", template)
