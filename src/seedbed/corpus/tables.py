"""Documents in sorted runs on disk, and merged in the order of their ids: any size in bounded memory.

A run is a Parquet file sorted by id with small row groups. Merging holds one row group of each run: what is at
most the smallest of their last ids can be sorted and given out. More than FAN runs are first merged into fewer. Memory:
a few copies of one run (64 MB) while it is written, and 8 MB for each of at most FAN runs while they are merged.
"""

from __future__ import annotations

import json
import operator
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from seedbed.core.files import finite

from .documents import COLUMNS, Document

SCHEMA = pa.schema([pa.field(name, pa.string()) for name in COLUMNS])
RUN_BYTES = 64 << 20  # of strings in one run
GROUP_BYTES = 8 << 20  # of strings in one row group
FILE_BYTES = 512 << 20  # of strings in one file of a finished corpus
FAN = 64  # runs that are merged at once


Row = tuple[str, str, str, str, str, str]  # in the order of COLUMNS


def row_of(document: Document) -> Row:
    """A document's row; its metadata as a JSON object."""
    try:
        metadata = _ENCODER.encode(document.metadata)
    except ValueError:  # a number that JSON does not know
        metadata = _ENCODER.encode(finite(document.metadata))
    return (document.id, document.text, document.source, document.domain, document.license, metadata)


def table_of(rows: list[Row]) -> pa.Table:
    """Rows as a table with the columns of SCHEMA."""
    columns = zip(*rows, strict=True) if rows else [()] * len(COLUMNS)
    return pa.table([pa.array(column, pa.string()) for column in columns], schema=SCHEMA)


def text_bytes(table: pa.Table, column: str = "text") -> int:
    return int(pc.sum(pc.binary_length(table[column])).as_py() or 0)


def totals_by(table: pa.Table, column: str) -> dict[str, tuple[int, int]]:
    """Documents and bytes of text of each value of a column of strings; a null counts as empty."""
    sizes = pc.binary_length(table["text"]).cast(pa.int64())
    groups = pa.table({"value": pc.fill_null(table[column].cast(pa.string()), ""), "bytes": sizes}).group_by("value")
    found = groups.aggregate([("bytes", "count"), ("bytes", "sum")])
    counts = zip(found["bytes_count"].to_pylist(), found["bytes_sum"].to_pylist(), strict=True)
    return dict(zip(found["value"].to_pylist(), counts, strict=True))


def _weights(table: pa.Table) -> np.ndarray:
    """The bytes of all strings of each row: many documents without a text fill memory, too."""
    strings = [field.name for field in table.schema if pa.types.is_string(field.type)]
    lengths = [np.asarray(pc.binary_length(table[name]).fill_null(0), dtype=np.int64) for name in strings]
    return np.asarray(np.sum(lengths, axis=0))


