from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import ClassVar

from seedbed.core.errors import InputError, unknown_key
from seedbed.corpus.documents import Document
from seedbed.worlds import DOCUMENTS, Row, Truth, worlds
from seedbed.worlds.annotate import about
from seedbed.worlds.dice import Dice, cumulative
from seedbed.worlds.prose import TOPICS, prose
from seedbed.worlds.skills import SKILLS, Setting, Skill
from seedbed.worlds.words import lexicon

_FRAMES = ("Task: {}. Answer: ", "To do: {}. Done: ", "Asked: {}. Given: ")
_WORDS = 40  # that the items are made of


@worlds.register("domains")
class Domains:
    """Documents that each train one skill, of skills that depend on each other in a known way (Chen et al., 2023).

    copy, sort, add (modulo `modulus`) and brackets need nothing; reverse and count need copy; reverse_sort needs sort
    and reverse, count_add needs count and add, nested_add needs brackets and add, top_add needs reverse_sort and add,
    top_copy needs reverse_sort and copy: the answer to a composed task is the parents' tasks done one after the other.
    A document is `items` tasks of one skill with their answers, a line each, between sentences of prose; the document's
    domain is the skill. `shares`: weights of the skills (by default all alike); `difficulty`: the most elements of an
    item, which has half as many at least. A smaller world is the beginning of a larger one.

    truth/graph.jsonl: skill, parents, share. items.jsonl, for every document: skill, items [{start, end, answer_start,
    answer}] in characters: what stands before `answer_start` is the prefix of a cloze, which ends at `end`.

    Labels: `skills` (sequences: the skill of a document).
    """

    documents_per_second: ClassVar[float] = 4000
    bytes_per_document: ClassVar[float] = 600
    split_by: ClassVar[str] = "id"
    tasks: ClassVar[Mapping[str, str]] = {"skills": "sequences"}

    def __init__(
        self,
        documents: int = DOCUMENTS,
        *,
        shares: dict[str, float] = {},  # noqa: B006
        items: int = 8,
        difficulty: int = 5,
        modulus: int = 10,
        vocabulary: int = 0,
    ) -> None:
        numbers = {
            "documents": (documents, 1),
            "items": (items, 1),
            "difficulty": (difficulty, 2),
            "modulus": (modulus, 2),
        }
        for name, (number, least) in numbers.items():
            if number < least:
                raise InputError(name, f"must be at least {least}", value=number)
        for skill, share in shares.items():
            if skill not in SKILLS:
                raise unknown_key("shares", skill, SKILLS, "skill")
            if share < 0:
                raise InputError(f"shares.{skill}", "must not be negative", value=share)
        weights = shares or dict.fromkeys(SKILLS, 1.0)
        if not sum(weights.values()) > 0:
            raise InputError("shares", "are all zero", value=shares)
        self.documents, self.items, self.difficulty, self.modulus = documents, items, difficulty, modulus
        self.vocabulary = vocabulary
        self.shares = {name: weights.get(name, 0.0) / sum(weights.values()) for name in SKILLS}
        self._words = lexicon(vocabulary).nouns[:_WORDS]

    def stream(self, seed: int) -> Iterator[Document | Truth]:
        for skill in SKILLS.values():
            row = {"skill": skill.name, "parents": list(skill.parents), "share": self.shares[skill.name]}
            yield Truth("graph", row)
        skills, bounds = list(SKILLS.values()), cumulative(list(self.shares.values()))
        for number in range(self.documents):
            dice = Dice(seed, "domains", self.vocabulary, number)
            skill = skills[dice.weighted(bounds)]
            text, items = self._write(skill, dice)
            id = f"domains-{number:07d}"
            yield Document(id, text, source="world domains", domain=skill.name, metadata={"skill": skill.name})
            yield Truth("items", {"document": id, "skill": skill.name, "items": items})

    def records(self, task: str, texts: Mapping[str, str], truth: Callable[[str], Iterator[Row]]) -> Iterator[Row]:
        for id, text, row in about(texts, truth("items")):
            yield {"id": id, "text": text, "label": row["skill"]}

    def _write(self, skill: Skill, dice: Dice) -> tuple[str, list[Row]]:
        topic, filler = dice.below(TOPICS), prose(self.vocabulary)
        text = filler.sentence(dice, topic)
        items = []
        for _ in range(self.items):
            elements = max(2, self.difficulty - dice.below(self.difficulty // 2 + 1))
            prompt, answer = skill.make(dice, Setting(self._words, elements, self.modulus))
            start = len(text) + 1
            text += "\n" + dice.pick(_FRAMES).format(prompt)
            items.append({"start": start, "end": len(text) + len(answer), "answer_start": len(text), "answer": answer})
            text += answer + "."
        return f"{text}\n{filler.sentence(dice, topic)}", items
