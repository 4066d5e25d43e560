"""Making an optimizer forget, for parameters that begin anew."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch


def clear(optimizer: torch.optim.Optimizer, parameters: Iterable[Any]) -> None:
    """All that the optimizer remembers of the parameters becomes zero, also how many updates they have had where that
    is kept for each."""
    for parameter in parameters:
        for value in optimizer.state.get(parameter, {}).values():
            if hasattr(value, "zero_"):
                value.zero_()


def prune(optimizer: torch.optim.Optimizer, parameters: Iterable[Any], share: float) -> None:
    """Of every moment (each state of the parameter's shape) the `share` of smallest magnitude becomes zero."""
    for parameter in parameters:
        for value in optimizer.state.get(parameter, {}).values():
            if hasattr(value, "shape") and value.shape == parameter.shape:
                removed = round(share * value.numel())
                smallest = value.abs().flatten().argsort(stable=True)[:removed]
                value.view(-1)[smallest] = 0
