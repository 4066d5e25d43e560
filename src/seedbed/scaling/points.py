"""Runs as points for a law: parameters, tokens, FLOPs, loss; from results of comparisons or from tables."""

from __future__ import annotations

import csv
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from seedbed.core.errors import InputError

from .loss_law import FLOPS
from .results import cost_of, read_arms


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
    found = [point for path in paths for point in (_table(path) if path.suffix == ".csv" else read_arms(path, _point))]
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
            points.append(Point(parameters, tokens, float(row.get("flops") or FLOPS * parameters * tokens), loss))
        except (KeyError, TypeError, ValueError):
            raise InputError(
                f"{path}, line {number}", "is no run", value=row, allowed="columns parameters, tokens, loss[, flops]"
            ) from None
    return points


def _point(name: str, arm: dict[str, Any], metric: str) -> Point:
    del name
    parameters, tokens, flops = cost_of(arm)
    return Point(parameters, tokens, flops, float(arm["summary"][metric]["mean"]))
