"""Texts of labeled and evaluation files, for methods that compare a corpus with them."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from seedbed.core.errors import InputError
from seedbed.core.source import Source

if TYPE_CHECKING:
    from seedbed.corpus.labels import LabeledData

_HELD_OUT = ("test", "dev", "val", "valid", "validation")


def file_texts(source: Source, fields: list[str], *, key: str) -> Iterator[tuple[str, str]]:
    """Name and text of every text in files of any kind that readers know; a file of plain text is one. What cannot be
    read is an InputError for `key`."""
    from seedbed.corpus.decode import kind_of, lines, name_of
    from seedbed.corpus.documents import Unreadable
    from seedbed.corpus.records import STREAMS, Fields, documents_of

    for path in source.files:
        name = name_of(source, path)
        stream = STREAMS.get(kind_of(path))
        if stream is None:
            items = list(lines(path))
            texts = [(name, "\n".join(item[1] for item in items if not isinstance(item, Unreadable)))]
            broken = [item for item in items if isinstance(item, Unreadable)]
        else:
            try:
                found = list(documents_of(stream(path), Fields.of(fields), path, name))
            except InputError as error:
                raise InputError("fields", error.problem, value=fields, allowed=error.allowed) from None
            texts = [(item.id, item.text) for item in found if not isinstance(item, Unreadable)]
            broken = [item for item in found if isinstance(item, Unreadable)]
        if broken:  # a text that is not looked for would be worse than an error
            raise InputError(key, f"line {broken[0].line}: {broken[0].reason}", value=str(path))
        yield from texts


def training_files(data: LabeledData) -> list[Path]:
    """The files of a labeled set that are for training; an InputError if there are none."""
    names = Source(os.fspath(data)).files
    parts = {path: path.name.split(".")[0].split("-")[0].lower() for path in names}
    files = [path for path in names if path.name != "manifest.json" and parts[path] not in _HELD_OUT]
    if not files:
        raise InputError("", "holds no file of training texts", value=os.fspath(data))
    return files
