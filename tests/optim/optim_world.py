"""Small networks of odd shapes, and gradients for them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import nn

from seedbed.optim import optimizers


class Odd(nn.Module):
    """An embedding that is also the output, matrices of odd shapes, a tensor of three dimensions, vectors, frozen."""

    def __init__(self) -> None:
        super().__init__()
        self.embedding = nn.Embedding(7, 4)
        shapes = {"one": (1, 1), "row": (1, 7), "column": (7, 1), "tall": (9, 3), "wide": (3, 9), "square": (4, 4)}
        self.matrices = nn.ParameterDict({name: nn.Parameter(torch.randn(shape)) for name, shape in shapes.items()})
        self.tensor = nn.Parameter(torch.randn(2, 3, 2))
        self.vector = nn.Parameter(torch.randn(5))
        self.scalar = nn.Parameter(torch.randn(()))
        self.frozen = nn.Parameter(torch.randn(3, 3), requires_grad=False)

    def output(self) -> tuple[torch.Tensor, None]:
        return self.embedding.weight, None


def run_on_matrix(
    name: str,
    gradients: list[np.ndarray],
    start: np.ndarray,
    *,
    lr: Callable[[int], float] | None = None,
    **options: Any,
) -> tuple[np.ndarray, Any]:
    """The weights of one hidden matrix in float64 after these gradients, and the optimizer."""
    layer = nn.Linear(start.shape[1], start.shape[0], bias=False).double()
    with torch.no_grad():
        layer.weight.copy_(torch.from_numpy(start))
    optimizer = optimizers.create(name, **options).build(layer)
    for number, gradient in enumerate(gradients, 1):
        layer.weight.grad = torch.from_numpy(gradient.copy())
        if lr is not None:
            optimizer.param_groups[0]["lr"] = lr(number)
        optimizer.step()
    return layer.weight.detach().numpy(), optimizer


def drawn(shape: tuple[int, int], steps: int, seed: int = 0) -> tuple[np.ndarray, list[np.ndarray]]:
    """Weights, and gradients with columns of very different sizes."""
    random = np.random.default_rng(seed)
    scale = 10.0 ** random.uniform(-2, 1, shape[1])
    return random.normal(size=shape), [random.normal(size=shape) * scale for _ in range(steps)]
