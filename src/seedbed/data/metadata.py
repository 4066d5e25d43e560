"""What a corpus says of its documents beside their text, for samplers and objectives that relate documents."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any, overload

from seedbed.core.errors import InputError

if TYPE_CHECKING:
    from .artifact import TokenFile, Tokens

Row = dict[str, Any]
_PREFIX = "metadata."


class Metadata(Sequence[Row]):
    """The metadata of a split's documents, in their order. They stay in the corpus, and are read from there, all of
    them, when they are first asked for."""

    def __init__(self, tokens: Tokens, split: str) -> None:
        self._tokens, self._split = tokens, split

    @cached_property
    def _rows(self) -> list[Row]:
        return [json.loads(text or "{}") for text in self.column("metadata")]

    def column(self, name: str) -> list[Any]:
        """Another column of the corpus, such as a scorer's."""
        from seedbed.corpus.artifact import Corpus

        corpora = [item for item in self._tokens.inputs() if isinstance(item, Corpus)]
        if not corpora:
            problem = "the corpus that these tokens were made of is no longer there, and its metadata are wanted"
            raise InputError("data", problem, value=str(self._tokens.path), fix="build the corpus again")
        rows = [row[name] for row in corpora[0].documents(self._split, [name])]
        assert len(rows) == self._tokens.facts["splits"][self._split]["documents"]
        return rows

    def __len__(self) -> int:
        return len(self._rows)

    @overload
    def __getitem__(self, index: int) -> Row: ...
    @overload
    def __getitem__(self, index: slice) -> list[Row]: ...
    def __getitem__(self, index: int | slice) -> Row | list[Row]:
        return self._rows[index]

    def __iter__(self) -> Iterator[Row]:
        return iter(self._rows)


def values_of(file: TokenFile, field: str, key: str) -> list[Any]:
    """What the metadata of each document say under a field, given as `metadata.NAME`; None where they say nothing.
    Raises InputError, about the parameter `key`, if no document has the field."""
    name = check_field(field, key)
    found = [row.get(name) for row in file.metadata]
    if all(value is None for value in found):
        known = sorted({known for row in file.metadata for known in row})
        raise InputError(key, "no document has this field", value=field, allowed=[_PREFIX + name for name in known])
    return found


def check_field(field: str, key: str) -> str:
    """The name in `metadata.NAME`."""
    if not field.startswith(_PREFIX) or field == _PREFIX:
        raise InputError(key, "is not a field of the documents' metadata", value=field, allowed=["metadata.NAME"])
    return field.removeprefix(_PREFIX)
