"""Parquet tables."""

from __future__ import annotations

from collections.abc import Iterator

from seedbed.core.source import Source
from seedbed.corpus import readers
from seedbed.corpus.documents import Document, Unreadable
from seedbed.corpus.input.records import Fields, parquet_records, read_records

EXTENSIONS = (".parquet", ".pq")


@readers.register("parquet", version=3)
class Parquet:
    """Parquet files, one document a row; also a corpus that seedbed has written.

    `text` names the column with the text, or several that are joined by newlines; all others become metadata.
    A file or row group that cannot be read goes to the quarantine, as does a row without text. Raises InputError
    if the first file has no such column. A file in an archive, or at a URL, is copied to the temporary folder first.
    """

    def __init__(
        self, path: Source, text: str | list[str] = "text", id: str = "id", domain: str = "", license: str = ""
    ) -> None:
        self.path = Source.parse(path)
        self.fields = Fields.of(text, id, domain, license)

    def __iter__(self) -> Iterator[Document | Unreadable]:
        return read_records(self.path, EXTENSIONS, parquet_records, self.fields)
