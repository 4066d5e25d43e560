"""What schedules have in common: a linear rise at first, and the ways in which a rate goes from one value to another.

Progress, `warmup` and shares lie in [0, 1].
"""

from __future__ import annotations

import math
from typing import Literal

Shape = Literal["linear", "sqrt", "cosine"]


def rising(progress: float, warmup: float, to: float = 1.0) -> float | None:
    """The rate during a linear rise from 0 to `to` over the first `warmup` of the run; None after it."""
    return to * progress / warmup if progress < warmup else None


def share_after(progress: float, warmup: float) -> float:
    """How much of what follows the warmup is done."""
    return 0.0 if warmup == 1 else (min(progress, 1.0) - warmup) / (1 - warmup)


def share_of_last(progress: float, last: float) -> float | None:
    """How much of the `last` part of the run is done; None before it begins."""
    if last == 0 or progress <= 1 - last:
        return None
    return min(1.0, (progress - (1 - last)) / last)


def left(share: float, shape: Shape) -> float:
    """What is left, from 1 to 0, of a decay of which this share is done. linear: 1 - t; sqrt: 1 - sqrt(t) (Haegele et
    al., 2024); cosine: (1 + cos(pi t)) / 2."""
    if shape == "linear":
        return 1 - share
    if shape == "sqrt":
        return 1 - math.sqrt(share)
    return (1 + math.cos(math.pi * share)) / 2
