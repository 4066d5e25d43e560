"""All gradients in one flat buffer: one operation to clear, to sum over processes, to measure and to scale them.

The parameters' `.grad` are views into it, and autograd adds to them in place. A parameter that no loss has
reached has a gradient of zeros (not None), in one process as in several.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from seedbed.core import distributed
from seedbed.core.errors import InputError

if TYPE_CHECKING:
    import torch


def trainable(network: torch.nn.Module) -> list[torch.nn.Parameter]:
    """The parameters that have gradients; an error if there are none."""
    found = [parameter for parameter in network.parameters() if parameter.requires_grad]
    if not found:
        raise InputError("trainable", "leaves nothing to train")
    return found


class Gradients:
    """The gradients of the trainable parameters."""

    def __init__(self, network: torch.nn.Module) -> None:
        import torch

        self.parameters = trainable(network)
        first = self.parameters[0]
        assert all(p.dtype == first.dtype and p.device == first.device for p in self.parameters), "mixed parameters"
        self.flat = torch.zeros(sum(p.numel() for p in self.parameters), dtype=first.dtype, device=first.device)
        sizes = [parameter.numel() for parameter in self.parameters]
        self.views = [view.view_as(p) for view, p in zip(self.flat.split(sizes), self.parameters, strict=True)]

    def clear(self) -> None:
        """Zeros, and the views back in place if someone has taken them away."""
        self.flat.zero_()
        for parameter, view in zip(self.parameters, self.views, strict=True):
            parameter.grad = view

    def add_processes(self) -> None:
        """Sum over the processes."""
        distributed.add(self.flat)

    def scale(self, factor: float) -> None:
        """Multiply all of them."""
        self.flat.mul_(factor)

    def norm(self) -> float:
        """The Euclidean norm of all of them; not finite if one of them is not."""
        import torch

        return float(torch.linalg.vector_norm(self.flat))  # asked for in float64 it takes 25 times as long

    def clip(self, limit: float, norm: float) -> None:
        """Scale them down to a norm of at most `limit` (Pascanu et al., 2013); 0 is no limit."""
        if limit and norm > limit:
            self.scale(limit / norm)
