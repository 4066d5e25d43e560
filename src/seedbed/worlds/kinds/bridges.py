from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from string import Formatter
from typing import ClassVar

from seedbed.core.errors import InputError
from seedbed.corpus.documents import Document
from seedbed.worlds import DOCUMENTS, Row, Truth, worlds
from seedbed.worlds.annotate import about
from seedbed.worlds.dice import Dice
from seedbed.worlds.prose import TOPICS, prose
from seedbed.worlds.words import Words, check_vocabulary

# of each kind of fact, as the page about the first of two towns tells it, and as that about its neighbor does
_FRAMES = (
    ("The river at {s} is called {o}.", "The river at {s} comes from {n}, and is called {o}."),
    ("Every year {s} has a feast of {o}.", "As in {n}, in {s} there is a feast of {o}."),
    ("People in {s} speak {o}.", "As near to {n}, many in {s} speak {o}."),
    ("In {s} they make {o}.", "From {n} they bring to {s} the best {o}."),
)
_SYLLABLES = 3  # of names; the words of prose have two


@worlds.register("bridges")
class Bridges:
    """Pages about towns, two and two linked: what one page says of the towns' river, feast, language and trade, the
    other says too, and nothing else does. Names are few and come again on other pages with other facts, so that no
    fact can be remembered: what a hidden name is, only the linked page tells. For reading across documents.

    A page is about one town, and the second of two names the first one's, its neighbor, in `named` of its statements
    (by default in all). It states `stated` of four kinds of facts, the same ones on both pages, among `filler`
    sentences of prose. A fact's object is one of `choices` names of its kind, towns have one of `towns` names. The
    metadata have `links` (a list with the id of the other page) and `pair` (a number), by which pages are split. A
    smaller world is the beginning of a larger one; two `vocabulary` numbers (0 to 7) share only the function words.

    truth/statements.jsonl, for every document: document, pair, statements [{fact, start, end, answer, neighbor}] in
    characters: which of the four, where its sentence stands, and where in the text the object and, unless it is null,
    the neighbor do.

    Labels: `bridges` (cloze: a sentence of one page whose object is to be told, and behind it the page that it is
    linked with) and `alone` (cloze: the sentence without the other page, the control); `neighbors` and
    `neighbors_alone`, of sentences that name the neighbor, ask for that instead. The page about it names it in each
    statement, so that it is found without knowing of what kind a name is.
    """

    documents_per_second: ClassVar[float] = 3000
    bytes_per_document: ClassVar[float] = 230
    split_by: ClassVar[str] = "metadata.pair"
    tasks: ClassVar[Mapping[str, str]] = dict.fromkeys(("bridges", "alone", "neighbors", "neighbors_alone"), "cloze")

    def __init__(
        self,
        documents: int = DOCUMENTS,
        *,
        towns: int = 100,
        choices: int = 20,
        stated: int = 3,
        named: int | None = None,
        filler: int = 1,
        vocabulary: int = 0,
    ) -> None:
        for name, number, least in (("documents", documents, 1), ("towns", towns, 2), ("choices", choices, 2)):
            if number < least:
                raise InputError(name, f"must be at least {least}", value=number)
        if not 1 <= stated <= len(_FRAMES):
            raise InputError("stated", f"must lie between 1 and {len(_FRAMES)}", value=stated)
        if named is not None and not 0 <= named <= stated:
            raise InputError("named", "must lie between 0 and `stated`", value=named)
        if filler < 0:
            raise InputError("filler", "is a number of sentences", value=filler)
        check_vocabulary(vocabulary)
        self.documents, self.towns, self.choices = documents, towns, choices
        self.stated, self.filler, self.vocabulary = stated, filler, vocabulary
        self.named = stated if named is None else named

    def stream(self, seed: int) -> Iterator[Document | Truth]:
        name = Words(seed, self.vocabulary, _SYLLABLES)
        for number in range(self.documents):
            pair, side = divmod(number, 2)
            dice = Dice(seed, "bridges", self.vocabulary, pair)
            one = dice.below(self.towns)
            other = (one + 1 + dice.below(self.towns - 1)) % self.towns
            towns = [name(len(_FRAMES) * self.choices + town).capitalize() for town in (one, other)]
            facts = dice.shuffled(range(len(_FRAMES)))[: self.stated]
            objects = {fact: name(fact * self.choices + dice.below(self.choices)).capitalize() for fact in facts}
            text, statements = self._page(Dice(seed, "page", self.vocabulary, number), towns, side, objects)
            facts_of_page = {"pair": pair, "links": [_id(number ^ 1)]}
            yield Document(_id(number), text, source="world bridges", domain="bridges", metadata=facts_of_page)
            yield Truth("statements", {"document": _id(number), "pair": pair, "statements": statements})

    def _page(self, dice: Dice, towns: list[str], side: int, objects: dict[int, str]) -> tuple[str, list[Row]]:
        """The text about one of two towns, and where it states what."""
        sentences = prose(self.vocabulary)
        naming = [*objects] if self.named == self.stated else dice.shuffled([*objects])[: self.named]
        parts: list[str] = []
        statements, place = [], 0
        for fact in dice.shuffled([*objects, *[None] * self.filler]):
            if fact is None:
                sentence = sentences.sentence(dice, dice.below(TOPICS))
            else:
                frame = _FRAMES[fact][side if fact in naming else 0]
                sentence, where = _filled(frame, place, s=towns[side], n=towns[1 - side], o=objects[fact])
                spans = {"answer": where["o"], "neighbor": where.get("n")}
                statements.append({"fact": fact, "start": place, "end": place + len(sentence), **spans})
            parts.append(sentence)
            place += len(sentence) + 1
        return " ".join(parts), statements

    def records(self, task: str, texts: Mapping[str, str], truth: Callable[[str], Iterator[Row]]) -> Iterator[Row]:
        for id, text, row in about(texts, truth("statements")):
            other = texts.get(_id(int(id.rpartition("-")[2]) ^ 1))
            if other is None:
                continue  # among those that were not chosen
            for number, stated in enumerate(row["statements"]):
                span = stated["neighbor" if task.startswith("neighbors") else "answer"]
                if span is not None:
                    start = stated["start"]
                    asked = text[start : stated["end"]] + ("" if task.endswith("alone") else f" {other}")
                    yield {"id": f"{id}:{number}", "text": asked, "start": span[0] - start, "end": span[1] - start}


def _filled(frame: str, place: int, **parts: str) -> tuple[str, dict[str, list[int]]]:
    """A frame with its parts, and where these stand, counted from where the sentence begins."""
    text, where = "", {}
    for literal, name, _, _ in Formatter().parse(frame):
        text += literal
        if name is not None:
            where[name] = [place + len(text), place + len(text) + len(parts[name])]
            text += parts[name]
    return text, where


def _id(number: int) -> str:
    return f"bridge-{number:07d}"
