from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from functools import cached_property
from typing import ClassVar, Literal

from seedbed.core.errors import InputError
from seedbed.corpus.documents import Document
from seedbed.worlds import DOCUMENTS, Row, Truth, worlds
from seedbed.worlds.annotate import about
from seedbed.worlds.dice import Dice
from seedbed.worlds.words import VOCABULARIES, Permutation, check_vocabulary

_LETTERS = "abcdefghijklmnopqrstuvwxyz"
_LENGTH = 3  # letters of a word
_SPELLINGS = len(_LETTERS) ** _LENGTH
_PARAGRAPHS, _SENTENCES = 4, 8
_SENTENCE = re.compile(r"([^.]+)\.")
_NO_PARTNER: list[int | None] = [None]


@worlds.register("controls")
class Controls:
    """Text that says nothing, for controls: what a model gains by pretraining on it is not knowledge of a language.

    Words of three random letters, in sentences of 4 to 16 words and in paragraphs, which look alike in both
    structures. `random`: each word is drawn by itself, all words alike often, as in the nonsense of Krishna et al.
    (2021) and of 178. `nested`: each word stands twice, and pairs do not cross: a sentence is a row of brackets, each
    of `words` kinds, that are all closed again, opened as often as closed where both are possible (as the nested
    parentheses of Papadimitriou and Jurafsky, 2020; with which numbers 178 made its hierarchical text we could not
    verify). A smaller world is the beginning of a larger one.

    words: how many there are.

    truth/pairs.jsonl, for every document: document, partners: for each sentence, the place of each word's partner
    among the sentence's words, null in random text.

    Labels, of nested text: `openings` (tokens: whether a word opens or closes a pair).
    """

    documents_per_second: ClassVar[float] = 1700
    bytes_per_document: ClassVar[float] = 1320
    split_by: ClassVar[str] = "id"

    def __init__(
        self,
        documents: int = DOCUMENTS,
        *,
        structure: Literal["nested", "random"] = "nested",
        words: int = 1000,
        vocabulary: int = 0,
    ) -> None:
        if documents < 1:
            raise InputError("documents", "must be at least 1", value=documents)
        check_vocabulary(vocabulary)
        most = _SPELLINGS // VOCABULARIES
        if not 2 <= words <= most:
            raise InputError("words", f"must lie between 2 and {most}", value=words)
        self.documents, self.structure, self.words, self.vocabulary = documents, structure, words, vocabulary

    @cached_property
    def tasks(self) -> Mapping[str, str]:
        return {"openings": "tokens"} if self.structure == "nested" else {}

    def stream(self, seed: int) -> Iterator[Document | Truth]:
        numbers = Permutation(_SPELLINGS, 0, "controls")  # vocabularies share no word
        spelled = [_spelled(numbers(index * VOCABULARIES + self.vocabulary)) for index in range(self.words)]
        for number in range(self.documents):
            dice = Dice(seed, "controls", self.structure, self.vocabulary, number)
            paragraphs, partners = [], []
            for _ in range(_PARAGRAPHS):
                sentences = []
                for _ in range(_SENTENCES):
                    pairs = 2 + dice.below(7)
                    found = _nested(dice, pairs) if self.structure == "nested" else _NO_PARTNER * (2 * pairs)
                    sentences.append(" ".join(self._sentence(dice, spelled, found)) + ".")
                    partners.append(found)
                paragraphs.append(" ".join(sentences))
            id = f"controls-{number:07d}"
            yield Document(id, "\n\n".join(paragraphs), source="world controls", domain=self.structure)
            yield Truth("pairs", {"document": id, "partners": partners})

    def records(self, task: str, texts: Mapping[str, str], truth: Callable[[str], Iterator[Row]]) -> Iterator[Row]:
        del task
        for id, text, row in about(texts, truth("pairs")):
            for number, (sentence, partners) in enumerate(zip(_SENTENCE.findall(text), row["partners"], strict=True)):
                tags = ["opens" if partner > place else "closes" for place, partner in enumerate(partners)]
                yield {"id": f"{id}:{number}", "tokens": sentence.split(), "tags": tags}

    def _sentence(self, dice: Dice, spelled: list[str], partners: list[int | None]) -> list[str]:
        words: list[str] = []
        for place, partner in enumerate(partners):
            is_new = partner is None or partner > place
            words.append(dice.pick(spelled) if is_new else words[partner])  # type: ignore[index]
        return words


def _nested(dice: Dice, pairs: int) -> list[int | None]:
    """The partner of each place of a row of brackets that are all closed."""
    partners = _NO_PARTNER * (2 * pairs)
    waiting: list[int] = []
    opened = 0
    for place in range(2 * pairs):
        if opened < pairs and (not waiting or dice.chance(0.5)):
            waiting.append(place)
            opened += 1
        else:
            partner = waiting.pop()
            partners[place], partners[partner] = partner, place
    return partners


def _spelled(number: int) -> str:
    letters = []
    for _ in range(_LENGTH):
        number, letter = divmod(number, len(_LETTERS))
        letters.append(_LETTERS[letter])
    return "".join(letters)
