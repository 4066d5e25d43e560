"""A constant."""

from __future__ import annotations

from seedbed.core.checks import check_rate, check_share
from seedbed.optim import schedules
from seedbed.optim.warmup import rising


@schedules.register("constant")
class Constant:
    """`value` throughout, after a linear rise from 0 over the first `warmup` (a share of the run)."""

    def __init__(self, value: float = 1.0, warmup: float = 0.0) -> None:
        check_rate("value", value)
        check_share("warmup", warmup)
        self.value, self.warmup = value, warmup

    def __call__(self, progress: float) -> float:
        rise = rising(progress, self.warmup)
        return self.value * (1.0 if rise is None else rise)
