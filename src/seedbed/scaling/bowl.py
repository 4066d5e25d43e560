"""The best rate and batch of a sweep: the bowl that fits its losses.

Near its minimum the loss is close to a quadratic form in the logarithms of rate and batch (Li et al., 2025, section
3.3). The form is fitted to the best arm and its neighbors on the grid only: far from the minimum, where training turns
unstable, the loss is nothing like it.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from seedbed.core.errors import InputError
from seedbed.evaluate.statistics import mean_interval

from .results import cost_of, read_arms
from .sweep import SUGGESTED

_ENDINGS = (".lr", ".batch_tokens")  # of what a sweep sets


@dataclass(frozen=True)
class Sweep:
    """What a sweep found: arms with rate and batch, and their losses, seed by seed; where its result says so, the size
    of its runs (without embeddings) and their tokens."""

    name: str
    arms: list[str]
    lr_A: np.ndarray
    batch_A: np.ndarray
    loss_AS: np.ndarray
    parameters: float | None = None
    tokens: float | None = None


def read_sweep(path: Path) -> Sweep:
    """From a comparison's result, whose arms set a rate and a batch (or one of them). Raises InputError."""
    arms = read_arms(path, _read)
    columns = [_column([numbers for _, numbers, *_ in arms], ending) for ending in _ENDINGS]
    found = zip(arms, *columns, strict=True)
    rows = [(name, lr, batch, *rest) for (name, _, *rest), lr, batch in found if (lr, batch) != (None, None)]
    if len(rows) < 3:
        raise InputError(
            str(path), "fewer than three arms set a learning rate or a batch", fix="seedbed suggest --sweep"
        )
    names, rates, batches, losses, sizes = zip(*rows, strict=True)
    for what, values in (("learning rate", rates), ("batch", batches)):
        if any(value is None for value in values) and any(value is not None for value in values):
            raise InputError(str(path), f"some arms set a {what} and some do not")
    lr_A, batch_A = (np.array([1.0 if value is None else value for value in column]) for column in (rates, batches))
    size = np.median(sizes, axis=0).tolist() if all(sizes) else (None, None)  # whole rows: not the same to the token
    return Sweep(path.stem, list(names), lr_A, batch_A, np.array(losses, dtype=np.float64), *size)


def _read(name: str, arm: dict[str, Any], metric: str) -> tuple[str, dict[str, float], list[float], tuple[float, ...]]:
    """Its name, the rates and batches that it sets, its losses, and (parameters, tokens), or nothing."""
    numbers = {path: float(value) for path, value in arm["overrides"].items() if path.endswith(_ENDINGS)}
    return name, numbers, arm["values"][metric], cost_of(arm)[:2] if "cost" in arm else ()


def _column(numbers_A: Sequence[dict[str, float]], ending: str) -> list[float | None]:
    """What each arm sets by a path with this ending; of several such paths (all arms may set the rate of another step)
    by the one that differs most."""
    paths = dict.fromkeys(path for numbers in numbers_A for path in numbers if path.endswith(ending))
    path = max(paths, key=lambda path: len({numbers.get(path) for numbers in numbers_A}), default="")
    return [numbers.get(path) for numbers in numbers_A]


@dataclass(frozen=True)
class Bowl:
    """The minimum of the quadratic form around the best arm; where there is none, that arm, and `problem` says why."""

    lr: float
    batch: float
    loss: float
    problem: str = ""


def judge(sweep: Sweep) -> dict[str, Any]:
    """The best arm, the fitted minimum with Student's t intervals over the seeds of log rate and log batch, and how far
    the loss of the arm `suggested` lies above the best."""
    loss_A = sweep.loss_AS.mean(1)
    bowl = fit_bowl(sweep, loss_A)
    best = float(loss_A.min())
    found: dict[str, Any] = {
        "sweep": sweep.name,
        "best_arm": sweep.arms[int(loss_A.argmin())],
        "best_loss": best,
        "optimum": dataclasses.asdict(bowl),
    }
    by_seed = [fit_bowl(sweep, seed_A) for seed_A in sweep.loss_AS.T]
    if len(by_seed) > 1 and not any(other.problem for other in (bowl, *by_seed)):
        for name in ("lr", "batch"):
            interval = mean_interval([math.log(getattr(other, name)) for other in by_seed])
            found[f"{name}_interval"] = [math.exp(interval.low), math.exp(interval.high)]
    if SUGGESTED in sweep.arms:
        found["gap"] = float(loss_A[sweep.arms.index(SUGGESTED)]) - min(bowl.loss, best)
    return found


def fit_bowl(sweep: Sweep, loss_A: np.ndarray) -> Bowl:
    """Least squares on the best arm and its neighbors. An axis on which all arms are the same is left out."""
    best = int(loss_A.argmin())
    at_best = Bowl(float(sweep.lr_A[best]), float(sweep.batch_A[best]), float(loss_A[best]))
    near_A = np.ones(len(loss_A), dtype=bool)
    axes: dict[str, np.ndarray] = {}
    for name, values_A in (("lr", sweep.lr_A), ("batch", sweep.batch_A)):
        values = np.unique(values_A)
        place = int(np.searchsorted(values, values_A[best]))
        if len(values) == 1:
            continue
        if place in (0, len(values) - 1):
            return dataclasses.replace(at_best, problem=f"the best {name} lies at the edge of the grid: widen it")
        near_A &= (values_A >= values[place - 1]) & (values_A <= values[place + 1])
        axes[name] = np.log(values_A / values_A[best])
    if not axes:
        return dataclasses.replace(at_best, problem="all arms have the same rate and batch")
    offset, gradient_X, curvature_XX = _quadratic([axis_A[near_A] for axis_A in axes.values()], loss_A[near_A])
    if offset is None or np.linalg.eigvalsh(curvature_XX).min() <= 0:
        return dataclasses.replace(at_best, problem="the losses around the best arm make no bowl")
    step_X = -np.linalg.solve(curvature_XX, gradient_X)
    if any(abs(step) > np.abs(axis_A[near_A]).max() for axis_A, step in zip(axes.values(), step_X, strict=True)):
        return dataclasses.replace(at_best, problem="the fitted minimum lies far from the best arm: widen the grid")
    moved = {name: getattr(at_best, name) * math.exp(step) for name, step in zip(axes, step_X, strict=True)}
    return dataclasses.replace(at_best, **moved, loss=float(offset + gradient_X @ step_X / 2))


def _quadratic(axes_XA: Sequence[np.ndarray], loss_A: np.ndarray) -> tuple[float | None, np.ndarray, np.ndarray]:
    """Offset, gradient and curvature at the center; offset None where the points do not determine them."""
    size = len(axes_XA)
    pairs = [(i, j) for i in range(size) for j in range(i, size)]
    columns = [np.ones_like(loss_A), *axes_XA, *(axes_XA[i] * axes_XA[j] for i, j in pairs)]
    found, _, rank, _ = np.linalg.lstsq(np.stack(columns, 1), loss_A, rcond=1e-9)
    curvature_XX = np.zeros((size, size))
    for (i, j), value in zip(pairs, found[1 + size :], strict=True):
        curvature_XX[i, j] += value
        curvature_XX[j, i] += value
    return (float(found[0]) if rank == len(columns) else None), found[1 : 1 + size], curvature_XX
