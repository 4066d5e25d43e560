"""Which documents of a source are linked: by what their metadata say, or because they are alike.

Shapes: N documents, K neighbors, M members of a group.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from seedbed.core.errors import InputError
from seedbed.data.metadata import check_field, values_of
from seedbed.data.order import MIN_PIECE

if TYPE_CHECKING:
    from seedbed.data.artifact import TokenFile

SIMILAR = "similar"


class Links:
    """Of each document those that it is linked with: the others of its group. Groups may be of one document alone, as
    where it names its links, or of all that share a value."""

    def __init__(self, groups: Sequence[np.ndarray], group_N: np.ndarray, lengths_N: np.ndarray) -> None:
        usable_N = lengths_N >= MIN_PIECE
        self._groups = [members_M[usable_N[members_M]] for members_M in groups]
        self._group_N = group_N

    def of(self, document: int) -> np.ndarray:
        """The numbers of linked documents, ascending; documents of a single token are left out."""
        group = int(self._group_N[document])
        if group < 0:
            return np.empty(0, dtype=np.int64)
        members_M = self._groups[group]
        return members_M[members_M != document]

    @property
    def any(self) -> bool:
        """Whether there is any link."""
        return any(len(self.of(document)) for document in range(len(self._group_N)))


def check_links(links: str, key: str) -> None:
    """Raises InputError for what says no way of linking."""
    if links != SIMILAR:
        check_field(links, key)


def find_links(file: TokenFile, links: str, neighbors: int, key: str) -> Links:
    """`similar`: the `neighbors` documents nearest by TF-IDF (data/sampling/related.py; every pair is compared).
    `metadata.NAME`: a list there holds the ids of linked documents, of which those that are not in this source (or
    split) are passed over; any other value links all that share it. Raises InputError if nothing is linked."""
    if links == SIMILAR:
        found = _similar(file, neighbors)
    else:
        values = values_of(file, links, key)
        found = _named(file, values) if any(isinstance(value, list) for value in values) else _shared(file, values)
    if not found.any:
        raise InputError(key, "links no two documents of a source", value=links)
    return found


def _similar(file: TokenFile, number: int) -> Links:
    from seedbed.data.sampling.related import neighbors, vectors

    near_NK, cosine_NK = neighbors(vectors(file), number)
    groups = [near_K[cosine_K > 0] for near_K, cosine_K in zip(near_NK, cosine_NK, strict=True)]
    return Links([np.sort(group) for group in groups], np.arange(len(groups)), file.lengths)


def _named(file: TokenFile, values: Sequence[Any]) -> Links:
    place = {id: number for number, id in enumerate(file.ids)}
    groups = []
    for value in values:
        named = value if isinstance(value, list) else []
        groups.append(np.unique(np.array([place[id] for id in named if id in place], dtype=np.int64)))
    return Links(groups, np.arange(len(groups)), file.lengths)


def _shared(file: TokenFile, values: Sequence[Any]) -> Links:
    members: dict[str, list[int]] = {}
    group_N = np.full(len(values), -1)
    numbers: dict[str, int] = {}
    for document, value in enumerate(values):
        if value is not None:
            text = str(value)
            group_N[document] = numbers.setdefault(text, len(numbers))
            members.setdefault(text, []).append(document)
    return Links([np.array(group, dtype=np.int64) for group in members.values()], group_N, file.lengths)
