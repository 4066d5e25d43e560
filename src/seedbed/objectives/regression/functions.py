"""Sequences of points and their values under a function that is drawn for each.

Shapes: B sequences, N points, D dimension, J hidden units, M functions.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal, get_args

import numpy as np

from seedbed.core.counters import hash64, integers, key, uniform
from seedbed.core.errors import InputError, unknown_key

Family = Literal["dense", "sparse", "blend", "relu", "sinusoid"]
_UNITS = 16  # of a network that is a function


@dataclass(frozen=True)
class Functions:
    """What functions are drawn from; all have values of about variance D, over inputs of variance 1.

    families: their weights. `dense`: w'x with w from a standard normal distribution. `sparse`: the same with all but
        `nonzero` coordinates, drawn evenly, set to zero, and the others larger. `blend`: the mean of one of each,
        scaled up to the same variance. `relu`: a network with one hidden layer of 16. `sinusoid`: a sine of w'x.
    dimension: of the inputs, which are from a standard normal distribution; with `decay` above 0 coordinate number i
        (from 1) has variance i ** -decay.
    noise: standard deviation of what is added to values.
    tasks: how many functions there are; None for a new one in every sequence. `pool` is what they are drawn by.
    """

    families: Mapping[str, float] = field(default_factory=lambda: {"dense": 1.0})
    dimension: int = 8
    noise: float = 0.5
    tasks: int | None = None
    nonzero: int = 2
    decay: float = 0.0
    pool: int = 0

    def __post_init__(self) -> None:
        for name, weight in self.families.items():
            if name not in get_args(Family):
                raise unknown_key("families", name, get_args(Family), "family")
            if not 0 <= weight < float("inf"):
                raise InputError(f"families.{name}", "must not be negative", value=weight)
        if not sum(self.families.values()) > 0:
            raise InputError("families", "have no weight", value=dict(self.families))
        if self.dimension < 1:
            raise InputError("dimension", "must be at least 1", value=self.dimension)
        if not 1 <= self.nonzero <= self.dimension:
            raise InputError("nonzero", f"must lie between 1 and the dimension ({self.dimension})", value=self.nonzero)
        if self.tasks is not None and self.tasks < 1:
            raise InputError("tasks", "must be at least 1", value=self.tasks)
        for name, value in (("noise", self.noise), ("decay", self.decay)):
            if not 0 <= value < float("inf"):
                raise InputError(name, "must not be negative", value=value)

    def sequences(self, numbers_B: np.ndarray, points: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
        """Inputs (B, N, D) and noisy values (B, N) of the sequences of these numbers; the beginning of a sequence does
        not depend on how many points it has."""
        place_N, axis_D = np.arange(points), np.arange(self.dimension)
        x_BND = normal(key(seed, "regression", "inputs"), numbers_B[:, None, None], place_N[:, None], axis_D)
        x_BND *= (axis_D + 1.0) ** (-self.decay / 2)
        noise_BN = normal(key(seed, "regression", "noise"), numbers_B[:, None], place_N)
        if self.tasks is None:
            found_BN = self._values(key(seed, "regression", "functions"), numbers_B, x_BND)
        else:
            which_B = integers(key(seed, "regression", "tasks"), self.tasks, numbers_B)
            found_BN = self._values(key(self.pool, "regression", "pool"), which_B, x_BND)
        return x_BND, found_BN + self.noise * noise_BN

    def weights(self) -> np.ndarray:
        """Those of all functions of the pool (M, D). Raises InputError if they are not linear, or without end."""
        if self.tasks is None:
            raise InputError("tasks", "are not a pool", fix="tasks: a number")
        for name, weight in self.families.items():
            if weight and name not in ("dense", "sparse", "blend"):
                raise InputError("families", "have functions that are not linear", value=name)
        inputs_MDD = np.broadcast_to(np.eye(self.dimension), (self.tasks, self.dimension, self.dimension))
        return self._values(key(self.pool, "regression", "pool"), np.arange(self.tasks), inputs_MDD)

    def only(self, family: str) -> Functions:
        """New functions of one family."""
        return replace(self, families={family: 1.0}, tasks=None)

    def _values(self, stream: int, numbers_B: np.ndarray, x_BND: np.ndarray) -> np.ndarray:
        """Of the functions of these numbers, without noise (B, N)."""
        names = list(self.families)
        share_F = np.array([self.families[name] for name in names])
        bounds_F = np.cumsum(share_F / share_F.sum())[:-1]
        family_B = np.searchsorted(bounds_F, uniform(key(stream, "family"), numbers_B), side="right")
        found_BN = np.zeros(x_BND.shape[:2])
        for number, name in enumerate(names):
            mine_B = family_B == number
            if mine_B.any():
                found_BN[mine_B] = getattr(self, f"_{name}")(key(stream, name), numbers_B[mine_B], x_BND[mine_B])
        return found_BN

    def _dense(self, stream: int, numbers_B: np.ndarray, x_BND: np.ndarray) -> np.ndarray:
        w_BD = normal(stream, numbers_B[:, None], np.arange(self.dimension))
        return np.asarray((x_BND @ w_BD[:, :, None])[:, :, 0])

    def _sparse(self, stream: int, numbers_B: np.ndarray, x_BND: np.ndarray) -> np.ndarray:
        order_BD = hash64(key(stream, "support"), numbers_B[:, None], np.arange(self.dimension)).argsort(1).argsort(1)
        kept_BD = (order_BD < self.nonzero) * np.sqrt(self.dimension / self.nonzero)
        return self._dense(stream, numbers_B, x_BND * kept_BD[:, None, :])

    def _blend(self, stream: int, numbers_B: np.ndarray, x_BND: np.ndarray) -> np.ndarray:
        parts = self._dense(key(stream, "one"), numbers_B, x_BND), self._sparse(key(stream, "two"), numbers_B, x_BND)
        return np.asarray((parts[0] + parts[1]) / np.sqrt(2.0))

    def _relu(self, stream: int, numbers_B: np.ndarray, x_BND: np.ndarray) -> np.ndarray:
        # each unit is max(0, u) with u of variance D: its square has mean D / 2
        axis_D, unit_J = np.arange(self.dimension), np.arange(_UNITS)
        in_BDJ = normal(key(stream, "in"), numbers_B[:, None, None], axis_D[:, None], unit_J)
        out_BJ = normal(key(stream, "out"), numbers_B[:, None], unit_J) * np.sqrt(2.0 / _UNITS)
        return np.asarray((np.maximum(x_BND @ in_BDJ, 0.0) @ out_BJ[:, :, None])[:, :, 0])

    def _sinusoid(self, stream: int, numbers_B: np.ndarray, x_BND: np.ndarray) -> np.ndarray:
        phase_B = 2 * np.pi * uniform(key(stream, "phase"), numbers_B)
        angle_BN = np.pi / 2 * self._dense(stream, numbers_B, x_BND) / np.sqrt(self.dimension)
        return np.asarray(np.sqrt(2.0 * self.dimension) * np.sin(angle_BN + phase_B[:, None]))


def normal(stream: int, *counters: Any) -> np.ndarray:
    """Numbers from a standard normal distribution, one for each element of the broadcast counters (Box and Muller)."""
    radius = np.sqrt(-2.0 * np.log1p(-uniform(stream, *counters)))
    return np.asarray(radius * np.cos(2 * np.pi * uniform(key(stream, "angle"), *counters)))
