from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import ClassVar, Literal, get_args

from seedbed.core.errors import InputError, unknown_key
from seedbed.corpus.documents import Document
from seedbed.worlds import DOCUMENTS, Row, Truth, worlds
from seedbed.worlds.annotate import about
from seedbed.worlds.dice import Dice
from seedbed.worlds.words import check_vocabulary

Hint = Literal["successor", "count", "smallest", "place", "fill"]
_MOST = 1000  # different numbers


@worlds.register("sorting")
class Sorting:
    """Rows of numbers with the same in order behind them, and hints: smaller tasks about such rows, told apart by their
    first word (task hinting; Awasthi and Gupta, 2023).

    Each document is a row of `shortest` to `longest` numbers out of `numbers`, drawn each by itself, and one task about
    it with its answer. `sort`: all in order. In a share `hinted` of the documents it is the hint. `successor`: of a
    number of the row the next larger one of the row, or `none`; `count`: how often a number stands in the row;
    `smallest`; `place`: how many of the row are smaller than a number of it; `fill`: the row in order with a gap, and
    what is missing. Which hints the paper tried, and under which names, we could not verify. `vocabulary` chooses the
    letter that numbers begin with. A smaller world is the beginning of a larger one; rows of other lengths to be tested
    on are another world.

    truth/answers.jsonl, for every document: document, kind (`sort`, or the hint), start, end (of the answer, in
    characters).

    Labels: `answers` (completion: every document's answer), `sorted` and `hints` (those of each kind).
    """

    documents_per_second: ClassVar[float] = 9000
    bytes_per_document: ClassVar[float] = 45
    split_by: ClassVar[str] = "id"
    tasks: ClassVar[Mapping[str, str]] = {"answers": "completion", "sorted": "completion", "hints": "completion"}

    def __init__(
        self,
        documents: int = DOCUMENTS,
        *,
        shortest: int = 2,
        longest: int = 8,
        numbers: int = 100,
        hint: Hint = "successor",
        hinted: float = 0.5,
        vocabulary: int = 0,
    ) -> None:
        if documents < 1:
            raise InputError("documents", "must be at least 1", value=documents)
        if not 2 <= shortest <= longest:
            raise InputError("shortest", f"must lie between 2 and longest ({longest})", value=shortest)
        if not 2 <= numbers <= _MOST:
            raise InputError("numbers", f"must lie between 2 and {_MOST}", value=numbers)
        if not 0 <= hinted <= 1:
            raise InputError("hinted", "is a share between 0 and 1", value=hinted)
        check_vocabulary(vocabulary)
        if hint not in get_args(Hint):
            raise unknown_key("hint", hint, get_args(Hint), "hint")
        self.documents, self.shortest, self.longest, self.numbers = documents, shortest, longest, numbers
        self.hint, self.hinted, self.vocabulary = hint, hinted, vocabulary

    def stream(self, seed: int) -> Iterator[Document | Truth]:
        for number in range(self.documents):
            dice = Dice(seed, "sorting", self.vocabulary, number)
            row = [
                dice.below(self.numbers) for _ in range(self.shortest + dice.below(self.longest - self.shortest + 1))
            ]
            kind = self.hint if dice.chance(self.hinted) else "sort"
            asked, answer = _TASKS[kind](row, dice)
            prompt = f"{kind} {self._written(row)}{self._written(asked)} ="
            said = self._written(answer) or " none"
            id = f"sorting-{number:07d}"
            yield Document(id, f"{prompt}{said} .", source="world sorting", domain=kind)
            place = {"start": len(prompt) + 1, "end": len(prompt) + len(said)}
            yield Truth("answers", {"document": id, "kind": kind, **place})

    def records(self, task: str, texts: Mapping[str, str], truth: Callable[[str], Iterator[Row]]) -> Iterator[Row]:
        for id, text, row in about(texts, truth("answers")):
            if task == "answers" or (task == "sorted") == (row["kind"] == "sort"):
                yield {"id": id, "text": text, "start": row["start"], "end": row["end"]}

    def _written(self, items: Sequence[int | str]) -> str:
        letter = chr(ord("a") + self.vocabulary)
        return "".join(f" {item}" if isinstance(item, str) else f" {letter}{item:03d}" for item in items)


def _sort(row: list[int], dice: Dice) -> tuple[list[int | str], list[int | str]]:
    del dice
    return [], [*sorted(row)]


def _successor(row: list[int], dice: Dice) -> tuple[list[int | str], list[int | str]]:
    one = dice.pick(row)
    larger = [other for other in row if other > one]
    return [";", one], [min(larger)] if larger else []


def _count(row: list[int], dice: Dice) -> tuple[list[int | str], list[int | str]]:
    one = dice.pick(row)
    return [";", one], [str(row.count(one))]


def _smallest(row: list[int], dice: Dice) -> tuple[list[int | str], list[int | str]]:
    del dice
    return [], [min(row)]


def _place(row: list[int], dice: Dice) -> tuple[list[int | str], list[int | str]]:
    one = dice.pick(row)
    return [";", one], [str(sum(other < one for other in row))]


def _fill(row: list[int], dice: Dice) -> tuple[list[int | str], list[int | str]]:
    gap = dice.below(len(row))
    shown: list[int | str] = [*sorted(row)]
    missing, shown[gap] = shown[gap], "_"
    return [";", *shown], [missing]


_TASKS: dict[str, Callable[[list[int], Dice], tuple[list[int | str], list[int | str]]]] = {
    "sort": _sort,
    "successor": _successor,
    "count": _count,
    "smallest": _smallest,
    "place": _place,
    "fill": _fill,
}
