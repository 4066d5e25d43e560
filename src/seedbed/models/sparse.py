"""Fixed masks for weights, and the linear layer of N:M sparse training.

Masks are functions of a seed, a layer's name and the position in its weights, so nothing has to be kept of them.
Shapes: O outputs, I inputs of a layer, T tokens, R rank; G groups of M.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch.nn import functional

from seedbed.core.counters import hash64, key
from seedbed.models.layers import Linear
from seedbed.models.replace import draw_uniform

Tensor = torch.Tensor


def random_mask(shape: Sequence[int], sparsity: float, seed: int, name: str) -> Tensor:
    """True where a weight stays: all but round(sparsity * O * I) of them, drawn without replacement."""
    numbers_OI = _numbers(shape, seed, name, "unstructured")
    removed = round(sparsity * numbers_OI.size)
    mask = np.ones(numbers_OI.size, dtype=bool)
    mask[np.argpartition(numbers_OI.ravel(), removed - 1)[:removed] if removed else []] = False
    return torch.from_numpy(mask.reshape(tuple(shape)))


def nm_mask(shape: Sequence[int], n: int, m: int, seed: int, name: str) -> Tensor:
    """True for n of every m weights that follow each other in a row (inputs of one output), drawn at random."""
    numbers_OGM = _numbers(shape, seed, name, "rows").reshape(shape[0], -1, m)
    return torch.from_numpy(_smallest(numbers_OGM, n).reshape(tuple(shape)))


def double_mask(mask_OI: Tensor, n: int, m: int, seed: int, name: str) -> Tensor:
    """The part of a mask that has at most n of every m weights that follow each other in a column as well."""
    numbers_OI = _numbers(mask_OI.shape, seed, name, "columns")
    numbers_OI[~mask_OI.numpy()] = np.iinfo(np.uint64).max
    numbers_IGM = numbers_OI.T.reshape(mask_OI.shape[1], -1, m)
    chosen_OI = _smallest(numbers_IGM, n).reshape(mask_OI.shape[1], -1).T
    return torch.from_numpy(chosen_OI.copy()) & mask_OI


def _numbers(shape: Sequence[int], seed: int, name: str, use: str) -> np.ndarray:
    return hash64(key(seed, "mask", use, name), np.arange(shape[0])[:, None], np.arange(shape[1])[None, :])


def _smallest(numbers: np.ndarray, count: int) -> np.ndarray:
    """True for the `count` smallest along the last axis."""
    order = np.argsort(numbers, axis=-1, kind="stable")
    chosen = np.zeros(numbers.shape, dtype=bool)
    np.put_along_axis(chosen, order[..., :count], True, axis=-1)
    return chosen


class SparseLinear(Linear):
    """y = x W^T + b + [once `active`] (x D^T) U^T, where W keeps its mask, and the gradient of x uses fewer of it.

    Backward of the sparse product: dx = dy (W * double_mask);  dW = (dy^T x) * mask. The adapters U (O, R), zero at
    first, and D (R, I) are differentiated exactly. Masks are buffers that no checkpoint holds.
    """

    mask: Tensor
    double_mask: Tensor

    def __init__(self, linear: Linear, n: int, m: int, rank: int, seed: int, name: str) -> None:
        outputs, inputs = linear.weight.shape
        super().__init__(inputs, outputs, bias=False, parts=linear.parts)
        self.weight, self.bias = linear.weight, linear.bias
        trains, device = linear.weight.requires_grad, linear.weight.device
        mask = nm_mask((outputs, inputs), n, m, seed, name)
        self.register_buffer("mask", mask.to(device), persistent=False)
        self.register_buffer("double_mask", double_mask(mask, n, m, seed, name).to(device), persistent=False)
        self.up = torch.nn.Parameter(torch.zeros(outputs, rank, device=device), trains) if rank else None
        self.down = torch.nn.Parameter(torch.empty(rank, inputs, device=device), trains) if rank else None
        if self.down is not None:
            draw_uniform(self.down, inputs**-0.5, seed, "adapter", name)
        self.active = False
        self.prune()

    @torch.no_grad()
    def prune(self) -> None:
        """Zeros where the mask has them."""
        self.weight.mul_(self.mask)

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = _DoublyPruned.apply(x, self.weight.to(x.dtype), self.mask, self.double_mask)
        if self.bias is not None:
            y = y + self.bias.to(x.dtype)
        if self.active and self.up is not None and self.down is not None:
            y = y + functional.linear(functional.linear(x, self.down.to(x.dtype)), self.up.to(x.dtype))
        return y

    def merged(self) -> Tensor:
        """W + U D."""
        return self.weight if self.up is None or self.down is None else self.weight + self.up @ self.down


class _DoublyPruned(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, weight_OI: Tensor, mask_OI: Tensor, double_OI: Tensor) -> Tensor:
        ctx.save_for_backward(x, weight_OI, mask_OI, double_OI)
        return functional.linear(x, weight_OI)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, Tensor, None, None]:
        (grad,) = grads
        x, weight_OI, mask_OI, double_OI = ctx.saved_tensors
        grad_TO = grad.flatten(0, -2)
        grad_OI = (grad_TO.t() @ x.flatten(0, -2)) * mask_OI
        return grad @ (weight_OI * double_OI), grad_OI, None, None
