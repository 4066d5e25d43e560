from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import ClassVar, Literal

from seedbed.core.errors import InputError
from seedbed.corpus.documents import Document
from seedbed.worlds import DOCUMENTS, Row, Truth, worlds
from seedbed.worlds.annotate import ANNOTATIONS
from seedbed.worlds.dice import Dice, zipf
from seedbed.worlds.entities import deal, facts_of
from seedbed.worlds.teller import Teller

_MOST_COPIES = 2000  # so that the documents about one entity have days of their own
_MOST_HELD_OUT = 0.9


@worlds.register("facts")
class Facts:
    """Documents about made-up people, places, organizations, substances and devices, and every fact that they state.

    Each document is about one entity, has a date, and states some of its facts in varied sentences among filler. A
    fact is stated in `repetitions` documents (`uniform`), or in 1 to `repetitions` with a probability that falls as
    1 / n (`zipf`: about as many are stated 4 to 8 times as 8 to 16 times). Of a relation that `changes` each value
    holds for a time, and documents state what holds on their date. A share `held_out` of what an entity has is stated
    nowhere: a control. A share `backward` of the sentences names the object first (Berglund et al., 2024). Names
    occur in full wherever they occur, and no name is another word. Two `vocabulary` numbers (0 to 7) have no made-up
    word in common; function words and the frames of sentences are the same English. A smaller world is the beginning
    of a larger one. Pronouns, misspelled names and contradictions do not occur.

    truth/entities.jsonl: entity (a number), type, name, documents (how many are about it). facts.jsonl: fact, subject,
    relation, object, since and until (dates or null; it holds from `since` until before `until`), held_out, documents
    and dates (of those that state it). mentions.jsonl, for every document: mentions [{entity, type, start, end}] in
    characters. statements.jsonl, for every document: about, date, statements [{fact, relation, start, end, subject,
    object}] with the places of the sentence and of the names; fact is null and relation `none` where two entities are
    named and nothing is stated. links.jsonl, for every document: links [{to, start, end}] from names to documents
    about them. questions.jsonl, for every fact: question, prefix (of a sentence that `answer` completes), answer,
    answers (all that are right), choices (the answer and up to three others of its type), date (or null).

    Labels: `entities` (tokens, BIO), `relations` (sequences: a sentence with its two names marked), `statements`
    (sentences: the relation that each states), `types` (sequences: what a document is about), `questions` (retrieval:
    a question and the one document among those chosen that answers it).
    """

    documents_per_second: ClassVar[float] = 2500
    bytes_per_document: ClassVar[float] = 450
    split_by: ClassVar[str] = "id"
    tasks: ClassVar[Mapping[str, str]] = {
        "entities": "tokens",
        "relations": "sequences",
        "statements": "sentences",
        "types": "sequences",
        "questions": "retrieval",
    }

    def __init__(
        self,
        documents: int = DOCUMENTS,
        *,
        repetitions: int = 4,
        distribution: Literal["uniform", "zipf"] = "uniform",
        facts_per_document: int = 4,
        filler: float = 6.0,
        changes: float = 0.5,
        held_out: float = 0.1,
        backward: float = 0.25,
        vocabulary: int = 0,
        domain: str = "facts",
    ) -> None:
        for name, number in (("documents", documents), ("facts_per_document", facts_per_document)):
            if number < 1:
                raise InputError(name, "must be at least 1", value=number)
        if not 1 <= repetitions <= _MOST_COPIES:
            raise InputError("repetitions", f"must lie between 1 and {_MOST_COPIES}", value=repetitions)
        for name, share in (("changes", changes), ("backward", backward)):
            if not 0 <= share <= 1:
                raise InputError(name, "is a share between 0 and 1", value=share)
        if not 0 <= held_out <= _MOST_HELD_OUT:
            raise InputError("held_out", f"is a share between 0 and {_MOST_HELD_OUT}", value=held_out)
        if filler < 0:
            raise InputError("filler", "is a number of sentences", value=filler)
        if not domain.isidentifier():
            raise InputError("domain", "is of letters, digits and _", value=domain)
        self.documents, self.repetitions, self.facts_per_document = documents, repetitions, facts_per_document
        self.filler, self.changes, self.held_out, self.backward = filler, changes, held_out, backward
        self.vocabulary, self.domain = vocabulary, domain
        self._copies = zipf(repetitions) if distribution == "zipf" else None

    def stream(self, seed: int) -> Iterator[Document | Truth]:
        teller = Teller(seed, self.vocabulary, self.domain, filler=self.filler, backward=self.backward)
        left, entity, num_facts = self.documents, 0, 0
        while left:
            dice = Dice(seed, "entity", self.vocabulary, entity)
            facts = facts_of(entity, dice, self._drawn_copies, self.changes, self.held_out)
            for fact in facts:
                fact.number, num_facts = num_facts, num_facts + 1
            pages, days = deal(facts, self.facts_per_document, dice)
            for stated, day in zip(pages[:left], days, strict=False):
                yield from teller.document(entity, day, stated)
            yield from teller.about(entity, facts, dice)
            left, entity = max(0, left - len(pages)), entity + 1

    def records(self, task: str, texts: Mapping[str, str], truth: Callable[[str], Iterator[Row]]) -> Iterator[Row]:
        return ANNOTATIONS[task](texts, truth)

    def _drawn_copies(self, dice: Dice) -> int:
        return 1 + dice.weighted(self._copies) if self._copies else self.repetitions
