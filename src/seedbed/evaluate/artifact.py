"""Scores: what an evaluation leaves behind.

scores.parquet       task, system, metric, seed (-1: nothing random), value
summary.json         for each task: metrics, systems (mean, interval), the model minus each other system, counts
items/<task>.parquet item, system, seed, truth, prediction, score
contamination.json   n-grams that test items share with the pretraining corpora
"""

from __future__ import annotations

from functools import cached_property
from typing import Any

from seedbed.core.artifact import Artifact
from seedbed.core.files import read_json

from .summary import number, span


class Scores(Artifact):
    """A folder of scores."""

    kind = "scores"

    @cached_property
    def _summary(self) -> dict[str, Any]:
        return dict(read_json(self.path / "summary.json"))

    def summary(self) -> dict[str, Any]:
        """summary.json: {task: {metrics, systems: {system: {metric: {mean, low, high, seeds, interval}}}, ...}}."""
        return self._summary

    def value(self, task: str, metric: str, system: str = "model") -> float:
        """One mean."""
        return float(self._summary[task]["systems"][system][metric]["mean"])

    def values(self, task: str, metric: str, system: str = "model") -> dict[int, float]:
        """The value of each seed (-1 where nothing is random)."""
        return {
            row["seed"]: row["value"]
            for row in self.rows()
            if (row["task"], row["metric"], row["system"]) == (task, metric, system)
        }

    def rows(self) -> list[dict[str, Any]]:
        """scores.parquet as dictionaries."""
        import pyarrow.parquet as pq

        return list(pq.read_table(self.path / "scores.parquet").to_pylist())

    def items(self, task: str) -> list[dict[str, Any]]:
        """Item-level predictions of one task."""
        import pyarrow.parquet as pq

        return list(pq.read_table(self.path / "items" / f"{task}.parquet").to_pylist())

    def contamination(self) -> dict[str, Any]:
        return dict(read_json(self.path / "contamination.json"))

    def table(self) -> list[tuple[str, str, str, str, str, str]]:
        """Rows for printing: task, system, metric, mean, interval, number of seeds ("-" where nothing is random)."""
        return [
            (task, system, metric, number(entry["mean"]), span(entry), str(entry["seeds"] or "-"))
            for task, found in self._summary.items()
            for system, metrics in found["systems"].items()
            for metric, entry in metrics.items()
        ]
