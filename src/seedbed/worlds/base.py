"""The text that a world is made over: a corpus, or prose made for it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from itertools import islice

from seedbed.core.errors import InputError
from seedbed.corpus.artifact import Corpus
from seedbed.corpus.documents import COLUMNS, Document

from . import DOCUMENTS
from .dice import Dice
from .prose import TOPICS, prose


class Base:
    """Documents that can be read again and again: at most `documents` of a corpus, or as many of prose.

    Of a corpus the first of each split are taken, as many as its share.
    """

    def __init__(self, corpus: Corpus | None, documents: int | None, vocabulary: int) -> None:
        if documents is not None and documents < 1:
            raise InputError("documents", "must be at least 1", value=documents)
        self.corpus, self.documents, self.vocabulary = corpus, documents, vocabulary
        self._prose = prose(vocabulary)

    def read(self, seed: int) -> Iterator[Document]:
        if self.corpus is not None:
            return _documents(self.corpus, self.documents)
        return islice(self._made(seed), self.documents or DOCUMENTS)

    def _made(self, seed: int) -> Iterator[Document]:
        number = 0
        while True:
            dice = Dice(seed, "prose", self.vocabulary, number)
            topic = dice.below(TOPICS)
            text = self._prose.text(dice, topic)
            yield Document(f"prose-{number:07d}", text, source="prose", domain="prose", metadata={"topic": topic})
            number += 1


def _documents(corpus: Corpus, limit: int | None) -> Iterator[Document]:
    """The documents of a corpus, split after split."""
    sizes = {split: corpus.num_documents(split) for split in corpus.splits()}
    total = sum(sizes.values())
    limit = total if limit is None else min(limit, total)
    taken = bounds = 0
    for split, size in sizes.items():
        bounds += size
        wanted = limit * bounds // total - taken
        taken += wanted
        for row in islice(corpus.documents(split, COLUMNS), wanted):
            yield Document(**{**row, "metadata": json.loads(row["metadata"])})
