"""A straight line."""

from __future__ import annotations

from seedbed.core.checks import check_rate, check_share
from seedbed.optim import schedules
from seedbed.optim.warmup import rising, share_after


@schedules.register("linear", papers=["280"])
class Linear:
    """From `start` to `end` in a straight line, after a linear rise from 0 to `start` over the first `warmup`.

    As a masking rate, `linear` with start=0.3, end=0.15 is the decreasing schedule of Ankner et al. (2023).
    """

    def __init__(self, start: float = 1.0, end: float = 0.0, warmup: float = 0.0) -> None:
        check_rate("start", start)
        check_rate("end", end)
        check_share("warmup", warmup)
        self.start, self.end, self.warmup = start, end, warmup

    def __call__(self, progress: float) -> float:
        rise = rising(progress, self.warmup, self.start)
        if rise is not None:
            return rise
        return self.start + (self.end - self.start) * share_after(progress, self.warmup)
