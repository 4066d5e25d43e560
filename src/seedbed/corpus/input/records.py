"""Records (mappings of fields to values) from the formats that hold them, and documents from records."""

from __future__ import annotations

import difflib
import itertools
import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from seedbed.core.errors import InputError
from seedbed.core.source import Source
from seedbed.corpus.documents import Document, Unreadable

from .conllu import sentences
from .csv_rows import csv_records
from .decode import BrokenStream
from .files import InputFile, select_files

Record = tuple[int, dict[str, Any]] | Unreadable  # a line (or row) number and the fields
RecordStream = Callable[[InputFile], Iterator[Record]]

_BATCH_ROWS, _BATCH_BYTES = 1024, 16 << 20
_ARROW_FILE = b"ARROW1"
_MISSING = object()


@dataclass(frozen=True)
class Fields:
    """Which fields of a record make the document.

    Several text fields are joined by newlines; those that are absent or null are left out, if one is there. A
    name with dots reaches into nested records. All other fields become metadata, those of a nested `metadata`
    (dolma, datatrove) on the same level; one that has a name which is taken there keeps both: `metadata.score`. A
    given domain or license wins over a field of that name, which then is metadata too.
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

    def document(self, record: dict[str, Any], file: InputFile, line: int) -> Document | Unreadable:
        parts = []
        for field in self.text:
            value = _get(record, field)
            if value is _MISSING or value is None:
                continue
            if isinstance(value, list) and all(isinstance(item, str) for item in value):
                value = "\n".join(value)
            if not isinstance(value, str):
                return Unreadable(file.where, line, f"field '{field}' is no text but {type(value).__name__}")
            parts.append(value)
        if not parts:
            return Unreadable(file.where, line, f"no text: field {' and '.join(self.text)} missing or null")
        rest = {key: value for key, value in record.items() if key not in self.text and key != self.id}
        for name in (*self.text, self.id):
            if "." in name and name not in record:
                rest = _without(rest, name)
        given_id = _get(record, self.id)
        return Document(
            id=f"{file.name}:{line}" if given_id in (_MISSING, None, "") else str(given_id),
            text="\n".join(parts),
            source=_take(rest, "source", "") or file.name,
            license=_take(rest, "license", self.license),
            domain=_take(rest, "domain", self.domain),
            metadata=_flat(rest),
            place=f"{file.name}:{line}",
        )


def read_records(
    source: Source, extensions: tuple[str, ...], stream: RecordStream, fields: Fields
) -> Iterator[Document | Unreadable]:
    """The documents of all record files of a source. Raises InputError if no record of the first file has the text;
    in later ones (files of a folder may differ in their fields) each such record is Unreadable.
    """
    is_first = True
    for file in select_files(source, extensions):
        for item in documents_of(stream(file), fields, file, must_have=is_first):
            is_first = is_first and isinstance(item, Unreadable)
            yield item


def documents_of(
    records: Iterator[Record], fields: Fields, file: InputFile, *, must_have: bool = True
) -> Iterator[Document | Unreadable]:
    """With `must_have` raises InputError if no record has the text."""
    columns: dict[str, None] = {}
    found = not must_have
    for item in records:
        if isinstance(item, Unreadable):
            yield item
            continue
        line, record = item
        if not found:
            columns.update(dict.fromkeys(map(str, record)))
            found = fields.present(record)
        yield fields.document(record, file, line)
    if columns and not found:
        near = difflib.get_close_matches(fields.text[0], columns, n=1, cutoff=0.5)
        raise InputError(
            "text",
            f"no record of {file.where} has this field",
            value=", ".join(fields.text),
            allowed=list(columns)[:50],
            fix=f"did you mean '{near[0]}'?" if near else None,
        )


def jsonl_records(file: InputFile) -> Iterator[Record]:
    """One JSON object a line; blank lines are passed over."""
    return _of_lines(file.lines(), file)


def json_records(file: InputFile) -> Iterator[Record]:
    """One array of objects, or one object, over any number of lines; else JSON Lines. An element's number is its place
    in the array. An array is read whole, and no larger than a record may be."""
    lines, held, size, begun = file.lines(), list[tuple[int, str] | Unreadable](), 0, False
    for item in lines:
        held.append(item)
        if isinstance(item, Unreadable):
            break
        size += len(item[1])
        if not begun and item[1].strip():
            begun = True
            if item[1].lstrip()[0] not in "[{" or isinstance(_parsed(item[1]), dict):
                break
        if size > file.limits.record:
            break
    else:
        whole = _parsed("\n".join(item[1] for item in held if not isinstance(item, Unreadable)))
        if isinstance(whole, list | dict):
            for number, value in enumerate([whole] if isinstance(whole, dict) else whole, 1):
                yield _object(value, number, file)
            return
    yield from _of_lines(itertools.chain(held, lines), file)


def conllu_records(file: InputFile) -> Iterator[Record]:
    """The sentences of a treebank; a broken line costs its sentence."""
    lines = ((item.line, item.reason) if isinstance(item, Unreadable) else item for item in file.lines())
    for number, found in sentences(lines):
        yield Unreadable(file.where, number, found) if isinstance(found, str) else (number, found)


def _of_lines(lines: Iterable[tuple[int, str] | Unreadable], file: InputFile) -> Iterator[Record]:
    for item in lines:
        if isinstance(item, Unreadable):
            yield item
            continue
        number, text = item
        if not text or text.isspace():
            continue
        try:
            value = json.loads(text)
        except (ValueError, RecursionError) as error:
            yield Unreadable(file.where, number, f"not JSON: {error}")
            continue
        yield _object(value, number, file)


def _object(value: Any, number: int, file: InputFile) -> Record:
    if isinstance(value, dict):
        return number, value
    return Unreadable(file.where, number, f"no JSON object but {type(value).__name__}")


def _parsed(text: str) -> Any:
    """None for what is no JSON."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


