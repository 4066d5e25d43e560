from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from itertools import permutations
from typing import ClassVar, Literal, get_args

from seedbed.core.errors import InputError, unknown_key
from seedbed.corpus.documents import Document
from seedbed.worlds import DOCUMENTS, Row, Truth, worlds
from seedbed.worlds.annotate import about
from seedbed.worlds.dice import Dice
from seedbed.worlds.words import check_vocabulary

Group = Literal["parity", "cyclic5", "symmetric3", "symmetric4"]
_LETTERS = "abcdefghijklmnopqrstuvwxyz"


@worlds.register("word_problem")
class WordProblem:
    """Elements of a group, and their product so far, asked again and again: whether a model keeps track of a state.

    A document has so many `answers`. Before each stand `shortest` to `longest` elements of the `group`, drawn each by
    itself, in small letters; behind a sign stands the product of all the document's elements up to there, in a capital.
    As each answer gives the state away, what has to be kept is what came since. `parity` and `cyclic5` are sums modulo
    2 and 5, `symmetric3` and `symmetric4` the permutations of 3 and 4 things (of which the next one is done after those
    before it); all but the last are solvable by what networks of constant depth can do in principle, and none is by
    looking at few of the elements. Elements have the letters from a on, in the order of their permutations, beginning
    with the neutral one; `vocabulary` shifts them. A smaller world is the beginning of a larger one; longer rows to be
    tested on are another world.

    truth/products.jsonl, for every document: document, start, end (of its last answer, in characters), elements (how
    many stand in it).

    Labels: `products` (completion: every document's last answer).
    """

    documents_per_second: ClassVar[float] = 8000
    bytes_per_document: ClassVar[float] = 55
    split_by: ClassVar[str] = "id"
    tasks: ClassVar[Mapping[str, str]] = {"products": "completion"}

    def __init__(
        self,
        documents: int = DOCUMENTS,
        *,
        group: Group = "symmetric3",
        shortest: int = 1,
        longest: int = 8,
        answers: int = 4,
        vocabulary: int = 0,
    ) -> None:
        for name, number in (("documents", documents), ("answers", answers)):
            if number < 1:
                raise InputError(name, "must be at least 1", value=number)
        if not 1 <= shortest <= longest:
            raise InputError("shortest", f"must lie between 1 and longest ({longest})", value=shortest)
        check_vocabulary(vocabulary)
        if group not in get_args(Group):
            raise unknown_key("group", group, get_args(Group), "group")
        self.documents, self.group, self.shortest, self.longest = documents, group, shortest, longest
        self.answers, self.vocabulary = answers, vocabulary
        self._table = _table(group)

    def stream(self, seed: int) -> Iterator[Document | Truth]:
        for number in range(self.documents):
            dice = Dice(seed, "word problem", self.vocabulary, self.group, number)
            state, words, elements = 0, [], 0
            for _ in range(self.answers):
                count = self.shortest + dice.below(self.longest - self.shortest + 1)
                drawn = [dice.below(len(self._table)) for _ in range(count)]
                for element in drawn:
                    state = self._table[element][state]
                words += [*map(self._letter, drawn), "=", self._letter(state).upper()]
                elements += count
            text, id = " ".join(words), f"word-problem-{number:07d}"
            yield Document(id, f"{text} .", source="world word_problem", domain=self.group)
            yield Truth("products", {"document": id, "start": len(text) - 1, "end": len(text), "elements": elements})

    def records(self, task: str, texts: Mapping[str, str], truth: Callable[[str], Iterator[Row]]) -> Iterator[Row]:
        del task
        for id, text, row in about(texts, truth("products")):
            yield {"id": id, "text": text, "start": row["start"], "end": row["end"]}

    def _letter(self, element: int) -> str:
        return _LETTERS[(element + self.vocabulary) % len(_LETTERS)]


def _table(group: str) -> list[list[int]]:
    """For each element and each state before it the state behind it."""
    if group in ("parity", "cyclic5"):
        size = 2 if group == "parity" else 5
        return [[(element + state) % size for state in range(size)] for element in range(size)]
    elements = list(permutations(range(int(group[-1]))))
    place = {element: index for index, element in enumerate(elements)}
    return [[place[tuple(after[item] for item in before)] for before in elements] for after in elements]
