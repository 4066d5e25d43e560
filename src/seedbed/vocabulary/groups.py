"""The documents of several corpora, with the group that each belongs to."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Literal

from seedbed.corpus.artifact import Corpus

Group = Literal["domain", "language", "source"]  # a column of the corpus


def documents(corpora: Sequence[Corpus], by: Group, wanted: Callable[[str], bool]) -> Iterator[Mapping[str, Any]]:
    """`text` and `group` of the splits that are wanted; the group is None where the column is empty."""
    for corpus in corpora:
        for split in corpus.splits():
            if wanted(split):
                for row in corpus.documents(split, ["text", by]):
                    yield {"text": row["text"], "group": row[by]}
