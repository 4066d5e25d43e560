"""The surrogate of BOSHNAS: three small networks over an embedding, and descent along their lower confidence bound.

Shapes: N known points, P asked ones, D dimensions of the embedding, S draws of dropout.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

import numpy as np
import torch
from torch.nn import functional

Tensor = torch.Tensor
_WIDTHS = (64, 32)
_DROPOUT = 0.1
_STEPS, _LR = 100, 0.02  # of the fits
_DRAWS = 16  # of dropout, for the spread that is learned
_DESCENT, _REACH = 30, 0.1  # steps, and the longest one in each dimension
_LEAST = 1e-3  # curvature by which a step is divided


class Surrogate:
    """Fitted to values at known places, which lie in [0, 1].

    mean and noise: a network of two outputs, by the likelihood of a normal distribution. teacher: one with dropout, by
    squares; student: learns the teacher's spread under dropout at the known places and at drawn ones.
    weights: of the noise and of the spread in the bound.
    """

    def __init__(self, known_ND: np.ndarray, value_N: np.ndarray, weights: tuple[float, float], seed: int) -> None:
        self.weights = weights
        self.random = torch.Generator().manual_seed(seed)
        x_ND = torch.tensor(known_ND, dtype=torch.float32)
        y_N = torch.tensor((value_N - value_N.mean()) / (value_N.std() or 1.0), dtype=torch.float32)
        size = x_ND.shape[1]
        self.values, self.teacher, self.student = (_Network(size, outputs, self.random) for outputs in (2, 1, 1))
        self._fit(self.values, lambda: _likelihood(self.values(x_ND), y_N))
        self._fit(self.teacher, lambda: (self.teacher(x_ND, self.random)[:, 0] - y_N).square().mean())
        around_PD = torch.cat([x_ND, torch.rand(4 * len(x_ND), size, generator=self.random)])
        with torch.no_grad():
            spread_P = torch.stack([self.teacher(around_PD, self.random)[:, 0] for _ in range(_DRAWS)]).std(0)
        self._fit(self.student, lambda: (functional.softplus(self.student(around_PD)[:, 0]) - spread_P).square().mean())

    def _fit(self, network: _Network, loss: Callable[[], Tensor]) -> None:
        """All points in every step, by Adam (Kingma and Ba, 2015)."""
        parameters = list(network.parameters())
        first, second = ([torch.zeros_like(p) for p in parameters] for _ in range(2))
        for step in range(1, _STEPS + 1):
            gradients = torch.autograd.grad(loss(), parameters)
            rate = _LR * (1 - 0.999**step) ** 0.5 / (1 - 0.9**step)
            with torch.no_grad():
                for parameter, gradient, m, v in zip(parameters, gradients, first, second, strict=True):
                    m.lerp_(gradient, 0.1)
                    v.lerp_(gradient.square(), 0.001)
                    parameter.sub_(rate * m / (v.sqrt() + 1e-8))

    def parts(self, x_PD: Tensor) -> tuple[Tensor, Tensor]:
        """Mean, and the weighed uncertainty (P)."""
        mean_P, scale_P = _mean_and_scale(self.values(x_PD))
        spread_P = functional.softplus(self.student(x_PD)[:, 0])
        return mean_P, self.weights[0] * scale_P + self.weights[1] * spread_P

    def bound(self, x_PD: Tensor) -> Tensor:
        """What is to be made small (P)."""
        mean_P, uncertainty_P = self.parts(x_PD)
        return mean_P - uncertainty_P

    def uncertainty(self, place_PD: np.ndarray) -> np.ndarray:
        with torch.no_grad():
            return np.asarray(self.parts(torch.tensor(place_PD, dtype=torch.float32))[1].numpy())

    def descend(self, start_D: np.ndarray) -> np.ndarray:
        """Where the bound is small: down from a place by gradients over curvatures (of each dimension, its absolute
        value), within [0, 1]; the best place on the way."""
        x_D = torch.tensor(start_D, dtype=torch.float32)
        best_D, best = x_D, float("inf")
        for _ in range(_DESCENT):
            x_D = x_D.detach().requires_grad_()
            value = self.bound(x_D[None])[0]
            if value.item() < best:
                best_D, best = x_D.detach(), value.item()
            (gradient_D,) = torch.autograd.grad(value, x_D, create_graph=True)
            curvature_D = torch.stack(
                [torch.autograd.grad(part, x_D, retain_graph=True)[0][place] for place, part in enumerate(gradient_D)]
            )
            step_D = gradient_D.detach() / curvature_D.abs().clamp(min=_LEAST)
            x_D = (x_D.detach() - step_D.clamp(-_REACH, _REACH)).clamp(0.0, 1.0)
        return np.asarray(best_D.numpy())


class _Network(torch.nn.Module):
    """Two hidden layers with smooth activations, so that second derivatives are there."""

    def __init__(self, inputs: int, outputs: int, random: torch.Generator) -> None:
        super().__init__()
        sizes = (inputs, *_WIDTHS, outputs)
        self.weights = torch.nn.ParameterList(
            torch.randn(out, into, generator=random) / into**0.5 for into, out in pairwise(sizes)
        )
        self.biases = torch.nn.ParameterList(torch.zeros(out) for out in sizes[1:])

    def forward(self, x_PD: Tensor, random: torch.Generator | None = None) -> Tensor:
        """With a generator, units of hidden layers are dropped."""
        for number, (weight, bias) in enumerate(zip(self.weights, self.biases, strict=True)):
            x_PD = functional.linear(x_PD, weight, bias)
            if number < len(_WIDTHS):
                x_PD = functional.softplus(x_PD)
                if random is not None:
                    kept = torch.rand(x_PD.shape, generator=random) >= _DROPOUT
                    x_PD = x_PD * kept / (1 - _DROPOUT)
        return x_PD


def _mean_and_scale(output_P2: Tensor) -> tuple[Tensor, Tensor]:
    return output_P2[:, 0], functional.softplus(output_P2[:, 1]) + 1e-2


def _likelihood(output_N2: Tensor, y_N: Tensor) -> Tensor:
    """Minus the logarithm, a point."""
    mean_N, scale_N = _mean_and_scale(output_N2)
    return (0.5 * ((y_N - mean_N) / scale_N).square() + scale_N.log()).mean()
