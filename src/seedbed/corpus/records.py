"""Records (mappings of fields to values) from the formats that hold them, and documents from records."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from seedbed.core.errors import InputError
from seedbed.core.source import Source

from .decode import lines, name_of, select_files
from .documents import Document, Unreadable

Record = tuple[int, dict[str, Any]] | Unreadable  # a line (or row) number and the fields
RecordStream = Callable[[Path], Iterator[Record]]

_LONGEST_CSV_FIELD = 1 << 27
_MISSING = object()


@dataclass(frozen=True)
class Fields:
    """Which fields of a record make the document.

    Several text fields are joined by newlines; those that are absent or null are left out, if one is there. A
    name with dots reaches into nested records. All other fields become metadata, those of a nested `metadata`
    (dolma, datatrove) on the same level. A given domain or license wins over a field of that name, which then
    is metadata too.
    """

    text: tuple[str, ...]
    id: str = "id"
    domain: str = ""
    license: str = ""

    @classmethod
    def of(cls, text: str | list[str], id: str = "id", domain: str = "", license: str = "") -> Fields:
        names = (text,) if isinstance(text, str) else tuple(text)
        if not names or not all(names):
            raise InputError("text", "names no field", value=text)
        return cls(names, id, domain, license)

    def present(self, record: dict[str, Any]) -> bool:
        return any(_get(record, name) is not _MISSING for name in self.text)

    def document(self, record: dict[str, Any], name: str, path: Path, line: int) -> Document | Unreadable:
        parts = []
        for field in self.text:
            value = _get(record, field)
            if value is _MISSING or value is None:
                continue
            if isinstance(value, list) and all(isinstance(item, str) for item in value):
                value = "\n".join(value)
            if not isinstance(value, str):
                return Unreadable(str(path), line, f"field '{field}' is no text but {type(value).__name__}")
            parts.append(value)
        if not parts:
            return Unreadable(str(path), line, f"no text: field {' and '.join(self.text)} missing or null")
        rest = {key: value for key, value in record.items() if key not in self.text and key != self.id}
        given_id = record.get(self.id)
        return Document(
            id=f"{name}:{line}" if given_id is None or given_id == "" else str(given_id),
            text="\n".join(parts),
            source=_take(rest, "source", "") or name,
            license=_take(rest, "license", self.license),
            domain=_take(rest, "domain", self.domain),
            metadata=_flat(rest),
        )


def read_records(
    source: Source, extensions: tuple[str, ...], stream: RecordStream, fields: Fields
) -> Iterator[Document | Unreadable]:
    """The documents of all record files of a source. Raises InputError if no record of a file has the text."""
    for path in select_files(source, extensions):
        yield from documents_of(stream(path), fields, path, name_of(source, path))


def documents_of(records: Iterator[Record], fields: Fields, path: Path, name: str) -> Iterator[Document | Unreadable]:
    columns: dict[str, None] = {}
    found = False
    for item in records:
        if isinstance(item, Unreadable):
            yield item
            continue
        line, record = item
        if not found:
            columns.update(dict.fromkeys(map(str, record)))
            found = fields.present(record)
        yield fields.document(record, name, path, line)
    if columns and not found:
        raise InputError(
            "text",
            f"no record of {path} has this field",
            value=", ".join(fields.text),
            allowed=list(columns)[:50],
        )


def jsonl_records(path: Path) -> Iterator[Record]:
    """One JSON object a line; blank lines are passed over."""
    for item in lines(path):
        if isinstance(item, Unreadable):
            yield item
            continue
        number, text = item
        if not text or text.isspace():
            continue
        try:
            record = json.loads(text)
        except (ValueError, RecursionError) as error:
            yield Unreadable(str(path), number, f"not JSON: {error}")
            continue
        if isinstance(record, dict):
            yield number, record
        else:
            yield Unreadable(str(path), number, f"no JSON object but {type(record).__name__}")


def csv_records(path: Path, delimiter: str = "") -> Iterator[Record]:
    """Rows of comma- or tab-separated values under a header line; fields may be quoted and hold line ends.

    The number of a record is that of its last line in the file.
    """
    broken: list[Unreadable] = []
    number = 0

    def feed() -> Iterator[str]:
        nonlocal number
        for item in lines(path):
            if isinstance(item, Unreadable):
                broken.append(item)
            else:
                number = item[0]
                yield item[1] + "\n"

    separator = delimiter or ("\t" if ".tsv" in [suffix.lower() for suffix in path.suffixes] else ",")
    csv.field_size_limit(_LONGEST_CSV_FIELD)
    rows = csv.reader(feed(), delimiter=separator, strict=True)
    header: list[str] | None = None
    while True:
        try:
            row = next(rows)
        except StopIteration:
            break
        except csv.Error as error:
            yield Unreadable(str(path), number, f"not CSV: {error}")
            continue
        finally:
            yield from broken
            broken.clear()
        if header is None:
            header = row
        elif len(row) == len(header):
            yield number, dict(zip(header, row, strict=True))
        elif row:
            yield Unreadable(str(path), number, f"{len(row)} fields, but the header has {len(header)}")


def parquet_records(path: Path) -> Iterator[Record]:
    """Rows of a Parquet file; a row group that cannot be read is one Unreadable."""
    import pyarrow.parquet as pq

    try:
        file = pq.ParquetFile(path)
    except Exception as error:  # pyarrow raises many kinds
        yield Unreadable(str(path), 0, f"not Parquet: {_first_line(error)}")
        return
    with file:
        first = 1
        for group in range(file.num_row_groups):
            try:
                for batch in file.iter_batches(batch_size=1024, row_groups=[group]):
                    yield from _batch_records(batch, first, path)
                    first += batch.num_rows
            except (OSError, ValueError) as error:
                yield Unreadable(str(path), first, f"row group {group}: {_first_line(error)}")


def arrow_records(path: Path) -> Iterator[Record]:
    """Rows of an Arrow IPC stream, the layout of Hugging Face's `save_to_disk`."""
    import pyarrow as pa

    first = 1
    try:
        with pa.memory_map(str(path)) as file, pa.ipc.open_stream(file) as stream:
            for batch in stream:
                yield from _batch_records(batch, first, path)
                first += batch.num_rows
    except (OSError, ValueError) as error:  # pyarrow's exceptions are kinds of these
        yield Unreadable(str(path), first if first > 1 else 0, f"not an Arrow stream: {_first_line(error)}")


