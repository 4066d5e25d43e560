"""Half a cosine."""

from __future__ import annotations

import math

from seedbed.optim import schedules
from seedbed.optim.checks import check_rate, check_share


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
        if progress < self.warmup:
            return self.start * progress / self.warmup
        if self.warmup == 1:
            return self.start
        share = (min(progress, 1.0) - self.warmup) / (1 - self.warmup)
        return self.end + (self.start - self.end) * (1 + math.cos(math.pi * share)) / 2