def parquet_records(file: InputFile) -> Iterator[Record]:
    """Rows of a Parquet file; those of a row group that cannot be read are one Unreadable, which counts them."""
    import pyarrow.parquet as pq

    first = 1
    try:
        with file.local() as path, pq.ParquetFile(path) as table:
            for group in range(table.num_row_groups):
                size, start = table.metadata.row_group(group), first
                try:
                    for batch in table.iter_batches(_batch_rows(size), row_groups=[group]):
                        yield from _batch_records(batch, first, file)
                        first += batch.num_rows
                    if first - start != size.num_rows:
                        raise ValueError(f"{first - start} rows, but there should be {size.num_rows}")
                except Exception as error:
                    lost = max(1, start + size.num_rows - first)
                    yield Unreadable(file.where, first, f"row group {group}: {_first_line(error)}", lost)
                    first = start + size.num_rows  # rows keep their numbers, whatever is lost before them
    except BrokenStream as error:
        yield Unreadable(file.where, 0, str(error))
    except InputError:  # no room for a copy
        raise
    except Exception as error:  # pyarrow raises many kinds
        yield Unreadable(file.where, 0, f"not Parquet: {_first_line(error)}")


def arrow_records(file: InputFile) -> Iterator[Record]:
    """Rows of an Arrow IPC stream, the layout of Hugging Face's `save_to_disk`, or of an Arrow (Feather) file."""
    import pyarrow as pa

    first = 1
    try:
        with file.local() as path, pa.memory_map(str(path)) as raw:
            for batch in _batches(raw):
                for start in range(0, batch.num_rows, _BATCH_ROWS):
                    yield from _batch_records(batch.slice(start, _BATCH_ROWS), first + start, file)
                first += batch.num_rows
    except BrokenStream as error:
        yield Unreadable(file.where, 0, str(error))
    except InputError:  # no room for a copy
        raise
    except Exception as error:  # pyarrow raises many kinds
        yield Unreadable(file.where, first if first > 1 else 0, f"not Arrow: {_first_line(error)}")


def _batches(raw: Any) -> Iterator[Any]:
    """The record batches of a stream, or of a file, which has a mark at its head and a directory at its end."""
    import pyarrow as pa

    is_file = raw.read(len(_ARROW_FILE)) == _ARROW_FILE
    raw.seek(0)
    if not is_file:
        with pa.ipc.open_stream(raw) as stream:
            yield from stream
        return
    with pa.ipc.open_file(raw) as table:
        for number in range(table.num_record_batches):
            yield table.get_batch(number)


# The format of a file by its extension.
STREAMS: dict[str, RecordStream] = {
    ".arrow": arrow_records,
    ".parquet": parquet_records,
    ".pq": parquet_records,
    ".jsonl": jsonl_records,
    ".ndjson": jsonl_records,
    ".json": json_records,
    ".conllu": conllu_records,
    ".csv": csv_records,
    ".tsv": csv_records,
}


def _batch_rows(group: Any) -> int:
    """So many rows that they come to some MB."""
    return int(min(_BATCH_ROWS, max(1, _BATCH_BYTES * group.num_rows // max(1, group.total_byte_size))))


def _batch_records(batch: Any, first: int, file: InputFile) -> Iterator[Record]:
    """The rows of a batch. Not before they are checked: broken offsets would make pyarrow read foreign memory."""
    try:
        batch.validate(full=True)
        rows = batch.to_pylist()
    except Exception:
        # Something in it spoils the batch: take the rows one by one.
        for offset in range(batch.num_rows):
            row = batch.slice(offset, 1)
            try:
                row.validate(full=True)
                yield first + offset, row.to_pylist()[0]
            except Exception as error:
                yield Unreadable(file.where, first + offset, f"broken row: {_first_line(error)}")
        return
    yield from enumerate(rows, first)


def _get(record: dict[str, Any], name: str) -> Any:
    if name in record:
        return record[name]
    first, _, rest = name.partition(".")
    inner = record.get(first) if rest else None
    return _get(inner, rest) if isinstance(inner, dict) else _MISSING


def _without(record: dict[str, Any], name: str) -> dict[str, Any]:
    """The record without what `_get` finds, and without what that leaves empty."""
    first, _, rest = name.partition(".")
    if name not in record and rest and isinstance(inner := record.get(first), dict):
        left = _without(inner, rest)
        if left:
            return {**record, first: left}
        name = first
    return {key: value for key, value in record.items() if key != name}


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
        except (ValueError, RecursionError):
            return rest
    if not isinstance(inner, dict):
        return rest
    outer = {key: value for key, value in rest.items() if key != "metadata"}
    return {**outer, **{f"metadata.{key}" if key in outer else key: value for key, value in inner.items()}}


def _first_line(error: Exception) -> str:
    return str(error).strip().split("\n")[0]
