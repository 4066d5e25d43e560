"""What a comparison found, as JSON: small enough to commit, whole enough to be judged and repeated.

Every number comes from artifacts; the verdict comes from the numbers by `expect.RULE`.
"""

from __future__ import annotations

import datetime
import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from seedbed.core.artifact import Artifact
from seedbed.core.fingerprint import source_digest
from seedbed.core.machine import machine, versions
from seedbed.evaluate.statistics import Interval, detectable_effect, effect_size, mean_interval, paired_difference

from .arms import COSTS, ArmRun, costs_of
from .comparison import Comparison
from .expect import RULE, Values, verdict

FORMAT = 1
_POINTS = 40  # of a loss curve
Result = dict[str, Any]


def make_result(comparison: Comparison, runs: Sequence[ArmRun], made: Sequence[Mapping[str, Artifact]]) -> Result:
    """The result of whole runs; `made` are their artifacts by step. Every arm has the same seeds."""
    by_arm = {
        arm: [(run, artifacts) for run, artifacts in zip(runs, made, strict=True) if run.arm == arm]
        for arm in comparison.arms
    }
    values: Values = {
        arm: {m.name: [m.value(artifacts) for _, artifacts in pairs] for m in comparison.metrics}
        for arm, pairs in by_arm.items()
    }
    contrasts = _contrasts(comparison, values)
    facts = comparison.study
    return {
        "format": FORMAT,
        "name": comparison.name,
        "paper": facts.get("paper"),
        "title": comparison.title,
        "claim": facts.get("claim", ""),
        "notes": facts.get("notes", ""),
        "quick": False,
        "command": comparison.command,
        "finished": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "equal": comparison.equal,
        "seeds": [run.seed for run, _ in by_arm[comparison.reference]],
        "reference": comparison.reference,
        "metrics": {
            m.name: {"path": ", ".join(m.paths), "higher_is_better": m.higher_is_better(made[0])}
            for m in comparison.metrics
        },
        "arms": {arm: _arm(comparison, arm, pairs, values) for arm, pairs in by_arm.items()},
        "differences": _differences(comparison, values),
        "expect": comparison.expect,
        "contrasts": contrasts,
        "verdict": verdict([row["outcome"] for row in contrasts]) if contrasts else None,
        "rule": RULE if contrasts else None,
        "power": _power(comparison, contrasts),
        "versions": versions(),
        "machine": machine(),
        "threads": _threads(by_arm),
        "fingerprint": comparison.digest,
        "sources": sources(runs),
    }


def sources(runs: Sequence[ArmRun]) -> dict[str, str]:
    """Hashes of the modules that define the steps and methods in use, to see later whether they have changed."""
    from seedbed.core.registry import Component
    from seedbed.core.schema import walk
    from seedbed.core.step import steps

    targets = {}
    for run in runs:
        for planned in run.plan:
            used = [item for item in walk(planned.parameters) if isinstance(item, Component)]
            for target in (steps.get(planned.step.name).target, *(item.entry.target for item in used)):
                targets[target.__module__] = target
    return {name: source_digest([target])[:16] for name, target in sorted(targets.items())}


def _arm(
    comparison: Comparison, arm: str, pairs: Sequence[tuple[ArmRun, Mapping[str, Artifact]]], values: Values
) -> dict[str, Any]:
    costs = [_cost(run, artifacts) for run, artifacts in pairs]
    run, artifacts = pairs[0]
    return {
        "overrides": comparison.arms[arm],
        "values": {name: [_rounded(value) for value in found] for name, found in values[arm].items()},
        "summary": {name: _interval(mean_interval(list(found))) for name, found in values[arm].items()},
        "cost": {name: _mean([cost[name] for cost in costs]) for name in COSTS},
        "curves": {planned.name: _curve(artifacts[planned.name].path / "metrics.jsonl") for planned in run.training},
        "artifacts": [artifacts[step].path.name for _, artifacts in pairs for step in comparison.targets],
    }


