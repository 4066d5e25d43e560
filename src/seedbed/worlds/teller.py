"""The documents of the world `facts`, and the truth about them, in the order in which they are told."""

from __future__ import annotations

from array import array
from collections.abc import Iterator

from seedbed.corpus.documents import Document

from . import Row, Truth
from .dice import Dice
from .entities import DAYS, Entities, Fact, iso_date, some_earlier, spoken_date, type_of
from .page import Page
from .prose import TOPICS, prose
from .relations import ASIDES, PAIRS, TYPES

_CHOICES, _TRIES = 4, 16
_ASIDES, _PAIRS = 0.15, 0.1  # of the filler sentences: those that name an entity, or two

# A sentence to come: a fact, two entities, one, or nothing but prose.
_Sentence = Fact | tuple[int, ...]


class Teller:
    """Tells the documents of one entity after the other; keeps only how many there were about each."""

    def __init__(self, seed: int, vocabulary: int, domain: str, *, filler: float, backward: float) -> None:
        self.seed, self.vocabulary, self.domain = seed, vocabulary, domain
        self.filler, self.backward = filler, backward
        self._entities, self._prose = Entities(seed, vocabulary), prose(vocabulary)
        self._told = array("i")  # documents about each entity
        self._current = 0

    def document(self, entity: int, day: int, facts: list[Fact]) -> Iterator[Document | Truth]:
        """The next document about the next entity."""
        assert entity == len(self._told)
        id = self._id(entity, self._current)
        dice = Dice(self.seed, "document", self.vocabulary, entity, self._current)
        self._current += 1
        for fact in facts:
            fact.documents.append(id)
            fact.days.append(day)
        page, statements = self._write(entity, day, facts, dice)
        links = self._links(entity, page, dice)
        type, date = type_of(entity), iso_date(day)
        metadata = {"about": entity, "type": type, "date": date, "links": sorted({link["to"] for link in links})}
        yield Document(id, page.text, source="world facts", domain=self.domain, metadata=metadata)
        yield Truth("mentions", {"document": id, "mentions": page.mentions})
        yield Truth("statements", {"document": id, "about": entity, "date": date, "statements": statements})
        yield Truth("links", {"document": id, "links": links})

    def about(self, entity: int, facts: list[Fact], dice: Dice) -> Iterator[Truth]:
        """What is true of the entity, once its documents are told."""
        name, type = self._entities.name(entity), type_of(entity)
        yield Truth("entities", {"entity": entity, "type": type, "name": name, "documents": self._current})
        self._told.append(self._current)
        self._current = 0
        for fact in facts:
            yield Truth("facts", _row(fact))
            yield Truth("questions", self._question(fact, facts, dice))

    def _id(self, entity: int, number: int) -> str:
        return f"{self.domain}-{entity:07d}-{number:04d}"

    def _name(self, entity: int) -> tuple[int, str, str]:
        return entity, type_of(entity), self._entities.name(entity)

    def _write(self, entity: int, day: int, facts: list[Fact], dice: Dice) -> tuple[Page, list[Row]]:
        page, statements = Page(), []
        page.mention(*self._name(entity))
        page.add(f"\n\nWritten on {spoken_date(day)}.")
        topic, room = entity % TOPICS, 1 + dice.below(4)  # sentences left in the paragraph
        for sentence in dice.shuffled([*facts, *self._filler(entity, dice)]):
            page.add(" " if room else "\n\n")
            room = room - 1 if room else 2 + dice.below(3)
            if sentence == ():
                page.add(self._prose.sentence(dice, topic))
            else:
                statements += self._state(page, sentence, self._prose.noun(dice, topic), dice)
        return page, statements

    def _filler(self, entity: int, dice: Dice) -> list[_Sentence]:
        """Sentences that state no fact: 0 to twice as many as wanted."""
        found: list[_Sentence] = []
        for _ in range(int(2 * self.filler * dice() + 0.5)):
            kind = dice()
            other = some_earlier(dice, dice.pick(TYPES), entity) if kind < _PAIRS else None
            if other is not None and other != entity:
                found.append((entity, other))
            else:
                found.append((entity,) if kind < _PAIRS + _ASIDES else ())
        return found

    def _state(self, page: Page, sentence: _Sentence, noun: str, dice: Dice) -> list[Row]:
        """One sentence with names; its row, unless it names only one entity."""
        start = page.length
        names: tuple[int, ...]
        row: Row = {"fact": None, "relation": "none"}
        if isinstance(sentence, Fact):
            relation, names = sentence.relation, (sentence.subject, sentence.object)
            templates = relation.backward if dice.chance(self.backward) else relation.forward
            row = {"fact": sentence.number, "relation": relation.name}
        else:
            names, templates = sentence, PAIRS if len(sentence) == 2 else ASIDES
        slots = {slot: self._name(entity) for slot, entity in zip("so", names, strict=False)}
        spans = page.fill(dice.pick(templates), slots, noun)
        if len(names) < 2:
            return []
        return [{**row, "start": start, "end": page.length, "subject": spans["s"], "object": spans["o"]}]

    def _links(self, entity: int, page: Page, dice: Dice) -> list[Row]:
        """From every name of another entity to one of the documents about it."""
        found = []
        targets: dict[int, str] = {}
        for mention in page.mentions:
            other = mention["entity"]
            if other != entity and self._told[other]:
                if other not in targets:
                    targets[other] = self._id(other, dice.below(self._told[other]))
                found.append({"to": targets[other], "start": mention["start"], "end": mention["end"]})
        return found

    def _question(self, fact: Fact, facts: list[Fact], dice: Dice) -> Row:
        relation, name = fact.relation, self._entities.name
        related = [other.object for other in facts if other.relation is relation]
        changing = fact.since is not None or fact.until is not None
        day = ((fact.since or 0) + (DAYS if fact.until is None else fact.until)) // 2 if changing else None
        when = f" on {spoken_date(day)}" if day is not None else ""
        cloze = relation.cloze.format(s=name(fact.subject))
        choices = [fact.object]
        for _ in range(_TRIES):
            # As likely as the answer was, so that how often a name occurs tells nothing.
            other = some_earlier(dice, relation.object, fact.subject)
            if other is not None and other not in related and other not in choices and len(choices) < _CHOICES:
                choices.append(other)
        return {
            "fact": fact.number,
            "question": relation.question.format(s=name(fact.subject), when=when),
            "prefix": f"Written{when}. {cloze}" if when else cloze,
            "answer": name(fact.object),
            "answers": [name(fact.object)] if changing else [name(entity) for entity in related],
            "choices": [name(entity) for entity in dice.shuffled(choices)],
            "date": None if day is None else iso_date(day),
        }


def _row(fact: Fact) -> Row:
    return {
        "fact": fact.number,
        "subject": fact.subject,
        "relation": fact.relation.name,
        "object": fact.object,
        "since": None if fact.since is None else iso_date(fact.since),
        "until": None if fact.until is None else iso_date(fact.until),
        "held_out": fact.copies == 0,
        "documents": fact.documents,
        "dates": [iso_date(day) for day in fact.days],
    }