# The format of a file by its extension.
STREAMS: dict[str, RecordStream] = {
    ".arrow": arrow_records,
    ".parquet": parquet_records,
    ".jsonl": jsonl_records,
    ".ndjson": jsonl_records,
    ".json": jsonl_records,
    ".csv": csv_records,
    ".tsv": csv_records,
}


def _batch_records(batch: Any, first: int, path: Path) -> Iterator[Record]:
    try:
        rows = batch.to_pylist()
    except UnicodeDecodeError:
        # A string that is not UTF-8 spoils the batch: take the rows one by one.
        for offset in range(batch.num_rows):
            try:
                yield first + offset, batch.slice(offset, 1).to_pylist()[0]
            except UnicodeDecodeError as error:
                yield Unreadable(str(path), first + offset, f"not UTF-8: {error.reason}")
        return
    yield from enumerate(rows, first)


def _get(record: dict[str, Any], name: str) -> Any:
    if name in record:
        return record[name]
    value: Any = record
    for part in name.split("."):
        if not isinstance(value, dict) or part not in value:
            return _MISSING
        value = value[part]
    return value


def _take(rest: dict[str, Any], name: str, given: str) -> str:
    """The given value, else the record's own, which then is no metadata."""
    if given or not isinstance(rest.get(name), str):
        return given
    return str(rest.pop(name))


def _flat(rest: dict[str, Any]) -> dict[str, Any]:
    inner = rest.get("metadata")
    if isinstance(inner, str) and inner.startswith("{"):  # as a corpus of ours keeps it
        try:
            inner = json.loads(inner)
        except ValueError:
            return rest
    if not isinstance(inner, dict):
        return rest
    return {**{key: value for key, value in rest.items() if key != "metadata"}, **inner}


def _first_line(error: Exception) -> str:
    return str(error).strip().split("\n")[0]
