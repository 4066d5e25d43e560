"""The parts of a transformer, written so that little happens beside the matrix products.

Everything computes in the type of its input: weights are kept in float32 and cast where they are used, which costs one
pass over the weights, while autocast casts activations and runs norms and residuals in float32. Statistics of norms are
float32 always. Where torch's compiler takes a layer, plain operations stand in place of the backwards written here, for
it fuses those by itself; and where gradients of gradients are wanted. Shapes: T tokens, D width, F inner width of the
feedforward.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch.nn import functional

Tensor = torch.Tensor


_twice = False


def plain() -> bool:
    """Whether plain operations stand in place of the backwards written here."""
    return _twice or torch.compiler.is_compiling()


@contextmanager
def twice_differentiable() -> Iterator[None]:
    """What is computed within has gradients of gradients."""
    global _twice
    before, _twice = _twice, True
    try:
        yield
    finally:
        _twice = before


class Linear(torch.nn.Module):
    """A matrix product with weights (outputs, inputs) that follow the type of the input.

    `parts`: the rows of several matrices that stand in the weights one below the other, for whom that matters.
    """

    def __init__(self, inputs: int, outputs: int, bias: bool, parts: tuple[int, ...] = ()) -> None:
        super().__init__()
        self.parts = parts
        self.weight = torch.nn.Parameter(torch.empty(outputs, inputs))
        self.bias = torch.nn.Parameter(torch.empty(outputs)) if bias else None

    def forward(self, x: Tensor) -> Tensor:
        bias = None if self.bias is None else self.bias.to(x.dtype)
        return functional.linear(x, self.weight.to(x.dtype), bias)


class Embedding(torch.nn.Embedding):
    """A table of vectors, its values left unset."""

    def __init__(self, rows: int, width: int) -> None:
        super().__init__(rows, width, _weight=torch.empty(rows, width))


class Norm(torch.nn.Module):
    """Layer norm (Ba et al., 2016), or root-mean-square norm (Zhang and Sennrich, 2019)."""

    def __init__(self, width: int, kind: str, eps: float, bias: bool) -> None:
        super().__init__()
        assert kind == "layer" or not bias
        self.kind, self.eps = kind, eps
        self.weight = torch.nn.Parameter(torch.empty(width))
        self.bias = torch.nn.Parameter(torch.empty(width)) if bias else None

    def forward(self, x: Tensor) -> Tensor:
        if self.kind == "rms" and plain():
            return functional.rms_norm(x, self.weight.shape, self.weight.to(x.dtype), self.eps)
        if self.kind == "rms":
            normed: Tensor = _RootMeanSquareNorm.apply(x, self.weight, self.eps)
            return normed
        # On the CPU layer norm takes float32 weights with bfloat16 input; elsewhere the types must agree.
        dtype = self.weight.dtype if x.device.type == "cpu" and x.dtype == torch.bfloat16 else x.dtype
        bias = None if self.bias is None else self.bias.to(dtype)
        return functional.layer_norm(x, self.weight.shape, self.weight.to(dtype), bias, self.eps)


class _RootMeanSquareNorm(torch.autograd.Function):
    """x / sqrt(mean(x^2) + eps) * w, in few passes; torch's own is a chain of operations with float32 copies."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, eps: float) -> Tensor:
        statistic = torch.float64 if x.dtype == torch.float64 else torch.float32
        norm = torch.linalg.vector_norm(x, dim=-1, keepdim=True, dtype=statistic)
        scale = torch.rsqrt(norm.square_().div_(x.shape[-1]).add_(eps)).to(x.dtype)
        normed = x * scale
        ctx.save_for_backward(normed, weight, scale)
        return normed * weight.to(x.dtype)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, Tensor, None]:
        (grad,) = grads
        normed, weight, scale = ctx.saved_tensors
        product = grad * normed
        flat = product.flatten(0, -2)
        # Sums over tokens and over columns as products with vectors, which add up in float32.
        grad_weight = (flat.new_ones(1, flat.shape[0]) @ flat).view(-1).to(weight.dtype)
        column = weight.to(grad.dtype)
        mean = (product @ column).div_(grad.shape[-1]).unsqueeze(-1)
        grad_x = (grad * column).addcmul_(normed, mean, value=-1).mul_(scale)
        return grad_x, grad_weight, None


def activate(x: Tensor, name: str) -> Tensor:
    """An activation function; differentiable."""
    if name == "relu2":
        squared: Tensor = functional.relu(x).square() if plain() else _SquaredRelu.apply(x)
        return squared
    return _forward(x, name)


def gated(x: Tensor, name: str) -> Tensor:
    """act(first half of the columns) * second half (Shazeer, 2020): (..., 2F) -> (..., F)."""
    if plain():
        inner, gate = x.chunk(2, dim=-1)
        return activate(inner, name) * gate
    product: Tensor = _Gated.apply(x, name)
    return product


def _forward(x: Tensor, name: str) -> Tensor:
    if name == "gelu":
        return functional.gelu(x)
    if name == "gelu_tanh":
        return functional.gelu(x, approximate="tanh")
    if name == "silu":
        return functional.silu(x)
    if name == "relu":
        return functional.relu(x)
    assert name == "relu2"
    return functional.relu(x).square_()


def _backward(grad: Tensor, x: Tensor, name: str, out: Tensor) -> None:
    """Write the gradient with respect to the activation's input."""
    if name == "gelu":
        torch.ops.aten.gelu_backward.grad_input(grad, x, grad_input=out)
    elif name == "gelu_tanh":
        torch.ops.aten.gelu_backward.grad_input(grad, x, approximate="tanh", grad_input=out)
    elif name == "silu":
        torch.ops.aten.silu_backward.grad_input(grad, x, grad_input=out)
    elif name == "relu":
        torch.ops.aten.threshold_backward.grad_input(grad, x, 0, grad_input=out)
    else:
        assert name == "relu2"
        torch.mul(functional.relu(x).mul_(2), grad, out=out)


class _SquaredRelu(torch.autograd.Function):
    """relu(x)^2 (So et al., 2021); keeps relu(x), of which both value and derivative are one product."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        positive = functional.relu(x)
        ctx.save_for_backward(positive)
        return positive.square()

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> Tensor:
        (positive,) = ctx.saved_tensors
        return (positive * grads[0]).mul_(2)


class _Gated(torch.autograd.Function):
    """The gate with both gradients written into one tensor, as the product behind it wants them."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, name: str) -> Tensor:
        inner, gate = x.chunk(2, dim=-1)
        active = _forward(inner, name)
        ctx.save_for_backward(x, active)
        ctx.name = name
        return active * gate

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, None]:
        (grad,) = grads
        x, active = ctx.saved_tensors
        inner, gate = x.chunk(2, dim=-1)
        grad_x = torch.empty_like(x)
        grad_inner, grad_gate = grad_x.chunk(2, dim=-1)
        torch.mul(grad, active, out=grad_gate)
        _backward(grad * gate, inner, ctx.name, out=grad_inner)
        return grad_x, None
