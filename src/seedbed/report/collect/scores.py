"""Scores: every task's systems with intervals, how far the model is from its baselines, single items, contamination."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Literal

from seedbed.evaluate.artifact import Scores

from .items import Item, items_of
from .steps import StepFacts
from .texts import documentation

Entry = dict[str, Any]  # mean, low, high, seeds, interval
State = Literal["ahead", "behind", "level", "unknown", "alone"]


@dataclass(frozen=True)
class Verdict:
    """The model beside its best baseline. `difference` is the model minus the baseline."""

    state: State
    baseline: str = ""
    difference: Entry = field(default_factory=dict)


@dataclass
class MetricReport:
    """One metric of a task, for all systems."""

    name: str
    higher_is_better: bool
    systems: dict[str, Entry]
    differences: dict[str, Entry]  # the model minus the system
    seeds: dict[str, list[float]]  # the values of single seeds, where there are several

    @property
    def verdict(self) -> Verdict:
        """Whether the model is better than its best baseline, as far as the interval of the difference tells."""
        others = {name: entry for name, entry in self.systems.items() if name != "model"}
        if not others or "model" not in self.systems:
            return Verdict("alone")
        sign = 1 if self.higher_is_better else -1
        best = max(others, key=lambda name: sign * others[name]["mean"])
        difference = self.differences.get(best, {})
        return Verdict(state_of(difference, higher_is_better=self.higher_is_better), best, difference)


@dataclass
class TaskReport:
    """One task."""

    name: str
    kind: str
    about: str
    details: str
    metrics: list[MetricReport]
    counts: dict[str, int]
    notes: list[str]
    contamination: dict[str, Any]
    items: list[Item] = field(default_factory=list)
    num_items: int = 0

    @property
    def primary(self) -> MetricReport:
        return self.metrics[0]


@dataclass
class EvaluationReport:
    """One evaluation of one model."""

    name: str
    model: str  # the step that made it
    tasks: list[TaskReport]
    ngram: int
    compared_with: int  # corpora of the contamination report


def state_of(difference: Entry, *, higher_is_better: bool) -> State:
    """What an interval of a difference says."""
    low, high = difference.get("low"), difference.get("high")
    if low is None or high is None:
        return "unknown"
    if low <= 0 <= high:
        return "level"
    return "ahead" if (low > 0) == higher_is_better else "behind"


def evaluation_report(step: StepFacts, others: list[StepFacts]) -> EvaluationReport:
    """From summary.json, scores.parquet, contamination.json, and a few items of each task."""
    scores = step.artifact
    assert isinstance(scores, Scores)
    found = scores.contamination()
    components = dict(_components(step.parameters.get("tasks", [])))
    values = scores.rows()
    model = next((other for other in others if other.kind == "model" and other.fingerprint in step.inputs), None)
    tasks = []
    for name, summary in scores.summary().items():
        kind, parameters = components.get(name, (name, {}))
        about, details = documentation("tasks", kind)
        metrics = [_metric(metric, facts, summary, name, values) for metric, facts in summary["metrics"].items()]
        task = TaskReport(
            name, kind, about, details, metrics, summary["counts"], summary["notes"], found["tasks"].get(name, {})
        )
        task.items, task.num_items = items_of(scores, name, kind, parameters, model, others)
        tasks.append(task)
    return EvaluationReport(step.name, model.name if model else "", tasks, found["n"], len(found["corpora"]))


def _components(tasks: list[Any]) -> Iterator[tuple[str, tuple[str, dict[str, Any]]]]:
    """From the name of a task's scores to its kind and parameters."""
    for task in tasks:
        if isinstance(task, dict):
            for kind, parameters in task.items():
                if isinstance(parameters, dict):
                    yield str(parameters.get("name", kind)), (kind, parameters)


def _metric(
    metric: str, facts: dict[str, Any], summary: dict[str, Any], task: str, rows: list[dict[str, Any]]
) -> MetricReport:
    seeds: dict[str, list[float]] = {}
    for row in rows:
        if (row["task"], row["metric"]) == (task, metric) and row["seed"] >= 0:
            seeds.setdefault(row["system"], []).append(float(row["value"]))
    return MetricReport(
        metric,
        bool(facts["higher_is_better"]),
        {system: found[metric] for system, found in summary["systems"].items() if metric in found},
        {system: found[metric] for system, found in summary["model_minus"].items() if metric in found},
        {system: values for system, values in seeds.items() if len(values) > 1},
    )
