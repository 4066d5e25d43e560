"""What is compared: a number out of the artifacts of one arm's run.

encoder-scores.masked_accuracy.accuracy      a step's scores: TASK.METRIC, of the model; or TASK.METRIC.SYSTEM
encoder.validation_loss                      any other step: a path into the counts of its manifest
[scores.ner.f1, scores.roles.accuracy]       several: their mean
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from seedbed.core.artifact import Artifact
from seedbed.core.errors import InputError, unknown_key

MODEL = "model"


@dataclass(frozen=True)
class Metric:
    """The mean of one or more numbers, each at a path that begins with a step's name."""

    name: str
    paths: tuple[str, ...]

    @property
    def steps(self) -> list[str]:
        """The steps whose artifacts it reads."""
        return list(dict.fromkeys(path.split(".")[0] for path in self.paths))

    def value(self, artifacts: Mapping[str, Artifact]) -> float:
        found = [_number(path, artifacts) for path in self.paths]
        return sum(found) / len(found)

    def higher_is_better(self, artifacts: Mapping[str, Artifact]) -> bool | None:
        """As the task says; None where nothing says it, or where the parts disagree."""
        found = {_direction(path, artifacts) for path in self.paths}
        return found.pop() if len(found) == 1 else None


def parse_metrics(value: Any) -> list[Metric]:
    """One metric (a path or a list of paths), or several by name; the first one is the one that counts."""
    given = value if isinstance(value, dict) else {_short_name(value): value}
    if not given:
        raise InputError("metric", "names nothing to compare", fix="STEP.TASK.METRIC")
    return [_metric(str(name), paths) for name, paths in given.items()]


def _short_name(value: Any) -> str:
    return value.split(".")[-1] if isinstance(value, str) else "mean"


def _metric(name: str, value: Any) -> Metric:
    paths = [value] if isinstance(value, str) else value
    if not name.isidentifier():
        raise InputError(f"metric.{name}", "is no name for a metric", allowed="letters, digits and _")
    if not isinstance(paths, list) or not paths or not all(isinstance(path, str) for path in paths):
        raise InputError(f"metric.{name}", "is neither a path nor a list of paths", value=value)
    for path in paths:
        if path.count(".") < 1 or not all(path.split(".")):
            raise InputError(f"metric.{name}", "leads nowhere", value=path, allowed="STEP.TASK.METRIC, or STEP.COUNT")
    return Metric(name, tuple(paths))


def _number(path: str, artifacts: Mapping[str, Artifact]) -> float:
    step, *parts = path.split(".")
    artifact = artifacts[step]
    place: Any = _scores(artifact, parts, path) if artifact.kind == "scores" else artifact.counts
    for part in [] if artifact.kind == "scores" else parts:
        place = _inside(place, part, path)
    if not isinstance(place, int | float) or isinstance(place, bool):
        raise InputError(path, "is no number", value=place)
    return float(place)


def _scores(artifact: Any, parts: list[str], path: str) -> float:
    if len(parts) not in (2, 3):
        raise InputError(path, "does not lead to a score", allowed="STEP.TASK.METRIC or STEP.TASK.METRIC.SYSTEM")
    task, metric, system = (*parts, MODEL)[:3]
    systems = _inside(artifact.summary(), task, path)["systems"]
    return float(_inside(_inside(systems, system, path), metric, path)["mean"])


def _direction(path: str, artifacts: Mapping[str, Artifact]) -> bool | None:
    step, *parts = path.split(".")
    artifact: Any = artifacts[step]
    if artifact.kind != "scores":
        return False if parts[-1].endswith("loss") else None
    return bool(artifact.summary()[parts[0]]["metrics"][parts[1]]["higher_is_better"])


def _inside(place: Any, part: str, path: str) -> Any:
    if not isinstance(place, dict) or part not in place:
        raise unknown_key(path, part, place if isinstance(place, dict) else [], "part of the path")
    return place[part]
