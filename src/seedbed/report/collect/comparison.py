"""A comparison's result: arms of one recipe over paired seeds."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from seedbed.core.errors import InputError

from ..charts.thin import Curve
from ..glossary import METRICS
from .texts import called, clipped

FORMAT = 1
_BUCKETS = 160


@dataclass(frozen=True)
class Measured:
    """What is compared: `name` is its key in the result, `path` where it stands in the run, or several places whose
    mean it is: STEP.TASK.METRIC[.SYSTEM], or STEP and a path into its counts."""

    name: str
    path: str
    higher_is_better: bool | None

    @property
    def known(self) -> str:
        """The metric that explains it; its own name where the parts are different metrics."""
        parts = [path.split(".") for path in self.path.split(", ")]
        names = {path[2] if len(path) > 2 and path[2] in METRICS else path[-1] for path in parts}
        found = names.pop()
        return found if not names and found in METRICS else self.name


@dataclass
class Arm:
    """One variant. `values` and `summary` are by metric."""

    name: str
    overrides: dict[str, str]
    values: dict[str, list[float | None]]
    summary: dict[str, dict[str, Any]]
    cost: dict[str, float | None]
    curves: dict[str, Curve]
    artifacts: list[str]


@dataclass(frozen=True)
class Difference:
    """The first arm minus the second, seed by seed. A contrast also has a statement and its outcome."""

    first: str
    second: str
    metric: str
    difference: dict[str, Any]
    effect_size: float | None
    relative: float | None
    statement: str = ""
    outcome: str = ""


@dataclass
class ComparisonReport:
    """What `render` needs of a comparison."""

    name: str
    title: str
    paper: str
    claim: str
    notes: list[str]
    quick: bool
    command: str
    finished: str
    equal: str
    seeds: list[int]
    reference: str
    metrics: list[Measured]
    arms: list[Arm]
    differences: list[Difference]
    contrasts: list[Difference]
    expect: str
    verdict: str
    rule: str
    power: dict[str, Any]
    versions: dict[str, Any]
    machine: dict[str, Any]
    fingerprint: str
    sources: int  # modules whose contents the result remembers

    @property
    def primary(self) -> Measured:
        return self.metrics[0]

    def of_metric(self, metric: str) -> list[Difference]:
        """The differences in one metric."""
        return [item for item in self.differences if item.metric == metric]


def read_result(path: Path) -> Any:
    """What a JSON file holds. Raises InputError if it cannot be read."""
    try:
        return json.loads(path.read_text(encoding="utf8"))
    except (OSError, UnicodeDecodeError, json.JSONDecodeError) as error:
        raise InputError(str(path), f"cannot be read as JSON: {error}") from None


def collect_comparison(content: Any, path: Path) -> ComparisonReport:
    """From what the file of a result holds. Raises InputError if it is none."""
    found = _checked(content, path)
    arms = [_arm(name, row) for name, row in found["arms"].items()]
    return ComparisonReport(
        name=str(found.get("name") or path.stem),
        title=str(found.get("title") or found.get("name") or path.stem),
        paper=str(found.get("paper") or ""),
        claim=str(found.get("claim") or ""),
        notes=_lines(found.get("notes")),
        quick=bool(found.get("quick")),
        command=str(found.get("command") or ""),
        finished=str(found.get("finished") or ""),
        equal=str(found.get("equal") or "none"),
        seeds=[int(seed) for seed in found.get("seeds") or []],
        reference=str(found.get("reference") or ""),
        metrics=[
            Measured(name, str(row.get("path", name)), row.get("higher_is_better"))
            for name, row in found["metrics"].items()
        ],
        arms=arms,
        differences=[_difference(row) for row in found.get("differences") or []],
        contrasts=[_difference(row) for row in found.get("contrasts") or []],
        expect=_text(found.get("expect")),
        verdict=str(found.get("verdict") or ""),
        rule=str(found.get("rule") or ""),
        power=dict(found.get("power") or {}),
        versions=dict(found.get("versions") or {}),
        machine=dict(found.get("machine") or {}),
        fingerprint=str(found.get("fingerprint") or ""),
        sources=len(found.get("sources") or {}),
    )


def _checked(found: Any, path: Path) -> dict[str, Any]:
    if not isinstance(found, dict) or not all(isinstance(found.get(key), dict) for key in ("arms", "metrics")):
        raise InputError(str(path), "is not the result of a comparison: it has no arms and metrics")
    if not found["arms"] or not found["metrics"]:
        raise InputError(str(path), "compares nothing: its arms or metrics are empty")
    if not isinstance(found.get("format"), int) or found["format"] > FORMAT:
        raise InputError(str(path), "was written by a newer version", fix="pip install -U seedbed")
    return found


def _arm(name: str, row: dict[str, Any]) -> Arm:
    curves = {}
    for step, points in (row.get("curves") or {}).items():
        curve = Curve(_BUCKETS)
        for tokens, loss in zip(points.get("tokens") or [], points.get("loss") or [], strict=False):
            curve.add(float(tokens), loss)
        if curve:
            curves[str(step)] = curve
    return Arm(
        name,
        {str(key): called(value) for key, value in (row.get("overrides") or {}).items()},
        {metric: list(values) for metric, values in (row.get("values") or {}).items()},
        dict(row.get("summary") or {}),
        dict(row.get("cost") or {}),
        curves,
        [str(item) for item in row.get("artifacts") or []],
    )


def _difference(row: dict[str, Any]) -> Difference:
    return Difference(
        str(row["first"]),
        str(row["second"]),
        str(row["metric"]),
        dict(row["difference"]),
        row.get("effect_size"),
        row.get("relative"),
        _text(row.get("statement")),
        str(row.get("outcome") or ""),
    )


def _lines(value: Any) -> list[str]:
    """Notes as a list, or as one text."""
    if isinstance(value, str):
        value = [value] if value.strip() else []
    return [clipped(str(item), 2000) for item in value or []]


def _text(value: Any) -> str:
    return "; ".join(map(str, value)) if isinstance(value, list) else str(value or "")
