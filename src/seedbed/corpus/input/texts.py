"""Texts of labeled and evaluation files, for methods that compare a corpus with them."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from seedbed.core.artifact import MANIFEST
from seedbed.core.errors import InputError
from seedbed.core.source import Source

if TYPE_CHECKING:
    from seedbed.corpus.labels import LabeledData

HELD_BACK = ("dev", "val", "valid", "validation")  # parts neither for training nor for the final test


def file_texts(source: Source, fields: list[str], *, key: str) -> Iterator[tuple[str, str]]:
    """Name and text of every text in files of any kind that readers know; a file of plain text is one. What cannot be
    read is an InputError for `key`."""
    from seedbed.corpus.documents import Unreadable
    from seedbed.corpus.input.files import select_files
    from seedbed.corpus.input.records import STREAMS, Fields, documents_of

    for file in select_files(source, None):
        stream = STREAMS.get(file.extension)
        if stream is None:
            items = list(file.lines())
            texts = [(file.name, "\n".join(item[1] for item in items if not isinstance(item, Unreadable)))]
            broken = [item for item in items if isinstance(item, Unreadable)]
        else:
            try:
                found = list(documents_of(stream(file), Fields.of(fields), file))
            except InputError as error:
                raise InputError("fields", error.problem, value=fields, allowed=error.allowed) from None
            texts = [(item.id, item.text) for item in found if not isinstance(item, Unreadable)]
            broken = [item for item in found if isinstance(item, Unreadable)]
        if broken:  # a text that is not looked for would be worse than an error
            raise InputError(key, f"line {broken[0].line}: {broken[0].reason}", value=file.where)
        yield from texts


def part_of(path: Path) -> str:
    """The split that a file's name speaks of: train.jsonl, test-00000.jsonl.zst, dev_1.csv; mt_mudt-ud-test.conllu, as
    Universal Dependencies' are called."""
    if found := re.search(r"-ud-(\w+)\.conllu", path.name):
        return found[1]
    return re.split("[-._]", path.name, maxsplit=1)[0].lower()


def training_files(data: LabeledData, *, key: str = "data") -> list[Path]:
    """The files of a labeled set that are for training, by their names and those of the folders below the one given;
    an InputError for `key` if there are none."""
    source = Source(os.fspath(data))
    files = [path for path in source.files if path.name != MANIFEST]
    files = [path for path in files if not _is_held_back(path.relative_to(source.root))]
    if not files:
        raise InputError(key, "holds no file of training texts", value=os.fspath(data))
    return files


def _is_held_back(path: Path) -> bool:
    return any(part_of(Path(part)) in ("test", *HELD_BACK) for part in path.parts)