def _cost(run: ArmRun, artifacts: Mapping[str, Artifact]) -> dict[str, float | None]:
    """The sum over the arm's training steps and searches, those that it shares with others included."""
    rows = [costs_of(artifacts[planned.name].counts) for planned in run.costly]
    return {name: _sum([row[name] for row in rows]) for name in COSTS}


def _threads(by_arm: Mapping[str, Sequence[tuple[ArmRun, Mapping[str, Artifact]]]]) -> list[int]:
    """How many threads the training had, on which the last bits depend."""
    trained = [made[step.name] for pairs in by_arm.values() for run, made in pairs for step in run.training]
    found = [artifact.counts.get("numerics") for artifact in trained]  # none where weights were only put together
    return sorted({numerics["threads"] for numerics in found if numerics})


def _differences(comparison: Comparison, values: Values) -> list[dict[str, Any]]:
    """The pairs of arms to show, in every metric."""
    return [
        {"first": first, "second": second, "metric": m.name}
        | _difference(list(values[first][m.name]), list(values[second][m.name]))
        for m in comparison.metrics
        for first, second in comparison.pairs
    ]


def _contrasts(comparison: Comparison, values: Values) -> list[dict[str, Any]]:
    return [
        {
            "statement": statement.text,
            "first": statement.left.arm,
            "second": statement.right.arm,
            "metric": statement.left.metric,
            **_difference(statement.left.values(values), statement.right.values(values)),
            "outcome": statement.outcome(statement.difference(values)),
        }
        for statement in comparison.statements
    ]


def _difference(first: list[float], second: list[float]) -> dict[str, Any]:
    differences = [a - b for a, b in zip(first, second, strict=True)]
    base = sum(second) / len(second)
    return {
        "difference": _interval(paired_difference(first, second)),
        "effect_size": _number(effect_size(differences)),
        "relative": _number(sum(differences) / len(differences) / abs(base)) if base else None,
    }


def _power(comparison: Comparison, contrasts: Sequence[dict[str, Any]]) -> dict[str, Any] | None:
    """What the study could have seen: from the spread of its first statement's differences."""
    if not contrasts or contrasts[0]["difference"]["low"] is None:
        return None
    pairs = contrasts[0]["difference"]["num"]
    spread = spread_of(contrasts[0]["difference"])
    return {
        "spread": _number(spread),
        "detectable": _number(detectable_effect(spread, pairs)),
        "effect": comparison.study.get("effect"),
    }


def spread_of(difference: Mapping[str, Any]) -> float:
    """The standard deviation of paired differences, from their t interval."""
    from seedbed.evaluate.statistics import t_quantile

    half = (difference["high"] - difference["low"]) / 2
    return float(half / t_quantile(0.975, difference["num"] - 1) * math.sqrt(difference["num"]))


def _curve(path: Path) -> dict[str, list[float]]:
    """The training loss over tokens, as means over equal stretches of steps."""
    if not path.is_file():
        return {"tokens": [], "loss": []}
    records = [json.loads(line) for line in path.read_text(encoding="utf8").splitlines()]
    records = [record for record in records if record.get("loss") is not None]
    size = max(1, math.ceil(len(records) / _POINTS))
    parts = [records[start : start + size] for start in range(0, len(records), size)]
    return {
        "tokens": [part[-1]["tokens"] for part in parts],
        "loss": [round(sum(record["loss"] for record in part) / len(part), 4) for part in parts],
    }


def _interval(interval: Interval) -> dict[str, Any]:
    return {
        "mean": _rounded(interval.mean),
        "low": _number(interval.low),
        "high": _number(interval.high),
        "interval": interval.method,
        "num": interval.num,
    }


def _number(value: float) -> float | None:
    return _rounded(value) if math.isfinite(value) else None


def _rounded(value: float) -> float:
    return float(f"{value:.6g}")


def _sum(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return sum(known) if len(known) == len(values) else None


def _mean(values: Sequence[float | None]) -> float | None:
    total = _sum(values)
    return None if total is None else _rounded(total / len(values))
