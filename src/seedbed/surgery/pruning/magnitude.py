"""Which weights magnitude pruning keeps.

Shapes: N weights, of one matrix or of all together.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import torch

Tensor = torch.Tensor
Scope = Literal["matrix", "global"]


def magnitude_masks(weights: Mapping[str, Tensor], density: float, scope: Scope) -> dict[str, Tensor]:
    """True where a weight stays: the round(density * N) largest by absolute value, of each matrix or of all together;
    among equals those that come first."""
    if scope == "matrix":
        return {name: _largest(weight.flatten(), density).view_as(weight) for name, weight in weights.items()}
    kept_N = _largest(torch.cat([weight.flatten() for weight in weights.values()]), density)
    parts = kept_N.split([weight.numel() for weight in weights.values()])
    return {name: part.view_as(weight) for (name, weight), part in zip(weights.items(), parts, strict=True)}


def _largest(weight_N: Tensor, density: float) -> Tensor:
    order_N = weight_N.abs().argsort(descending=True, stable=True)
    kept_N = torch.zeros_like(weight_N, dtype=torch.bool)
    kept_N[order_N[: round(density * weight_N.numel())]] = True
    return kept_N
