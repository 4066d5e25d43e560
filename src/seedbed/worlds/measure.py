"""How well what a filter found agrees with what a world had planted."""

from __future__ import annotations

from collections.abc import Hashable, Iterable
from dataclasses import dataclass

from seedbed.corpus.artifact import Corpus

from .generate import Generated

Span = tuple[str, int, int]  # document, start, end


@dataclass(frozen=True)
class Agreement:
    """Counts of what was found, what there was, and what is both. A share of nothing is 1."""

    right: int
    found: int
    planted: int

    @property
    def precision(self) -> float:
        return self.right / self.found if self.found else 1.0

    @property
    def recall(self) -> float:
        return self.right / self.planted if self.planted else 1.0

    @property
    def f1(self) -> float:
        total = self.found + self.planted
        return 2 * self.right / total if total else 1.0


def precision_recall(found: Iterable[Hashable], planted: Iterable[Hashable]) -> Agreement:
    """Of ids of documents, or of spans, that were found (a filter's: all ids less those that it kept)."""
    first, second = set(found), set(planted)
    return Agreement(len(first & second), len(first), len(second))


def planted_documents(corpus: Corpus, *kinds: str) -> set[str]:
    """The documents of a corpus of the world `noise` with something of these kinds; of any where none is named."""
    rows = Generated(corpus).truth("planted")
    return {row["document"] for row in rows if (set(row["kinds"]) & set(kinds) if kinds else row["kinds"])}


def planted_spans(corpus: Corpus, *kinds: str) -> set[Span]:
    """The places of what was planted of these kinds or types (`pii`, `email`); of any kind where none is named."""
    return {
        (row["document"], span["start"], span["end"])
        for row in Generated(corpus).truth("planted")
        for span in row["spans"]
        if not kinds or span["kind"] in kinds or span["type"] in kinds
    }
