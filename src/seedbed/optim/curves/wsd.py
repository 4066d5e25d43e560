"""Warmup, stable, decay."""

from __future__ import annotations

from seedbed.core.checks import check_parts, check_rate
from seedbed.optim import schedules
from seedbed.optim.warmup import Shape, left, rising, share_of_last


@schedules.register("wsd")
class WarmupStableDecay:
    """A rise from 0 to 1 over the first `warmup`, 1 until the last `decay`, then down to `end` (Hu et al., 2024,
    MiniCPM, section 4). With t from 0 to 1 over the decay, `shape` is
    linear: 1 - t;  sqrt: 1 - sqrt(t) (Haegele et al., 2024);  cosine: (1 + cos(pi t)) / 2.
    MiniCPM's own decay is exponential; the linear and square-root ones did better in the second paper."""

    def __init__(
        self,
        warmup: float = 0.05,
        decay: float = 0.2,
        shape: Shape = "sqrt",
        end: float = 0.0,
    ) -> None:
        check_parts(warmup=warmup, decay=decay)
        check_rate("end", end)
        self.warmup, self.decay, self.shape, self.end = warmup, decay, shape, end

    def __call__(self, progress: float) -> float:
        rise = rising(progress, self.warmup)
        if rise is not None:
            return rise
        share = share_of_last(progress, self.decay)
        return 1.0 if share is None else self.end + (1 - self.end) * left(share, self.shape)
