"""The infinite schedule."""

from __future__ import annotations

from seedbed.core.checks import check_parts, check_share
from seedbed.core.errors import InputError
from seedbed.optim import schedules
from seedbed.optim.warmup import left, rising, share_of_last


@schedules.register("infinite", papers=["244"])
class Infinite:
    """Four phases, so that training can go on without end (Singh et al., 2025, after Ibrahim et al., 2024): a rise
    from 0 to 1 over the first `warmup`; down to `constant` over the next `cooldown`, along half a cosine; `constant`;
    and over the last `anneal` down to `end`, exponentially: constant (end / constant)^t, with t from 0 to 1.

    A run that others will continue ends without an anneal (`anneal: 0`), and one that continues it begins at the
    constant rate (`warmup: 0, cooldown: 0`): in the paper one schedule spans all corpora, and what is released is
    annealed on a branch of its own. Not here: the inverse square root as the form of the cooldown. That the anneal is
    exponential is taken from the second paper.
    """

    def __init__(
        self,
        warmup: float = 0.05,
        cooldown: float = 0.5,
        constant: float = 0.5,
        anneal: float = 0.2,
        end: float = 0.01,
    ) -> None:
        check_parts(warmup=warmup, cooldown=cooldown, anneal=anneal)
        check_share("constant", constant)
        if not 0 < end <= constant:
            raise InputError("end", "must lie above 0 and not above `constant`", value=end)
        self.warmup, self.cooldown, self.constant, self.anneal, self.end = warmup, cooldown, constant, anneal, end

    def __call__(self, progress: float) -> float:
        rise = rising(progress, self.warmup)
        if rise is not None:
            return rise
        if progress < self.warmup + self.cooldown:
            return self.constant + (1 - self.constant) * left((progress - self.warmup) / self.cooldown, "cosine")
        share = share_of_last(progress, self.anneal)
        return self.constant if share is None else float(self.constant * (self.end / self.constant) ** share)
