"""Linear layers that are products of two thin matrices, or have one beside them.

Shapes: O outputs, I inputs of a layer, R rank. The stored factors are `up` (O, R) and `down` (R, I).
"""

from __future__ import annotations

import torch
from torch.nn import functional

from seedbed.core.errors import InputError
from seedbed.models.layers import Linear
from seedbed.models.replace import draw_uniform

Tensor = torch.Tensor


class LowRankLinear(torch.nn.Module):
    """y = (x down^T) up^T + b: a matrix of at most rank R in the place of a full one.

    Begins as the best approximation of the layer that it replaces, in balanced factors: up = U sqrt(S) and
    down = sqrt(S) V^T of its singular value decomposition, cut at R (spectral initialization, Khodak et al., 2021).
    """

    def __init__(self, linear: Linear, rank: int, name: str) -> None:
        super().__init__()
        check_rank(rank, linear, name)
        left_OK, values_K, right_KI = torch.linalg.svd(linear.weight.detach(), full_matrices=False)
        root_R = values_K[:rank].sqrt()
        trains = linear.weight.requires_grad
        self.up = torch.nn.Parameter((left_OK[:, :rank] * root_R).contiguous(), requires_grad=trains)
        self.down = torch.nn.Parameter((root_R[:, None] * right_KI[:rank]).contiguous(), requires_grad=trains)
        self.bias = linear.bias

    def forward(self, x: Tensor) -> Tensor:
        bias = None if self.bias is None else self.bias.to(x.dtype)
        return functional.linear(functional.linear(x, self.down.to(x.dtype)), self.up.to(x.dtype), bias)

    def merged(self) -> Tensor:
        """up down."""
        return self.up @ self.down

    @torch.no_grad()
    def refactor(self) -> None:
        """The same product in balanced factors: up = U sqrt(S), down = sqrt(S) V^T of its singular value decomposition,
        which follows from that of the R x R matrix between the factors' orthonormal bases."""
        basis_OR, upper_RR = torch.linalg.qr(self.up)
        basis_IR, lower_RR = torch.linalg.qr(self.down.T)
        left_RR, values_R, right_RR = torch.linalg.svd(upper_RR @ lower_RR.T)
        root_R = values_R.sqrt()
        self.up.copy_(basis_OR @ (left_RR * root_R))
        self.down.copy_((root_R[:, None] * right_RR) @ basis_IR.T)


class AdaptedLinear(Linear):
    """y = x W^T + b + scale (x down^T) up^T with W frozen (LoRA, Hu et al., 2022); `up` begins at zero."""

    def __init__(self, linear: Linear, rank: int, scale: float, name: str) -> None:
        outputs, inputs = linear.weight.shape
        check_rank(rank, linear, name)
        super().__init__(inputs, outputs, bias=False)
        trains, device = linear.weight.requires_grad, linear.weight.device
        self.weight, self.bias, self.scale = linear.weight, linear.bias, scale
        self.weight.requires_grad_(False)
        self.up = torch.nn.Parameter(torch.zeros(outputs, rank, device=device), requires_grad=trains)
        self.down = torch.nn.Parameter(torch.empty(rank, inputs, device=device), requires_grad=trains)

    def begin(self, seed: int, *names: int | str) -> None:
        """`down` drawn anew, uniform in +-1/sqrt(I) (He et al., 2015, with a slope of sqrt(5), as in LoRA's code), and
        `up` zero."""
        draw_uniform(self.down, self.weight.shape[1] ** -0.5, seed, "adapter", *names)
        with torch.no_grad():
            self.up.zero_()

    def forward(self, x: Tensor) -> Tensor:
        low = functional.linear(x, self.down.to(x.dtype))
        return super().forward(x) + functional.linear(low, self.up.to(x.dtype)) * self.scale

    @torch.no_grad()
    def merged(self) -> Tensor:
        """W + scale up down."""
        return self.weight + self.scale * (self.up @ self.down)


def check_rank(rank: int, linear: Linear, name: str) -> None:
    """A rank that the layer can have."""
    if rank > min(linear.weight.shape):
        raise InputError(
            "rank",
            f"is above the rank of {name}, which is {linear.weight.shape[0]} x {linear.weight.shape[1]}",
            value=rank,
            allowed=f"up to {min(linear.weight.shape)}",
        )