class RunWriter:
    """Collects tables and writes them as sorted runs; counts documents and bytes of text (of the column `measured`)."""

    def __init__(self, folder: Path, measured: str = "text") -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder, self.measured = folder, measured
        self.paths: list[Path] = []
        self.documents = self.bytes = 0
        self._waiting: list[pa.Table] = []
        self._waiting_bytes = 0

    def add(self, table: pa.Table) -> None:
        size = text_bytes(table, self.measured)
        self.documents += table.num_rows
        self.bytes += size
        if table.num_rows:
            self._waiting.append(table)
            self._waiting_bytes += int(_weights(table).sum())
        if self._waiting_bytes >= RUN_BYTES:
            self._write()

    def close(self) -> list[Path]:
        """Write what is left; returns the runs."""
        if self._waiting:
            self._write()
        return self.paths

    @property
    def counts(self) -> dict[str, int]:
        return {"documents": self.documents, "bytes": self.bytes}

    def _write(self) -> None:
        table = pa.concat_tables(self._waiting)
        table = table.take(pc.sort_indices(table["id"]))
        path = self.folder / f"run-{len(self.paths):05d}.parquet"
        groups = -(-self._waiting_bytes // GROUP_BYTES) or 1
        pq.write_table(table, path, compression="lz4", row_group_size=max(1, -(-table.num_rows // groups)))
        self.paths.append(path)
        self._waiting, self._waiting_bytes = [], 0


def merged(paths: Sequence[Path]) -> Iterator[pa.Table]:
    """The rows of sorted runs in the order of their ids, as tables. No id may come twice."""
    level = 0
    while len(paths) > FAN:
        level += 1
        folder = paths[0].parent / f"level-{level}"
        paths = [_as_one(paths[first : first + FAN], folder, first) for first in range(0, len(paths), FAN)]
    yield from _merged(paths)


def _as_one(paths: Sequence[Path], folder: Path, number: int) -> Path:
    """Several runs as one."""
    folder.mkdir(exist_ok=True)
    path = folder / f"run-{number:05d}.parquet"
    with pq.ParquetWriter(path, pq.read_schema(paths[0]).remove_metadata(), compression="lz4") as writer:
        for table in _merged(paths):
            writer.write_table(table, row_group_size=table.num_rows)
    return path


def _merged(paths: Iterable[Path]) -> Iterator[pa.Table]:
    runs = [_groups(path) for path in paths]
    heads = [next(run, None) for run in runs]
    last: str | None = None
    while True:
        ends = [head["id"][-1].as_py() for head in heads if head is not None]
        if not ends:
            return
        end = min(ends)
        ready = []
        for number, head in enumerate(heads):
            if head is None:
                continue
            count = pc.sum(pc.less_equal(head["id"], end)).as_py()
            ready.append(head.slice(0, count))
            rest = head.slice(count)
            heads[number] = rest if rest.num_rows else next(runs[number], None)
        table = pa.concat_tables(ready)
        table = table.take(pc.sort_indices(table["id"]))
        ids = table["id"].to_pylist()
        assert last is None or last < ids[0]
        assert all(map(operator.lt, ids, ids[1:])), "an id came twice"
        last = ids[-1]
        yield table


def _groups(path: Path) -> Iterator[pa.Table]:
    with pq.ParquetFile(path) as file:
        for group in range(file.num_row_groups):
            table = file.read_row_group(group)
            if table.num_rows:
                yield table


class ParquetWriter:
    """Files `<prefix>-00000.parquet`, zstd, of bounded size, from tables in order; counts documents and bytes."""

    def __init__(self, folder: Path, prefix: str, schema: pa.Schema, measured: str = "text") -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder, self.prefix, self.schema, self.measured = folder, prefix, schema, measured
        self.documents = self.bytes = 0
        self._file: Any = None
        self._num_files = self._file_bytes = 0
        self._waiting: list[pa.Table] = []
        self._waiting_bytes = 0

    def add(self, table: pa.Table) -> None:
        size = text_bytes(table, self.measured)
        self.documents += table.num_rows
        self.bytes += size
        self._waiting.append(_fitted(table, self.schema))
        self._waiting_bytes += int(_weights(self._waiting[-1]).sum())
        if self._waiting_bytes >= GROUP_BYTES:
            self._write()

    def close(self) -> dict[str, int]:
        """Write what is left, at least an empty file; returns the counts."""
        self._write(whole=True)
        if self._file is None and not self._num_files:
            self._open()
        if self._file is not None:
            self._file.close()
        return {"documents": self.documents, "bytes": self.bytes}

    def _write(self, *, whole: bool = False) -> None:
        """Full row groups, with `whole` also the rest. Where one ends depends on the rows alone, and not on the tables
        that they came in, so that the same documents make the same files.
        """
        if not self._waiting:
            return
        table = pa.concat_tables(self._waiting).combine_chunks()
        ends = np.cumsum(_weights(table))
        start = done = 0
        while start < len(ends) and (whole or ends[-1] - done >= GROUP_BYTES):
            stop = min(int(np.searchsorted(ends, done + GROUP_BYTES)) + 1, len(ends))
            if self._file is None:
                self._open()
            self._file.write_table(table.slice(start, stop - start), row_group_size=stop - start)
            size = int(ends[stop - 1]) - done
            start, done, self._file_bytes = stop, int(ends[stop - 1]), self._file_bytes + size
            if self._file_bytes >= FILE_BYTES:
                self._file.close()
                self._file, self._file_bytes = None, 0
        self._waiting = [table.slice(start)] if start < len(ends) else []
        self._waiting_bytes -= done

    def _open(self) -> None:
        path = self.folder / f"{self.prefix}-{self._num_files:05d}.parquet"
        self._file = pq.ParquetWriter(path, self.schema, compression="zstd")
        self._num_files += 1


def _fitted(table: pa.Table, schema: pa.Schema) -> pa.Table:
    """The columns of a schema: in its order and types, nulls for scores that were not yet computed."""
    columns = [
        table[field.name].cast(field.type) if field.name in table.column_names else pa.nulls(table.num_rows, field.type)
        for field in schema
    ]
    return pa.table(columns, schema=schema)


def _as_text(value: Any) -> str:
    return f"<{len(value)} bytes>" if isinstance(value, bytes) else str(value)


_ENCODER = json.JSONEncoder(ensure_ascii=False, sort_keys=True, allow_nan=False, default=_as_text)
