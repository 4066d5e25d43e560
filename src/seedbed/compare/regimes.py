"""Three regimes of pruning, out of a comparison over a knob of the first training and the density after pruning.

A knob that makes training noisier or shorter raises its temperature: a higher rate, a smaller batch, fewer tokens
(Zhou et al., 2023). At a density the twins that were trained on from one pruned model lie in regime

    I      poorly connected: linear mode connectivity below -barrier      raise the temperature
    II-A   well connected, outputs relatively dissimilar: CKA below similar      lower it
    II-B   well connected and similar      keep it

which, with the two directions of advice, is the paper's figure 1. Its thresholds are read off plots; here `barrier` is
0.02 (nats a token) and `similar` lies halfway between the lowest and the highest CKA of the well connected cells, if
the user gives no others. Of a family of models, the one to prune is the well connected one with the highest CKA, or
without any the one with the smallest barrier: our reading of the same figure. Whether all this is right is measured in
the same grid, since the losses are in it.

Shapes: K values of the knob from cold to hot, D densities from low to high, S seeds.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np

from seedbed.core.errors import InputError
from seedbed.core.files import read_json
from seedbed.evaluate.statistics import mean_interval

Regime = Literal["I", "II-A", "II-B"]
Hotter = Literal["higher", "lower"]
BARRIER = 0.02
ADVICE: dict[Regime, str] = {"I": "raise", "II-A": "lower", "II-B": "keep"}
_HOTTER: dict[str, Hotter] = {"lr": "higher", "batch_tokens": "lower", "budget": "lower"}


@dataclass(frozen=True)
class Grid:
    """What a comparison measured at every temperature and density."""

    name: str
    knob: str  # the path that sets it
    values: list[Any]  # K
    densities: list[float]  # D
    arms_KD: list[list[str]]
    loss_KDS: np.ndarray
    lmc_KD: np.ndarray
    cka_KD: np.ndarray


def read_grid(path: Path, hotter: Hotter | None = None) -> Grid:
    """From a comparison's result. Its arms set a density and one other path; its first metric is the loss of the pruned
    models, and two others are scores `lmc` and `cka`. Raises InputError."""
    try:
        result = read_json(path)
        metrics = {_last(facts["path"]): name for name, facts in reversed(result["metrics"].items())}
        loss = next(iter(result["metrics"]))
        arms = {name: (arm["overrides"], arm["values"]) for name, arm in result["arms"].items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError, StopIteration):
        raise InputError(str(path), "is no result of a comparison", fix="seedbed compare FILE writes one") from None
    for metric in ("lmc", "cka"):
        if metric not in metrics:
            raise InputError(str(path), f"has no metric {metric}", fix=f"metric: {{{metric}: STEP.TASK.{metric}}}")
    if result["metrics"][loss]["higher_is_better"]:
        raise InputError(str(path), "its first metric is no loss", value=loss)
    density, knob = _axes(path, [overrides for overrides, _ in arms.values()])
    cells = {(overrides[knob], float(overrides[density])): name for name, (overrides, _) in arms.items()}
    values = sorted({value for value, _ in cells}, key=lambda value: _amount(knob, value))
    if _direction(knob, hotter) == "lower":
        values.reverse()
    densities = sorted({share for _, share in cells})
    if len(cells) != len(arms) or len(cells) != len(values) * len(densities) or len(values) < 2:
        raise InputError(str(path), f"its arms make no grid of {knob} and {density}", value=len(arms))
    arms_KD = [[cells[value, share] for share in densities] for value in values]

    def measured(metric: str) -> np.ndarray:
        return np.array([[arms[name][1][metric] for name in row] for row in arms_KD], dtype=np.float64)

    lmc_KD, cka_KD = (measured(metrics[metric]).mean(2) for metric in ("lmc", "cka"))
    return Grid(path.stem, knob, values, densities, arms_KD, measured(loss), lmc_KD, cka_KD)


def _axes(path: Path, overrides: Sequence[dict[str, Any]]) -> tuple[str, str]:
    """The paths of the density and of the knob: those that all arms set, and not all the same."""
    shared = [name for name in overrides[0] if all(name in other for other in overrides)]
    varied = [name for name in shared if any(other[name] != overrides[0][name] for other in overrides)]
    densities = [name for name in varied if _last(name) == "density"]
    knobs = [name for name in varied if name not in densities]
    if len(densities) != 1 or len(knobs) != 1:
        raise InputError(
            str(path), "its arms must differ in a density and one other path", value=varied, fix="prune: {density: ...}"
        )
    return densities[0], knobs[0]


def _last(path: str) -> str:
    return path.rpartition(".")[2]


def _amount(knob: str, value: Any) -> float:
    """A number, also of a budget ("600k tokens")."""
    from seedbed.train.budget import Budget

    try:
        return float(value) if not isinstance(value, str) else float(Budget.parse(value).amount)
    except (InputError, TypeError):
        raise InputError(knob, "is no number whose order would say what is hotter", value=value) from None


def _direction(knob: str, hotter: Hotter | None) -> Hotter:
    found = hotter or _HOTTER.get(_last(knob))
    if found is None:
        raise InputError("--hotter", f"is {knob} hotter when it is higher or lower?", allowed="higher, lower")
    return found


def judge(grid: Grid, barrier: float = BARRIER, similar: float | None = None) -> dict[str, Any]:
    """Regimes, advice and choice, and what the grid's own losses say to them.

    Of a cell's advice, `right` says whether the neighbor that it points to has a lower loss (for `keep`: whether none
    has); None at the edge. Of a density, `trend` is the change of the loss from one temperature to the next hotter one
    (least squares over all of them, an interval over the seeds), and `regret` the loss of the chosen model above the
    best one's.
    """
    connected_KD = grid.lmc_KD >= -barrier
    if similar is None:
        known = grid.cka_KD[connected_KD]
        similar = float((known.min() + known.max()) / 2) if known.size else 1.0
    loss_KD, size = grid.loss_KDS.mean(2), len(grid.values)
    cells = []
    for k, d in np.ndindex(loss_KD.shape):
        regime: Regime = "II-B" if grid.cka_KD[k, d] >= similar else "II-A"
        regime = regime if connected_KD[k, d] else "I"
        numbers = {"loss": loss_KD[k, d], "lmc": grid.lmc_KD[k, d], "cka": grid.cka_KD[k, d]}
        cells.append(
            {"arm": grid.arms_KD[k][d], "value": grid.values[k], "density": grid.densities[d]}
            | {name: float(number) for name, number in numbers.items()}
            | {"regime": regime, "advice": ADVICE[regime], "right": _right(ADVICE[regime], loss_KD[:, d], k)}
        )
    steps_K = np.arange(size) - (size - 1) / 2
    densities = []
    for d, density in enumerate(grid.densities):
        trend = mean_interval(np.tensordot(steps_K, grid.loss_KDS[:, d], 1) / (steps_K @ steps_K))
        rank_K = np.where(connected_KD[:, d], grid.cka_KD[:, d], grid.lmc_KD[:, d] - 1)  # all connected ones first
        chosen, best = int(rank_K.argmax()), int(loss_KD[:, d].argmin())
        raising = "open" if not trend.excludes_zero else "hurts" if trend.low > 0 else "helps"
        densities.append(
            {"density": density, "trend": asdict(trend), "raising": raising}
            | {"chosen": grid.values[chosen], "best": grid.values[best]}
            | {"regret": float(loss_KD[chosen, d] - loss_KD[best, d])}
        )
    facts = {"grid": grid.name, "knob": grid.knob, "values": grid.values, "barrier": barrier, "similar": similar}
    return {**facts, "cells": cells, "densities": densities}


def _right(advice: str, loss_K: np.ndarray, k: int) -> bool | None:
    if advice == "keep":
        return bool(loss_K[k] <= loss_K[max(0, k - 1) : k + 2].min())
    other = k + (1 if advice == "raise" else -1)
    return bool(loss_K[other] < loss_K[k]) if 0 <= other < len(loss_K) else None
