"""The texts that scorers learn from: corpora, labels, and files of the user's own."""

from __future__ import annotations

import heapq
import importlib
import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

from seedbed.core.counters import key
from seedbed.core.errors import InputError, unknown_key
from seedbed.core.source import Source
from seedbed.corpus.artifact import Corpus
from seedbed.corpus.documents import Document, Unreadable
from seedbed.corpus.given import artifact_or_files
from seedbed.corpus.labels import Labels

_RECORDS = ("jsonl", "csv", "parquet")  # the readers of files that hold records; any other file is one text
_PLAIN = "text"


CorpusOrFiles = Annotated[Corpus | Source, artifact_or_files(Corpus)]
Texts = Annotated[Corpus | Labels | Source, artifact_or_files(Corpus, Labels)]


@dataclass(frozen=True, slots=True)
class Example:
    """A text, and what else its record says."""

    id: str
    text: str
    fields: dict[str, Any]


def examples_of(texts: Texts, fields: list[str], *, key: str) -> Iterator[Example]:
    """What may be learned from: of a corpus the split `train`, of files all but those called test..., dev..., valid...
    (or in folders of such names), of a folder that holds records no other files.

    `fields` hold the texts of records in files. What cannot be read is an InputError for `key`, for an example that is
    left out silently would be worse.
    """
    from .texts import training_files

    if isinstance(texts, Corpus):
        for row in texts.documents("train"):
            yield Example(row["id"], row["text"], {**json.loads(row["metadata"]), **row})
        return
    assert isinstance(texts, Labels | Source)
    paths = training_files(texts, key=key)
    if (
        Path(texts).expanduser().is_dir()
    ):  # what lies beside records, a license or a note on their source, is no example
        paths = [path for path in paths if _reader(path) != _PLAIN] or paths
    for path in paths:
        for document in _documents(path, fields, key):
            if isinstance(document, Unreadable):
                raise InputError(key, f"line {document.line}: {document.reason}", value=document.file)
            known = {"source": document.source, "domain": document.domain}
            yield Example(document.id, document.text, {**known, **document.metadata})


def _reader(path: Path) -> str:
    """The name of the reader for a file."""
    suffixes = {suffix.lower() for suffix in path.suffixes[-2:]}
    extensions = {name: importlib.import_module(f"seedbed.corpus.reading.{name}").EXTENSIONS for name in _RECORDS}
    return next((name for name in _RECORDS if suffixes & set(extensions[name])), _PLAIN)


def _documents(path: Path, fields: list[str], key: str) -> Iterator[Document | Unreadable]:
    from seedbed.corpus import readers

    name = _reader(path)
    given = {} if name == _PLAIN else {"text": fields}
    try:
        yield from readers.create(name, path=os.fspath(path), **given)
    except InputError as error:
        raise InputError(key, error.problem, value=fields, allowed=error.allowed) from None


def sampled(examples: Iterator[Example], most: int, seed: int) -> list[Example]:
    """At most so many, those whose texts' hashes are smallest, each text once: whatever order they came in.

    Memory: the texts of at most `most` examples.
    """
    chosen: dict[int, Example] = {}
    heap: list[int] = []  # negated hashes: the largest first
    for example in examples:
        number = key(seed, "example", example.text)
        if number in chosen or (len(heap) == most and -heap[0] < number):
            continue
        chosen[number] = example
        if len(heap) == most:
            del chosen[-heapq.heappushpop(heap, -number)]
        else:
            heapq.heappush(heap, -number)
    return [chosen[number] for number in sorted(chosen)]


def field_of(example: Example, field: str, key: str) -> str:
    """A field that every example must have."""
    name = field.removeprefix("metadata.")
    if example.fields.get(name) is None:
        raise unknown_key(key, field, map(str, example.fields), f"field of the example {example.id}")
    return str(example.fields[name])


def is_held_back(text: str, share: float, seed: int) -> bool:
    """Whether a text is kept for measuring what was learned: the same text always is, or never."""
    return key(seed, "held back", text) < share * 2.0**64
