"""From documents to tagged documents by one curation step, and from the last ones to the finished files.

Between steps all documents stand in Parquet files with the column `reason`; the next step reads those without one.
Daft writes these files itself: when it hands rows to a slower consumer in Python, it holds all of them in memory.
Memory: it settles near a gigabyte, mostly what Daft reads ahead.
Imported only by functions, since it needs pyarrow and Daft.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from . import tables
from .documents import COLUMNS, Curation
from .engine import daft
from .splits import Splitter
from .tables import ParquetWriter, RunWriter, merged, text_bytes

Counts = dict[str, int]


@dataclass(frozen=True)
class Stage:
    """What one curation step made: all documents, tagged; and those that it dropped, as sorted runs."""

    label: str
    step: str
    tagged: list[Path]
    num_kept: int
    dropped: list[Path]
    dropped_counts: Counts


def run_stage(method: Curation, step: str, number: int, paths: Sequence[Path], folder: Path) -> Stage:
    """Apply a method to the documents without a reason. Each one that comes in is kept or dropped."""
    label = f"{number:02d}-{step}"
    frame = daft.read_parquet([str(path) for path in paths])
    if "reason" in frame.column_names:
        frame = frame.where(daft.col("reason").is_null()).exclude("reason")
    with daft.execution_config_ctx(
        scantask_max_parallel=1,  # else it reads ahead in all files at once
        parquet_target_row_group_size=tables.GROUP_BYTES,
        parquet_target_filesize=tables.RUN_BYTES,
    ):
        _in_order(method(frame), step).write_parquet(str(folder / label), compression="lz4")
    tagged = sorted((folder / label).glob("*.parquet"))
    came, went = sum(map(_num_kept, paths)), sum(pq.read_metadata(path).num_rows for path in tagged)
    assert went == came, f"{step}: {came} documents came in, {went} went out"
    dropped = RunWriter(folder / f"{label}-dropped")
    for table in _rows(tagged, dropped=True):
        dropped.add(table.append_column("step", pa.array([step] * table.num_rows, pa.string())))
    runs = dropped.close() if dropped.documents else []
    return Stage(label, step, tagged, came - dropped.documents, runs, dropped.counts)


def kept_runs(paths: Sequence[Path], folder: Path) -> list[Path]:
    """The documents of tagged files that have no reason, as sorted runs."""
    runs = RunWriter(folder)
    for table in _rows(paths, dropped=False):
        runs.add(table)
    return runs.close()


def write_splits(folder: Path, runs: Sequence[Path], splitter: Splitter) -> tuple[dict[str, Counts], dict[str, Counts]]:
    """The documents of sorted runs in the order of their ids, by split; counts by split and by domain."""
    schema = pq.read_schema(runs[0]).remove_metadata()
    writers = {name: ParquetWriter(folder / "data", name, schema) for name in splitter.names}
    domains: dict[str, Counts] = {}
    for table in merged(runs):
        places = pa.array(splitter.of(table), pa.string())
        for name, writer in writers.items():
            writer.add(table.filter(pc.equal(places, name)))
        _count_domains(table, domains)
    splitter.check()
    return {name: writer.close() for name, writer in writers.items()}, dict(sorted(domains.items()))


def write_dropped(folder: Path, stages: Sequence[Stage], like: Path) -> None:
    """What each step dropped, in the order of ids: the kept documents' columns (null where a score came later),
    step and reason.
    """
    schema = pq.read_schema(like).remove_metadata()
    schema = schema.append(pa.field("step", pa.string())).append(pa.field("reason", pa.string()))
    for stage in stages:
        if stage.dropped:
            writer = ParquetWriter(folder / "dropped", stage.label, schema)
            for table in merged(stage.dropped):
                writer.add(table)
            writer.close()


def _in_order(frame: daft.DataFrame, step: str) -> daft.DataFrame:
    """The columns of every corpus, then scores, then the reason; no scratch columns."""
    names = frame.column_names
    lost = [name for name in COLUMNS if name not in names]
    assert not lost, f"{step} lost the columns {lost}"
    string = daft.DataType.string()
    columns = [daft.col(name).cast(string) for name in COLUMNS]
    scores = [name for name in names if name not in (*COLUMNS, "reason") and name[0] != "_"]
    reason = daft.col("reason") if "reason" in names else daft.lit(None)
    return frame.select(*columns, *scores, reason.cast(string).alias("reason"))


def _rows(paths: Sequence[Path], *, dropped: bool) -> Iterator[pa.Table]:
    """The rows of tagged files that have a reason, which stays a column, or those that have none."""
    for path in paths:
        with pq.ParquetFile(path) as file:
            for group in range(file.num_row_groups):
                chosen = pc.is_valid(file.read_row_group(group, ["reason"])["reason"])
                chosen = chosen if dropped else pc.invert(chosen)
                if pc.any(chosen).as_py():
                    table = file.read_row_group(group).filter(chosen)
                    yield _with_strings(table if dropped else table.drop_columns("reason"))


def _num_kept(path: Path) -> int:
    with pq.ParquetFile(path) as file:
        if "reason" not in file.schema_arrow.names:
            return int(file.metadata.num_rows)
        return int(file.read(["reason"])["reason"].null_count)


def _with_strings(table: pa.Table) -> pa.Table:
    """With `string` where Daft writes `large_string`."""
    fields = [field.with_type(pa.string()) if pa.types.is_large_string(field.type) else field for field in table.schema]
    return table.cast(pa.schema(fields))


def _count_domains(table: pa.Table, domains: dict[str, Counts]) -> None:
    for name in pc.unique(table["domain"]).to_pylist():
        rows = table.filter(pc.equal(table["domain"], name))
        counts = domains.setdefault(name, {"documents": 0, "bytes": 0})
        counts["documents"] += rows.num_rows
        counts["bytes"] += text_bytes(rows)
