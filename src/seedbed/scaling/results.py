"""What a comparison found, arm by arm, where its first metric is a loss."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from seedbed.core.errors import InputError
from seedbed.core.files import read_json

from .loss_law import FLOPS

T = TypeVar("T")


def read_arms(path: Path, of: Callable[[str, dict[str, Any], str], T]) -> list[T]:
    """What `of` makes of each arm's name, its facts and the name of the loss. Raises InputError for other files."""
    try:
        result = read_json(path)
        metric = next(iter(result["metrics"]))
        upwards = result["metrics"][metric].get("higher_is_better")
        found = [of(name, arm, metric) for name, arm in result["arms"].items()]
    except (OSError, ValueError, KeyError, TypeError, AttributeError, StopIteration, ZeroDivisionError):
        raise InputError(
            str(path), "is no result of a comparison", fix="seedbed compare FILE.yaml writes one; name a table .csv"
        ) from None
    if upwards:
        raise InputError(str(path), "its first metric is no loss", value=metric)
    return found


def cost_of(arm: dict[str, Any]) -> tuple[float, float, float]:
    """Parameters, tokens and FLOPs of an arm: of parameters what its metric `parameters` counted, else
    FLOPs / (6 tokens), which is what each token costs in parameters."""
    tokens, flops = float(arm["cost"]["tokens"]), float(arm["cost"]["flops"])
    return float(arm["summary"].get("parameters", {}).get("mean") or flops / FLOPS / tokens), tokens, flops
