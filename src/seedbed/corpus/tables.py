"""Documents in sorted runs on disk, and merged in the order of their ids: any size in bounded memory.

A run is a Parquet file sorted by id with small row groups. Merging holds one row group of each run: what is at
most the smallest of their last ids can be sorted and given out. Memory: a few copies of one run (64 MB) while
it is written, and 8 MB a run while they are merged.
"""

from __future__ import annotations

import json
import operator
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from .documents import COLUMNS, Document

SCHEMA = pa.schema([pa.field(name, pa.string()) for name in COLUMNS])
RUN_BYTES = 64 << 20  # of text in one run
GROUP_BYTES = 8 << 20  # of text in one row group
FILE_BYTES = 512 << 20  # of text in one file of a finished corpus


Row = tuple[str, str, str, str, str, str]  # in the order of COLUMNS


def row_of(document: Document) -> Row:
    """A document's row; its metadata as a JSON object."""
    metadata = json.dumps(document.metadata, ensure_ascii=False, sort_keys=True, default=_as_text)
    return (document.id, document.text, document.source, document.domain, document.license, metadata)


def table_of(rows: list[Row]) -> pa.Table:
    """Rows as a table with the columns of SCHEMA."""
    columns = zip(*rows, strict=True) if rows else [()] * len(COLUMNS)
    return pa.table([pa.array(column, pa.string()) for column in columns], schema=SCHEMA)


def text_bytes(table: pa.Table, column: str = "text") -> int:
    return int(pc.sum(pc.binary_length(table[column])).as_py() or 0)


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
            self._waiting_bytes += size
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


def merged(paths: Iterable[Path]) -> Iterator[pa.Table]:
    """The rows of sorted runs in the order of their ids, as tables. No id may come twice."""
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
        self._waiting_bytes += size
        if self._waiting_bytes >= GROUP_BYTES:
            self._write()

    def close(self) -> dict[str, int]:
        """Write what is left, at least an empty file; returns the counts."""
        if self._waiting or not self._num_files:
            self._write()
        if self._file is not None:
            self._file.close()
        return {"documents": self.documents, "bytes": self.bytes}

    def _write(self) -> None:
        if self._file is None:
            path = self.folder / f"{self.prefix}-{self._num_files:05d}.parquet"
            self._file = pq.ParquetWriter(path, self.schema, compression="zstd")
            self._num_files += 1
        if self._waiting:
            table = pa.concat_tables(self._waiting).combine_chunks()
            self._file.write_table(table, row_group_size=max(1, table.num_rows))
        self._file_bytes += self._waiting_bytes
        self._waiting, self._waiting_bytes = [], 0
        if self._file_bytes >= FILE_BYTES:
            self._file.close()
            self._file, self._file_bytes = None, 0


def _fitted(table: pa.Table, schema: pa.Schema) -> pa.Table:
    """The columns of a schema: in its order and types, nulls for scores that were not yet computed."""
    columns = [
        table[field.name].cast(field.type) if field.name in table.column_names else pa.nulls(table.num_rows, field.type)
        for field in schema
    ]
    return pa.table(columns, schema=schema)


def _as_text(value: Any) -> str:
    return f"<{len(value)} bytes>" if isinstance(value, bytes) else str(value)
