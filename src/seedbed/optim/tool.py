"""How the small networks are trained that are tools (extractors, segmenters) and not what is studied."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch

_BETAS = (0.9, 0.98)
_WEIGHT_DECAY = 0.05
_WARMUP = 0.1  # of all steps
_CLIP = 1.0


class ToolOptimizer:
    """AdamW with clipped gradients, a linear warm-up and a cosine to zero over so many steps."""

    def __init__(self, parameters: Iterable[torch.nn.Parameter], lr: float, steps: int) -> None:
        import torch

        self._parameters = list(parameters)
        self._adamw = torch.optim.AdamW(self._parameters, lr, betas=_BETAS, weight_decay=_WEIGHT_DECAY)
        self._schedule = torch.optim.lr_scheduler.LambdaLR(self._adamw, lambda step: _rate(step / steps))

    def step(self, loss: torch.Tensor) -> float:
        """Go down a loss by one step; returns its value."""
        import torch

        self._adamw.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(self._parameters, _CLIP)
        self._adamw.step()
        self._schedule.step()
        return loss.item()


def _rate(progress: float) -> float:
    return min((progress + 1e-3) / _WARMUP, 0.5 + 0.5 * math.cos(math.pi * progress))
