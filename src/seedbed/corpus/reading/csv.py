"""Comma- or tab-separated values."""

from __future__ import annotations

import functools
from collections.abc import Iterator

from seedbed.core.errors import InputError
from seedbed.core.source import Source
from seedbed.corpus import readers
from seedbed.corpus.documents import Document, Unreadable
from seedbed.corpus.input.csv_rows import csv_records
from seedbed.corpus.input.records import Fields, read_records

EXTENSIONS = (".csv", ".tsv")


@readers.register("csv", version=3)
class Csv:
    """Comma- or tab-separated values under a header line, plain or compressed; one document a row.

    The delimiter is a tab for `.tsv`, else a comma, unless one is given. Fields may be quoted and hold line ends.
    A row that has another number of fields than the header, or broken quotes, goes to the quarantine; a quote that is
    never closed costs its line. Raises InputError if the first file has no such column.
    """

    def __init__(
        self,
        path: Source,
        text: str | list[str] = "text",
        id: str = "id",
        delimiter: str = "",
        domain: str = "",
        license: str = "",
    ) -> None:
        if len(delimiter) > 1:
            raise InputError("delimiter", "is one character", value=delimiter, fix="'\\t' is a tab")
        self.path = Source.parse(path)
        self.delimiter = delimiter
        self.fields = Fields.of(text, id, domain, license)

    def __iter__(self) -> Iterator[Document | Unreadable]:
        stream = functools.partial(csv_records, delimiter=self.delimiter)
        return read_records(self.path, EXTENSIONS, stream, self.fields)
