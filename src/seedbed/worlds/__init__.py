"""Worlds: generated corpora of which everything is known, for questions that real text leaves open.

A world gives documents and, among them, what is true of them; `generate` writes both. The methods stand in `kinds/`,
one file each. Nothing in a world is downloaded, copied or drawn from a global state: the same parameters and the
same seed give the same bytes, on every machine and whatever the size asked for.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Protocol

from seedbed.core.registry import Registry

if TYPE_CHECKING:
    from seedbed.corpus.documents import Document

Row = dict[str, Any]
DOCUMENTS = 1000  # where a world is not told how many, nor made over a corpus


@dataclass(frozen=True, slots=True)
class Truth:
    """One row of `truth/<file>.jsonl`."""

    file: str
    row: Row


class World(Protocol):
    """A class registered in `worlds`; its configuration is what `__init__` takes.

    It has a parameter `documents`, and, if it is made over other text, `corpus`. Its docstring describes its truth
    files; a row that speaks of one document names it in the field `document`.
    """

    documents_per_second: ClassVar[float]  # measured, with the defaults, on one core
    bytes_per_document: ClassVar[float]  # of text, with the defaults
    split_by: ClassVar[str]  # what belongs together in a split: `id`, or `metadata.<field>`

    @property
    def tasks(self) -> Mapping[str, str]:
        """What `labels` can make: name -> the evaluation task that takes it."""

    def stream(self, seed: int) -> Iterator[Document | Truth]:
        """Documents with ids that do not repeat, and truth, in any order; always the same."""

    def records(self, task: str, texts: Mapping[str, str], truth: Callable[[str], Iterator[Row]]) -> Iterator[Row]:
        """Labeled records for one of `tasks` from the documents `texts` (id -> text), in their order.

        `truth` reads a truth file.
        """


worlds: Registry[type[World]] = Registry(
    "world", "seedbed.worlds.kinds", about="corpora made from nothing, or over another corpus, with known truth"
)

__all__ = ["DOCUMENTS", "Row", "Truth", "World", "worlds"]
