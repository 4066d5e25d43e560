"""What readers give and curation takes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from daft import DataFrame

# The columns of every corpus, all strings; metadata is a JSON object. Scores follow them.
COLUMNS = ("id", "text", "source", "domain", "license", "metadata")


@dataclass(slots=True)
class Document:
    """One document with its provenance. `source` says where it came from: a file's name, or what a record states;
    `place` is the file and line of a record, for `seedbed corpus explain`. It does not stay in the corpus.
    """

    id: str
    text: str
    source: str = ""
    license: str = ""
    domain: str = ""
    metadata: dict[str, Any] = field(default_factory=dict)
    place: str = ""


@dataclass(frozen=True, slots=True)
class Unreadable:
    """A piece of input that could not be read: a row of the quarantine. Lines count from 1; 0 is the whole file.

    `count` is the number of records that it stands for, where that is known; a whole file or archive is one.
    """

    file: str
    line: int
    reason: str
    count: int = 1


class Reader(Protocol):
    """An iterable, always in the same order. What is wrong with one record is an `Unreadable`, and reading goes on;
    what is wrong with the configuration is an InputError. What it passes over on purpose, such as redirects, it may
    count by reason in a Counter `passed`, which ends up in the corpus's counts.
    """

    def __iter__(self) -> Iterator[Document | Unreadable]: ...


class Curation(Protocol):
    """From a frame of documents to the same documents, tagged.

    It gets the columns of COLUMNS and the scores of earlier steps, and returns one row for each row, with the same
    ids, in any order. It may change columns and add scores; columns that begin with `_` are scratch and do not
    stay. A document whose string column `reason` is not null is dropped; without such a column all stay. What it takes
    out of a text that stays it may tell in the string column `edits` (see `tagging.edits_json`).
    What a person should know of how a call went it may leave in a list of strings `notes`, which the build says and
    keeps in its counts.
    What it decides must not depend on the order of rows or on how they are partitioned.
    """

    def __call__(self, frame: DataFrame, /) -> DataFrame: ...
