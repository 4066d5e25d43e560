"""Runs as points for a law: parameters, tokens, FLOPs, loss; from results of comparisons or from tables."""

from __future__ import annotations

import csv
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from seedbed.core.errors import InputError
from seedbed.core.files import read_json

_FLOPS = 6.0  # of a parameter and token, where a table has no FLOPs


@dataclass(frozen=True)
class Point:
    """One run."""

    parameters: float
    tokens: float
    flops: float
    loss: float


def read_points(paths: Iterable[Path]) -> list[Point]:
    """From JSON, the result of a comparison or study (each arm one run, its loss the mean over seeds), and from CSV
    with the columns parameters, tokens, loss, and flops where it is known.

    A comparison's first metric is the loss; a metric of the name `parameters` (path STEP.parameters) the size. Without
    one, the size is FLOPs / (6 tokens): what each token costs, in parameters.
    """
    found = [point for path in paths for point in (_table(path) if path.suffix == ".csv" else _result(path))]
    if not found:
        raise InputError("--law", "the files hold no runs")
    return found


def _table(path: Path) -> list[Point]:
    try:
        with path.open(encoding="utf8", newline="") as file:
            rows = list(csv.DictReader(file))
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(str(path), f"is not readable: {error}") from None
    points = []
    for number, row in enumerate(rows, 2):
        try:
            parameters, tokens, loss = (float(row[name]) for name in ("parameters", "tokens", "loss"))
            points.append(Point(parameters, tokens, float(row.get("flops") or _FLOPS * parameters * tokens), loss))
        except (KeyError, TypeError, ValueError):
            raise InputError(
                f"{path}, line {number}", "is no run", value=row, allowed="columns parameters, tokens, loss[, flops]"
            ) from None
    return points


def _result(path: Path) -> list[Point]:
    try:
        result = read_json(path)
        metric = next(iter(result["metrics"]))
        upwards = result["metrics"][metric].get("higher_is_better")
        points = [_point(arm, metric) for arm in result["arms"].values()]
    except (OSError, ValueError, KeyError, TypeError, AttributeError, StopIteration):
        raise InputError(str(path), "is neither a comparison's result nor a .csv") from None
    if upwards:
        raise InputError(str(path), "its first metric is no loss", value=metric)
    return points


def _point(arm: dict[str, Any], metric: str) -> Point:
    tokens, flops = float(arm["cost"]["tokens"]), float(arm["cost"]["flops"])
    size = arm["summary"].get("parameters", {}).get("mean") or flops / _FLOPS / tokens
    return Point(float(size), tokens, flops, float(arm["summary"][metric]["mean"]))
