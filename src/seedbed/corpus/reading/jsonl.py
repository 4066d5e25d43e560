"""JSON Lines."""

from __future__ import annotations

from collections.abc import Iterator

from seedbed.core.source import Source
from seedbed.corpus import readers
from seedbed.corpus.documents import Document, Unreadable
from seedbed.corpus.input.files import InputFile
from seedbed.corpus.input.records import Fields, Record, json_records, jsonl_records, read_records

EXTENSIONS = (".jsonl", ".ndjson", ".json")


@readers.register("jsonl", version=3)
class JsonLines:
    """JSON Lines, plain or compressed (gz, bz2, xz, zst), as dolma, datatrove and seedbed write them; a `.json` file
    may also hold one array of objects, of at most 64 MiB.

    `text` names the field with the text, or several that are joined by newlines; `a.b` reaches into nested
    objects. The fields `source`, `license` and `domain` are used where nothing is given here; all others become
    metadata. A record without an id gets the file's name and line. A broken line, a record that is no object or
    has no text goes to the quarantine. Raises InputError if no record of the first file has the text field.
    """

    def __init__(
        self, path: Source, text: str | list[str] = "text", id: str = "id", domain: str = "", license: str = ""
    ) -> None:
        self.path = Source.parse(path)
        self.fields = Fields.of(text, id, domain, license)

    def __iter__(self) -> Iterator[Document | Unreadable]:
        return read_records(self.path, EXTENSIONS, _records, self.fields)


def _records(file: InputFile) -> Iterator[Record]:
    return json_records(file) if file.extension == ".json" else jsonl_records(file)
