from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import ClassVar

from seedbed.core.checks import check_counts
from seedbed.core.errors import InputError
from seedbed.corpus.documents import Document
from seedbed.worlds import DOCUMENTS, Row, Truth, worlds
from seedbed.worlds.annotate import about
from seedbed.worlds.dice import Dice
from seedbed.worlds.prose import TOPICS, prose
from seedbed.worlds.words import Words, check_vocabulary

_FRAMES = (
    "The town of {s} lies in {o}.",
    "In {s} they make {o}.",
    "People in {s} speak {o}.",
    "The river at {s} is called {o}.",
    "Every year {s} has a feast of {o}.",
    "The mayor of {s} comes from {o}.",
)
_SYLLABLES = 3  # of names; the words of prose have two


@worlds.register("almanac")
class Almanac:
    """A small closed book: documents about made-up towns, of each of which six facts hold, among sentences that say
    nothing. What a model must know to fill a gap is in other documents, and nowhere in the sentence.

    A document is about one town, states `stated` of its facts, always in the same words, and has `filler` sentences of
    prose. A fact's object is one of `choices` names, of which each kind of fact has its own. A smaller world is the
    beginning of a larger one; two `vocabulary` numbers (0 to 7) share only the function words.

    truth/statements.jsonl, for every document: document, town (a number), statements [{fact, start, end, answer}] in
    characters: which of the six, where its sentence stands, and where in the text the object does.

    Labels: `clozes` (cloze: the sentences that state facts, and where their object stands).
    """

    documents_per_second: ClassVar[float] = 2000
    bytes_per_document: ClassVar[float] = 300
    split_by: ClassVar[str] = "id"
    tasks: ClassVar[Mapping[str, str]] = {"clozes": "cloze"}

    def __init__(
        self,
        documents: int = DOCUMENTS,
        *,
        towns: int = 100,
        choices: int = 20,
        stated: int = 3,
        filler: int = 4,
        vocabulary: int = 0,
    ) -> None:
        check_counts(documents=documents, towns=towns, choices=choices)
        if not 1 <= stated <= len(_FRAMES):
            raise InputError("stated", f"must lie between 1 and {len(_FRAMES)}", value=stated)
        if filler < 0:
            raise InputError("filler", "is a number of sentences", value=filler)
        check_vocabulary(vocabulary)
        self.documents, self.towns, self.choices = documents, towns, choices
        self.stated, self.filler, self.vocabulary = stated, filler, vocabulary

    def stream(self, seed: int) -> Iterator[Document | Truth]:
        name, sentences = Words(seed, self.vocabulary, _SYLLABLES), prose(self.vocabulary)
        for number in range(self.documents):
            dice = Dice(seed, "almanac", self.vocabulary, number)
            town = dice.below(self.towns)
            stated = dice.shuffled(range(len(_FRAMES)))[: self.stated]
            slots = dice.shuffled([*stated, *[None] * self.filler])
            parts: list[str] = []
            statements, place = [], 0
            for fact in slots:
                if fact is None:
                    sentence = sentences.sentence(dice, dice.below(TOPICS))
                else:
                    told = name(len(_FRAMES) * self.choices + town).capitalize()
                    before, _, after = _FRAMES[fact].format(s=told, o="\0").partition("\0")
                    answer = name(fact * self.choices + self._object(seed, town, fact)).capitalize()
                    sentence, begin = f"{before}{answer}{after}", place + len(before)
                    where = {"start": place, "end": place + len(sentence), "answer": [begin, begin + len(answer)]}
                    statements.append({"fact": fact, **where})
                parts.append(sentence)
                place += len(sentence) + 1
            id = f"almanac-{number:07d}"
            yield Document(id, " ".join(parts), source="world almanac", domain="almanac", metadata={"town": town})
            yield Truth("statements", {"document": id, "town": town, "statements": statements})

    def records(self, task: str, texts: Mapping[str, str], truth: Callable[[str], Iterator[Row]]) -> Iterator[Row]:
        del task
        for id, text, row in about(texts, truth("statements")):
            for number, stated in enumerate(row["statements"]):
                start, (first, last) = stated["start"], stated["answer"]
                sentence = text[start : stated["end"]]
                yield {"id": f"{id}:{number}", "text": sentence, "start": first - start, "end": last - start}

    def _object(self, seed: int, town: int, fact: int) -> int:
        return Dice(seed, "almanac", "fact", town, fact).below(self.choices)
