"""Half a cosine."""

from __future__ import annotations

from seedbed.core.checks import check_rate, check_share
from seedbed.optim import schedules
from seedbed.optim.warmup import left, rising, share_after


@schedules.register("cosine")
class Cosine:
    """From `start` to `end` along half a cosine (Loshchilov and Hutter, 2017, equation 5, without restarts),
    after a linear rise from 0 to `start` over the first `warmup`:
    end + (start - end) (1 + cos(pi t)) / 2, with t from 0 to 1 after the warmup."""

    def __init__(self, start: float = 1.0, end: float = 0.0, warmup: float = 0.05) -> None:
        check_rate("start", start)
        check_rate("end", end)
        check_share("warmup", warmup)
        self.start, self.end, self.warmup = start, end, warmup

    def __call__(self, progress: float) -> float:
        rise = rising(progress, self.warmup, self.start)
        if rise is not None:
            return rise
        return self.end + (self.start - self.end) * left(share_after(progress, self.warmup), "cosine")
