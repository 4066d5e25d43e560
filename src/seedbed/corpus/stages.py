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
from .scratch import scratch_in
from .splits import Splitter
from .tables import ParquetWriter, RunWriter, merged, text_bytes, totals_by

Counts = dict[str, int]


_TAGS = ("reason", "edits")  # what a step says of a document, which the next step does not see


@dataclass(frozen=True)
class Stage:
    """What one curation step made: all documents, tagged; those that it dropped, and what it took from others, as
    sorted runs.
    """

    label: str
    step: str
    tagged: list[Path]
    kept_counts: Counts
    dropped: list[Path]
    dropped_counts: Counts
    edited: list[Path]
    num_edited: int
    notes: list[str]  # what it has to say of how it went


def run_stage(method: Curation, step: str, number: int, paths: Sequence[Path], folder: Path) -> Stage:
    """Apply a method to the documents without a reason. Each one that comes in is kept or dropped."""
    label = f"{number:02d}-{step}"
    target = folder.resolve() / label  # the cluster's processes stand in other folders
    frame = daft.read_parquet([str(path.resolve()) for path in paths])
    if "reason" in frame.column_names:
        frame = frame.where(daft.col("reason").is_null()).exclude(*_TAGS)
    with (
        daft.execution_config_ctx(
            scantask_max_parallel=1,  # else it reads ahead in all files at once
            parquet_target_row_group_size=tables.GROUP_BYTES,
            parquet_target_filesize=tables.RUN_BYTES,
        ),
        scratch_in(folder),
    ):
        written = _in_order(method(frame), step).write_parquet(str(target), compression="lz4").to_pydict()
    # Not what stands in the folder: of a worker that was killed, a part of a file may.
    tagged = sorted(target / Path(name).name for name in written["path"])
    came, went = sum(map(_num_kept, paths)), sum(pq.read_metadata(path).num_rows for path in tagged)
    assert went == came, f"{step}: {came} documents came in, {went} went out"
    dropped, edited = RunWriter(folder / f"{label}-dropped"), RunWriter(folder / f"{label}-edited", measured="edits")
    for table in _rows(tagged, dropped=True):
        dropped.add(table.append_column("step", pa.array([step] * table.num_rows, pa.string())))
    for table in _edits(tagged):
        edited.add(table.append_column("step", pa.array([step] * table.num_rows, pa.string())))
    kept = {"documents": came - dropped.documents, "bytes": _kept_bytes(tagged)}
    dropped_runs, edited_runs, notes = dropped.close(), edited.close(), list(getattr(method, "notes", []))
    return Stage(label, step, tagged, kept, dropped_runs, dropped.counts, edited_runs, edited.documents, notes)


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


def write_edits(folder: Path, stages: Sequence[Stage]) -> None:
    """What each step took out of texts that stay, in the order of ids: `id, step, edits`."""
    schema = pa.schema([pa.field(name, pa.string()) for name in ("id", "step", "edits")])
    for stage in stages:
        if stage.edited:
            writer = ParquetWriter(folder / "edited", stage.label, schema, measured="edits")
            for table in merged(stage.edited):
                writer.add(table)
            writer.close()


def _in_order(frame: daft.DataFrame, step: str) -> daft.DataFrame:
    """The columns of every corpus, then scores, then the reason; no scratch columns."""
    names = frame.column_names
    lost = [name for name in COLUMNS if name not in names]
    assert not lost, f"{step} lost the columns {lost}"
    string = daft.DataType.string()
    columns = [daft.col(name).cast(string) for name in COLUMNS]
    scores = [name for name in names if name not in (*COLUMNS, *_TAGS) and name[0] != "_"]
    tags = [(daft.col(name) if name in names else daft.lit(None)).cast(string).alias(name) for name in _TAGS]
    return frame.select(*columns, *scores, *tags)


def _rows(paths: Sequence[Path], *, dropped: bool) -> Iterator[pa.Table]:
    """The rows of tagged files that have a reason, which stays a column, or those that have none."""
    for path in paths:
        with pq.ParquetFile(path) as file:
            for group in range(file.num_row_groups):
                chosen = pc.is_valid(file.read_row_group(group, ["reason"])["reason"])
                chosen = chosen if dropped else pc.invert(chosen)
                if pc.any(chosen).as_py():
                    table = file.read_row_group(group).filter(chosen)
                    yield _with_strings(table.drop_columns(["edits"] if dropped else list(_TAGS)))


def _edits(paths: Sequence[Path]) -> Iterator[pa.Table]:
    """Id and edits of the documents that stay and were edited."""
    for path in paths:
        with pq.ParquetFile(path) as file:
            for group in range(file.num_row_groups):
                table = file.read_row_group(group, ["id", "reason", "edits"])
                table = table.filter(pc.and_(pc.is_valid(table["edits"]), pc.is_null(table["reason"])))
                if table.num_rows:
                    yield _with_strings(table.drop_columns("reason"))


def _kept_bytes(paths: Sequence[Path]) -> int:
    total = 0
    for path in paths:
        with pq.ParquetFile(path) as file:
            for group in range(file.num_row_groups):
                table = file.read_row_group(group, ["text", "reason"])
                total += text_bytes(table.filter(pc.is_null(table["reason"])))
    return total


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
    for name, (documents, size) in totals_by(table, "domain").items():
        counts = domains.setdefault(name, {"documents": 0, "bytes": 0})
        counts["documents"] += documents
        counts["bytes"] += size
