"""A search: what was tried, what it was worth, and the best of it. Also one still going on."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from seedbed.core.errors import InputError
from seedbed.core.files import read_json

from ..charts.thin import Curve
from .steps import StepFacts
from .texts import called, clipped, ends

RESULT = "result.json"
SHOWN = 10  # points, and reasons
_KEYS = ("points", "goal", "best", "searcher")


@dataclass(frozen=True)
class Tried:
    """A point. `settings` are all that the space leaves open; of other points than the best, what differs from it."""

    number: int
    value: float
    settings: dict[str, str]
    parameters: float | None = None
    flops: float | None = None


@dataclass
class SearchReport:
    """One search; `points` are the best ones, the best first."""

    name: str
    searcher: str
    measured: str  # the metric, or the surface
    higher: bool
    points: list[Tried]
    num_points: int
    num_failed: int
    confirmed: list[float]
    values: Curve  # over the number of the evaluation
    best_so_far: Curve
    refused: list[tuple[str, int]] = field(default_factory=list)  # reasons and how often, the most frequent first
    finished: bool = True

    @property
    def best(self) -> Tried | None:
        return self.points[0] if self.points else None


def search_report(step: StepFacts) -> SearchReport | None:
    """Of a step, done or not; None where nothing was tried yet."""
    folder = step.folder or (step.artifact.path if step.artifact is not None else None)
    path = folder / RESULT if folder is not None else None
    if path is None or not path.is_file():
        return None
    return search_of(read_json(path), step.name, finished=step.status in ("done", "outside"))


def is_search(content: Any) -> bool:
    """Whether a JSON file holds a search's result."""
    return isinstance(content, dict) and all(key in content for key in _KEYS)


def search_of(result: dict[str, Any], name: str, *, finished: bool = True) -> SearchReport:
    """From a result as the step `search` writes it. Raises InputError for one that lacks something."""
    try:
        return _search_of(result, name, finished=finished)
    except (KeyError, TypeError, AttributeError) as error:
        raise InputError(name, f"is not the result of a search: {error!r}") from None


def _search_of(result: dict[str, Any], name: str, *, finished: bool) -> SearchReport:
    higher = result["goal"] == "most"
    rows = [row for row in result["points"] if row["value"] is not None]
    rows.sort(key=lambda row: (-row["value"] if higher else row["value"], row["number"]))
    best = rows[0]["values"] if rows else {}
    points = [_tried(row, best if number else {}) for number, row in enumerate(rows[:SHOWN])]
    values, best_so_far = Curve(), Curve()
    for row in result["points"]:
        values.add(row["number"], row["value"])
        best_so_far.add(row["number"], row["best"])
    reasons = Counter(clipped(str(row["problem"]).splitlines()[0]) for row in result.get("refused", []))
    metric = result.get("metric")
    return SearchReport(
        name,
        called(result["searcher"]),
        called(metric if metric is not None else result.get("surface")),
        higher,
        points,
        len(result["points"]),
        len(result["points"]) - len(rows),
        [float(value) for value in result.get("confirmed", [])],
        values,
        best_so_far,
        reasons.most_common(SHOWN),
        finished,
    )


def _tried(row: dict[str, Any], but: dict[str, Any]) -> Tried:
    other = {path: value for path, value in row["values"].items() if path not in but or but[path] != value}
    settings = {ends(path): called(value) for path, value in other.items()}
    return Tried(row["number"], row["value"], settings, row.get("parameters"), row.get("flops"))
