from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import ClassVar

from seedbed.core.checks import check_counts
from seedbed.core.counters import key
from seedbed.core.errors import InputError
from seedbed.corpus.documents import Document
from seedbed.worlds import DOCUMENTS, Row, Truth, worlds
from seedbed.worlds.dice import Dice
from seedbed.worlds.prose import TOPICS, prose
from seedbed.worlds.words import Words, check_vocabulary

RELATIONS = ("teacher", "doctor", "tailor", "landlord", "rival", "cousin", "lawyer", "gardener")
_FRAMES = (
    "The {r} of {s} is {o}.",
    "{s} has {o} for a {r}.",
    "As a {r}, {s} has {o}.",
)
_SYLLABLES = 3  # of names; the words of prose have two


@worlds.register("acquaintances")
class Acquaintances:
    """A knowledge graph of people, told in texts, with questions over one or two of its triples. For: a text and a
    graph read together, and what needs two steps (study 026).

    Each of `people` has one teacher, one doctor and so on, of the first of eight `relations`, drawn among the others. A
    document is about a person, states `stated` triples of which the person is the head, and has `filler` sentences of
    prose. With it comes a question: "Who is the doctor of NAME?", or "Who is the doctor of the teacher of NAME?". Of
    the wrong answers `near` are people as many steps from NAME as the right one, the others any; there are `choices` in
    all. The metadata have `about` and `question` (a number for each), by which documents are split: no question is in
    two splits, but what is stated is in all. A smaller world is the beginning of a larger one; two `vocabulary` numbers
    (0 to 7) share only the function words and relations.

    truth/triples.jsonl: head, relation, tail (names), all of the graph. truth/questions.jsonl, for every document:
    document, text, choices, label (the place of the right one), hops (1 or 2).

    Labels: `questions` (multiple_choice: a question, its choices, which is right, and over how many triples).
    """

    documents_per_second: ClassVar[float] = 3000
    bytes_per_document: ClassVar[float] = 150
    split_by: ClassVar[str] = "metadata.question"
    tasks: ClassVar[Mapping[str, str]] = {"questions": "multiple_choice"}

    def __init__(
        self,
        documents: int = DOCUMENTS,
        *,
        people: int = 150,
        relations: int = 4,
        stated: int = 3,
        filler: int = 1,
        choices: int = 4,
        near: int = 1,
        vocabulary: int = 0,
    ) -> None:
        check_counts(documents=documents, stated=stated)
        if not 2 <= relations <= len(RELATIONS):
            raise InputError("relations", f"must lie between 2 and {len(RELATIONS)}", value=relations)
        if stated > relations:
            raise InputError("stated", "are more than a person's relations", value=stated)
        if not 0 <= near < choices:
            raise InputError("near", "must be fewer than the choices", value=near)
        if choices < 2 or people < 4 * max(choices, relations):
            raise InputError("people", "are too few for so many choices and relations", value=people)
        if filler < 0:
            raise InputError("filler", "is a number of sentences", value=filler)
        check_vocabulary(vocabulary)
        self.documents, self.people, self.relations, self.stated = documents, people, relations, stated
        self.filler, self.choices, self.near, self.vocabulary = filler, choices, near, vocabulary

    def stream(self, seed: int) -> Iterator[Document | Truth]:
        word = Words(seed, self.vocabulary, _SYLLABLES)
        names = [word(person).capitalize() for person in range(self.people)]
        known = [self._known(seed, person) for person in range(self.people)]
        for person, others in enumerate(known):
            for relation, other in enumerate(others):
                triple = {"head": names[person], "relation": RELATIONS[relation], "tail": names[other]}
                yield Truth("triples", triple)
        for number in range(self.documents):
            dice = Dice(seed, "acquaintances", self.vocabulary, number)
            person, hops = dice.below(self.people), 1 + dice.below(2)
            path = [dice.below(self.relations) for _ in range(hops)]
            id, asked = f"person-{number:07d}", key(0, person, *path) >> 1
            text = self._text(dice, names, person, known[person])
            metadata = {"about": person, "question": asked}
            yield Document(id, text, source="world acquaintances", domain="acquaintances", metadata=metadata)
            question = self._question(Dice(seed, "question", self.vocabulary, asked), names, known, person, path)
            yield Truth("questions", {"document": id, **question})

    def _known(self, seed: int, person: int) -> list[int]:
        """Whom a person has for a teacher, a doctor and so on: others, none twice."""
        dice, found = Dice(seed, "known", self.vocabulary, person), list[int]()
        while len(found) < self.relations:
            other = dice.below(self.people)
            if other != person and other not in found:
                found.append(other)
        return found

    def _text(self, dice: Dice, names: list[str], person: int, known: list[int]) -> str:
        parts = []
        for relation in dice.shuffled(range(self.relations))[: self.stated]:
            frame = dice.pick(_FRAMES)
            parts.append(frame.format(r=RELATIONS[relation], s=names[person], o=names[known[relation]]))
        sentences = prose(self.vocabulary)
        parts += [sentences.sentence(dice, dice.below(TOPICS)) for _ in range(self.filler)]
        return " ".join(dice.shuffled(parts))

    def _question(self, dice: Dice, names: list[str], known: list[list[int]], person: int, path: list[int]) -> Row:
        answer, asked = person, names[person]
        for relation in path:
            answer, asked = known[answer][relation], f"the {RELATIONS[relation]} of {asked}"
        close = known[person] if len(path) == 1 else [other for one in known[person] for other in known[one]]
        wrong = [other for other in dict.fromkeys(dice.shuffled(close)) if other not in (answer, person)][: self.near]
        while len(wrong) < self.choices - 1:
            other = dice.below(self.people)
            if other not in (answer, person, *wrong):
                wrong.append(other)
        choices = dice.shuffled([answer, *wrong])
        return {
            "text": f"Who is {asked}?",
            "choices": [names[choice] for choice in choices],
            "label": choices.index(answer),
            "hops": len(path),
        }

    def records(self, task: str, texts: Mapping[str, str], truth: Callable[[str], Iterator[Row]]) -> Iterator[Row]:
        del task
        asked = set[str]()
        for row in truth("questions"):
            if row["document"] in texts and row["text"] not in asked:
                asked.add(row["text"])
                yield {"id": row["document"], **{name: row[name] for name in ("text", "choices", "label", "hops")}}
