"""From runs to runs by one curation step, and from the last runs to the finished files.

Imported only by functions: it needs pyarrow and Daft.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from .documents import Curation
from .engine import daft
from .splits import Splitter
from .tables import SCHEMA, ParquetWriter, RunWriter, merged, text_bytes

Counts = dict[str, int]


@dataclass(frozen=True)
class Stage:
    """What one curation step kept and dropped."""

    label: str
    step: str
    kept: list[Path]
    kept_counts: Counts
    dropped: list[Path]
    dropped_counts: Counts


def run_stage(method: Curation, step: str, number: int, paths: Sequence[Path], folder: Path) -> Stage:
    """Apply a method to all documents. Each one that came in is kept or dropped."""
    label = f"{number:02d}-{step}"
    kept, dropped = RunWriter(folder / label / "kept"), RunWriter(folder / label / "dropped")
    came = sum(pq.read_metadata(path).num_rows for path in paths)
    frame = method(daft.read_parquet([str(path) for path in paths]))
    schema = pq.read_schema(paths[0])
    for batch in frame.to_arrow_iter():
        stays, goes = _decided(pa.Table.from_batches([batch]), step)
        schema = stays.schema
        kept.add(stays)
        dropped.add(goes)
    went = kept.documents + dropped.documents
    assert went == came, f"{step}: {came} documents came in, {went} went out"
    nothing = schema.append(pa.field("step", pa.string())).append(pa.field("reason", pa.string()))
    return Stage(label, step, kept.close(schema), kept.counts, dropped.close(nothing), dropped.counts)


def write_splits(
    folder: Path, paths: Sequence[Path], splitter: Splitter
) -> tuple[dict[str, Counts], dict[str, Counts]]:
    """The kept documents in the order of their ids, by split; counts by split and by domain."""
    schema = pq.read_schema(paths[0]).remove_metadata()
    writers = {name: ParquetWriter(folder / "data", name, schema) for name in splitter.names}
    domains: dict[str, Counts] = {}
    for table in merged(paths):
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
        if stage.dropped_counts["documents"]:
            writer = ParquetWriter(folder / "dropped", stage.label, schema)
            for table in merged(stage.dropped):
                writer.add(table)
            writer.close()


def _decided(table: pa.Table, step: str) -> tuple[pa.Table, pa.Table]:
    """Rows that stay, and rows that go with step and reason, both without scratch columns."""
    lost = [name for name in SCHEMA.names if name not in table.column_names]
    assert not lost, f"{step} lost the columns {lost}"
    reasons = table["reason"] if "reason" in table.column_names else pa.nulls(table.num_rows, pa.string())
    scores = [name for name in table.column_names if name not in (*SCHEMA.names, "reason") and name[0] != "_"]
    rows = table.select([*SCHEMA.names, *scores])
    rows = rows.cast(pa.schema([*SCHEMA, *(rows.schema.field(name) for name in scores)]))
    goes = pc.is_valid(reasons)
    gone = rows.filter(goes)
    gone = gone.append_column("step", pa.array([step] * gone.num_rows, pa.string()))
    return rows.filter(pc.invert(goes)), gone.append_column("reason", reasons.filter(goes).cast(pa.string()))


def _count_domains(table: pa.Table, domains: dict[str, Counts]) -> None:
    for name in pc.unique(table["domain"]).to_pylist():
        rows = table.filter(pc.equal(table["domain"], name))
        counts = domains.setdefault(name, {"documents": 0, "bytes": 0})
        counts["documents"] += rows.num_rows
        counts["bytes"] += text_bytes(rows)
