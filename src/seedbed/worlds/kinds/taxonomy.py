from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from typing import ClassVar

from seedbed.core.errors import InputError
from seedbed.corpus.documents import Document
from seedbed.worlds import DOCUMENTS, Row, Truth, worlds
from seedbed.worlds.annotate import about
from seedbed.worlds.dice import Dice
from seedbed.worlds.words import Words, check_vocabulary

_SYLLABLES = 2
_DEEPEST = 24  # levels that have words of their own, more than any tree that can be walked


@worlds.register("taxonomy")
class Taxonomy:
    """Terms of a tree of concepts: a name is the word of its own node and those of all nodes above it, and each word
    has synonyms, so that one concept has many names, and two names are near in the tree without sharing a word.

    Every document is a term, a name of a concept; concepts come level by level, `names` terms each, in which each word
    is one of `synonyms` for what it means, and the order is as in "sudden red fever" or as in "fever, red, sudden".
    Each node has `branches` children. What a word means depends on the level and on which child it is, so concepts
    under different parents are named after the same words, and an unseen concept has known ones. The metadata have
    `concept` (a number), `parent`, and `path`, the concepts from the top to this one. A smaller world is the beginning
    of a larger one; two `vocabulary` numbers (0 to 7) share no word. By default a concept's terms are in one split.

    truth/terms.jsonl, for every document: document, concept, path.

    Labels: `distances` (similarity: two terms, and minus the number of steps between their concepts in the tree, half
    of the pairs from near by) and `synonyms` (retrieval: a term, and another of the same concept).
    """

    documents_per_second: ClassVar[float] = 5000
    bytes_per_document: ClassVar[float] = 25
    split_by: ClassVar[str] = "metadata.concept"
    tasks: ClassVar[Mapping[str, str]] = {"distances": "similarity", "synonyms": "retrieval"}

    def __init__(
        self,
        documents: int = DOCUMENTS,
        *,
        branches: int = 5,
        names: int = 4,
        synonyms: int = 3,
        vocabulary: int = 0,
    ) -> None:
        for name, number in (("documents", documents), ("names", names), ("synonyms", synonyms)):
            if number < 1:
                raise InputError(name, "must be at least 1", value=number)
        if branches < 2:
            raise InputError("branches", "must be at least 2", value=branches)
        check_vocabulary(vocabulary)
        self.documents, self.branches, self.names = documents, branches, names
        self.synonyms, self.vocabulary = synonyms, vocabulary

    def path(self, concept: int) -> list[int]:
        """The concepts from the top of the tree to this one. There are as many tops as branches."""
        found = [concept]
        while found[0] >= self.branches:
            found.insert(0, found[0] // self.branches - 1)
        return found

    def stream(self, seed: int) -> Iterator[Document | Truth]:
        words = Words(seed, self.vocabulary, _SYLLABLES)
        for number in range(self.documents):
            concept = number // self.names
            path, dice = self.path(concept), Dice(seed, "taxonomy", self.vocabulary, number)
            assert len(path) <= _DEEPEST
            spoken = []
            for level, node in enumerate(path):
                meaning = level * self.branches + node % self.branches
                spoken.append(words(meaning * self.synonyms + dice.below(self.synonyms)))
            text = ", ".join(spoken) if dice.chance(0.5) else " ".join(reversed(spoken))
            id = f"term-{number:07d}"
            facts = {"concept": concept, "parent": path[-2] if len(path) > 1 else -1, "path": path}
            yield Document(id, text, source="world taxonomy", domain="taxonomy", metadata=facts)
            yield Truth("terms", {"document": id, "concept": concept, "path": path})

    def records(self, task: str, texts: Mapping[str, str], truth: Callable[[str], Iterator[Row]]) -> Iterator[Row]:
        terms = [(id, text, tuple(row["path"])) for id, text, row in about(texts, truth("terms"))]
        below: dict[tuple[int, ...], list[int]] = defaultdict(list)  # the terms under each concept, its own among them
        for number, (_, _, path) in enumerate(terms):
            for depth in range(len(path) + 1):
                below[path[:depth]].append(number)
        for number, (id, text, path) in enumerate(terms):
            dice = Dice(0, "taxonomy", task, id)
            if task == "synonyms":
                others = [other for other in below[path] if terms[other][2] == path and terms[other][1] != text]
                if others and others[0] > number:
                    yield {"id": id, "query": text, "document": terms[others[0]][1]}
                continue
            depth = dice.below(len(path) + 1) if dice.chance(0.5) else 0
            other = dice.pick(below[path[:depth]])
            if other != number:
                yield {"id": id, "first": text, "second": terms[other][1], "score": -_distance(path, terms[other][2])}


def _distance(one: tuple[int, ...], other: tuple[int, ...]) -> int:
    """Steps in the tree; tops are two apart, as if something were above them."""
    common = 0
    while common < min(len(one), len(other)) and one[common] == other[common]:
        common += 1
    return len(one) + len(other) - 2 * common
