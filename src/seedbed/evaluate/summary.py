"""From tasks' results to what is kept: rows, item-level predictions, and means with intervals."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from .statistics import Interval, bootstrap_interval, mean_interval
from .task import SystemRun, TaskResult

Summary = dict[str, Any]


def rows_of(task: str, result: TaskResult) -> list[dict[str, Any]]:
    """The rows of scores.parquet; a system in which nothing is random has seed -1."""
    return [
        {"task": task, "system": run.system, "metric": metric, "seed": _seed(run), "value": measure.value}
        for run in result.runs
        for metric, measure in run.measures.items()
    ]


def summarize(result: TaskResult, seed: int) -> Summary:
    """A task's entry of summary.json: every system and metric, and how far the model is from each other system."""
    names = list(dict.fromkeys(run.system for run in result.runs))
    systems: Summary = {}
    differences: Summary = {}
    for name in names:
        runs = [run for run in result.runs if run.system == name]
        metrics = [metric for metric in result.higher_is_better if metric in runs[0].measures]
        systems[name] = {metric: _entry(interval_of(runs, metric, seed), runs) for metric in metrics}
        if name != "model" and "model" in names:
            model = [run for run in result.runs if run.system == "model"]
            both = [metric for metric in metrics if metric in model[0].measures]
            differences[name] = {metric: _entry(difference_of(model, runs, metric, seed), runs) for metric in both}
    return {
        "metrics": {metric: {"higher_is_better": higher} for metric, higher in result.higher_is_better.items()},
        "systems": systems,
        "model_minus": differences,
        "counts": result.counts,
        "notes": result.notes,
    }


def interval_of(runs: Sequence[SystemRun], metric: str, seed: int) -> Interval:
    """Over seeds where there are several (the test set is fixed), else over units of the test set."""
    if len(runs) > 1:
        return mean_interval([run.measures[metric].value for run in runs])
    return bootstrap_interval(runs[0].measures[metric], seed=seed)


def difference_of(first: Sequence[SystemRun], second: Sequence[SystemRun], metric: str, seed: int) -> Interval:
    """Seed by seed where either has several seeds; else on the same draws of the test set."""
    if len(first) == len(second) == 1:
        return bootstrap_interval(first[0].measures[metric], seed=seed, minus=second[0].measures[metric])
    num = max(len(first), len(second))
    sides = [[run.measures[metric].value for run in runs] * (num if len(runs) == 1 else 1) for runs in (first, second)]
    assert len(sides[0]) == len(sides[1])
    return mean_interval([a - b for a, b in zip(*sides, strict=True)])


def _entry(interval: Interval, runs: Sequence[SystemRun]) -> dict[str, Any]:
    ends = [None if math.isnan(end) else end for end in (interval.low, interval.high)]
    return {
        "mean": interval.mean,
        "low": ends[0],
        "high": ends[1],
        "seeds": len([run for run in runs if run.seed is not None]),
        "interval": interval.method,
    }


def write_rows(rows: list[dict[str, Any]], path: Path) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    schema = pa.schema(
        [
            ("task", pa.string()),
            ("system", pa.string()),
            ("metric", pa.string()),
            ("seed", pa.int64()),
            ("value", pa.float64()),
        ]
    )
    pq.write_table(pa.Table.from_pylist(rows, schema=schema), path, compression="zstd")


def write_items(result: TaskResult, path: Path) -> None:
    """Item-level predictions of every system and seed, one row group a run."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    texts = ("item", "system", "truth", "prediction")
    schema = pa.schema([*((name, pa.string()) for name in texts), ("seed", pa.int64()), ("score", pa.float64())])
    with pq.ParquetWriter(path, schema, compression="zstd") as writer:
        for run in result.runs:
            num = len(run.items.item)
            columns = {
                "item": list(run.items.item),
                "system": [run.system] * num,
                "truth": list(run.items.truth),
                "prediction": list(run.items.prediction),
                "seed": [_seed(run)] * num,
                "score": [float(score) for score in run.items.score],
            }
            writer.write_table(pa.table(columns, schema=schema))


def _seed(run: SystemRun) -> int:
    return -1 if run.seed is None else run.seed


def lines(task: str, summary: Summary) -> list[str]:
    """A task's table for a person: a line a system, a column a metric with its interval."""
    metrics = list(summary["metrics"])
    head = [task, *(f"{metric} {'↑' if summary['metrics'][metric]['higher_is_better'] else '↓'}" for metric in metrics)]
    table = [head]
    for system, found in summary["systems"].items():
        cells = (f"{number(found[m]['mean'])} {span(found[m])}" if m in found else "" for m in metrics)
        table.append([f"  {system}", *cells])
    widths = [max(len(row[column]) for row in table) for column in range(len(head))]
    found_lines = [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in table
    ]
    return found_lines + [f"  note: {note}" for note in summary["notes"]]


def number(value: float) -> str:
    return f"{value:.3f}" if abs(value) < 100 else f"{value:.1f}"


def span(entry: dict[str, Any]) -> str:
    """An interval as text; empty where there is none."""
    return "" if entry["low"] is None else f"[{number(entry['low'])}, {number(entry['high'])}]"
