"""Simulated 8-bit arithmetic: what is kept is int8 with a scale for each block, products run on the rounded numbers.

A product of int8 blocks, summed in int32 and scaled block by block, equals the product of the rounded matrices up to
float32's rounding (127^2 * 32 is below 2^24), and that is how it is computed here. Only the direction of training is
shown; there is no int8 kernel, and nothing is faster.

Shapes: T tokens, I inputs, O outputs, D width; a matrix of G x H blocks, each b x b.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import torch
from torch.nn import functional

from seedbed.core.errors import InputError
from seedbed.models.layers import Linear, Norm, activate, gated
from seedbed.models.stack import Layer

Tensor = torch.Tensor
_HIGHEST = 127


class Quantized(NamedTuple):
    """Rounded numbers as int8 in blocks (G, b, H, b), padded with zeros, and the blocks' scales (G, 1, H, 1)."""

    values: Tensor
    scales: Tensor


def quantize(x: Tensor, block: int | None, *, stochastic: bool = False) -> Quantized:
    """x / s rounded, with s = max |x| / 127 of each block of `block` x `block` numbers (rows are all but the last
    dimension), or of the whole tensor for None. Stochastic rounding goes up with the probability of the remainder;
    its numbers are torch's, which the training loop seeds with step and row."""
    flat_TD = x.detach().reshape(-1, x.shape[-1]).float()
    rows, columns = flat_TD.shape
    height, width = (block, block) if block else (rows, columns)
    padded = functional.pad(flat_TD, (0, -columns % width, 0, -rows % height))
    blocks = padded.reshape(padded.shape[0] // height, height, padded.shape[1] // width, width)
    scales = blocks.abs().amax(dim=(1, 3), keepdim=True) / _HIGHEST
    ratio = blocks / scales.clamp(min=torch.finfo(torch.float32).tiny)
    rounded = (ratio + torch.rand_like(ratio)).floor() if stochastic else ratio.round()
    return Quantized(rounded.clamp(-_HIGHEST, _HIGHEST).to(torch.int8), scales)


def restore(quantized: Quantized, shape: torch.Size, dtype: torch.dtype) -> Tensor:
    """The rounded numbers in a tensor of the shape that was quantized."""
    blocks = quantized.values.float() * quantized.scales
    flat = blocks.reshape(blocks.shape[0] * blocks.shape[1], -1)
    rows = shape.numel() // shape[-1]
    return flat[:rows, : shape[-1]].reshape(shape).to(dtype)


def rounded(x: Tensor, block: int | None, *, stochastic: bool = False) -> Tensor:
    """Quantized and restored."""
    return restore(quantize(x, block, stochastic=stochastic), x.shape, x.dtype)


class QuantizedLinear(Linear):
    """A linear layer that reads and writes int8, in both directions.

    Forward: Y = Q(Q(X) Q(W)^T + b). Backward: dX = S(S(dY) Q(W)), dW = S(dY)^T Q(X), where Q rounds to the nearest and
    S stochastically. `float_output` leaves Y as it is, `float_gradient` dX: beside attention, which computes in floats.
    """

    def __init__(
        self, linear: Linear, block: int | None, *, float_output: bool = False, float_gradient: bool = False
    ) -> None:
        super().__init__(linear.weight.shape[1], linear.weight.shape[0], bias=False, parts=linear.parts)
        self.weight, self.bias, self.block = linear.weight, linear.bias, block
        self.float_output, self.float_gradient = float_output, float_gradient

    def forward(self, x: Tensor) -> Tensor:
        bias = None if self.bias is None else self.bias.to(x.dtype)
        ends = (self.float_output, self.float_gradient)
        y: Tensor = _Int8Linear.apply(x, self.weight.to(x.dtype), bias, self.block, *ends)
        return y


class _Int8Linear(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any,
        x: Tensor,
        weight_OI: Tensor,
        bias_O: Tensor | None,
        block: int | None,
        float_output: bool,
        float_gradient: bool,
    ) -> Tensor:
        inputs = quantize(x, block)
        ctx.save_for_backward(*inputs, weight_OI)  # whose rounding is repeated, as it changes with each step only
        ctx.shape, ctx.block, ctx.float_gradient = x.shape, block, float_gradient
        ctx.has_bias = bias_O is not None
        y = functional.linear(restore(inputs, x.shape, x.dtype), rounded(weight_OI, block), bias_O)
        return y if float_output else rounded(y, block)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        values, scales, weight_OI = ctx.saved_tensors
        grad = rounded(grads[0], ctx.block, stochastic=True)
        x = restore(Quantized(values, scales), ctx.shape, grad.dtype)
        grad_x = grad @ rounded(weight_OI, ctx.block)
        if not ctx.float_gradient:
            grad_x = rounded(grad_x, ctx.block, stochastic=True)
        grad_TO = grad.flatten(0, -2)
        grad_bias = grad_TO.sum(0) if ctx.has_bias else None
        return grad_x, grad_TO.t() @ x.flatten(0, -2), grad_bias, None, None, None


class _Int8Operator(torch.autograd.Function):
    """Any operator of one tensor (and parameters) that reads and writes int8: Q(f(Q(x))), and backward
    S(f'(Q(x)) S(dy)). It keeps Q(x), and computes f again in the backward pass."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, operator: Callable[..., Tensor], block: int | None, *parameters: Tensor) -> Tensor:
        inputs = quantize(x, block)
        ctx.save_for_backward(*inputs, *parameters)
        ctx.operator, ctx.block, ctx.shape = operator, block, x.shape
        return rounded(operator(restore(inputs, x.shape, x.dtype), *parameters), block)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        values, scales, *parameters = ctx.saved_tensors
        grad = rounded(grads[0], ctx.block, stochastic=True)
        with torch.enable_grad():
            x = restore(Quantized(values, scales), ctx.shape, grad.dtype).requires_grad_()
            y = ctx.operator(x, *parameters)
        grad_x, *others = torch.autograd.grad(y, [x, *parameters], grad)
        return rounded(grad_x, ctx.block, stochastic=True), None, None, *others


class QuantizedNorm(Norm):
    """A norm that reads and writes int8; statistics are computed in floats."""

    def __init__(self, norm: Norm, block: int | None) -> None:
        super().__init__(norm.weight.shape[0], norm.kind, norm.eps, bias=False)
        self.weight, self.bias, self.block = norm.weight, norm.bias, block
        self.plain = [norm]  # in a list, so that its parameters are not counted twice

    def forward(self, x: Tensor) -> Tensor:
        names = [name for name in ("weight", "bias") if getattr(self, name) is not None]

        def norm(x: Tensor, *parameters: Tensor) -> Tensor:
            named = dict(zip(names, parameters, strict=True))
            return torch.func.functional_call(self.plain[0], named, (x,))  # type: ignore[no-any-return]

        y: Tensor = _Int8Operator.apply(x, norm, self.block, *[getattr(self, name) for name in names])
        return y


class QuantizedLayer(Layer):
    """A transformer block whose linear layers, norms and activation pass on int8; its residual stream and attention
    stay in floats."""

    def __init__(self, layer: Layer, index: int, block: int | None) -> None:
        """Of an ordinary block, whose parameters it shares."""
        a = layer.architecture
        for there, what in (
            (a.normformer, "NormFormer's norms and scales"),
            (a.decoder_layers, "attention over an encoder"),
            (a.composed, "mixers, feedforwards or shared layers"),
        ):
            if there:
                raise InputError("interventions", f"int8_flow does not have {what} yet", fix="another backbone")
        super().__init__(layer.architecture, index)
        self.block = block
        self.plain = [layer]
        self.attention_norm = None if layer.attention_norm is None else QuantizedNorm(layer.attention_norm, block)
        self.qkv = QuantizedLinear(layer.qkv, block, float_output=True)
        self.attention_out = QuantizedLinear(layer.attention_out, block, float_gradient=True)
        assert layer.feedforward_norm is not None
        self.feedforward_norm = QuantizedNorm(layer.feedforward_norm, block)
        self.feedforward_in = QuantizedLinear(layer.feedforward_in, block)
        self.feedforward_out = QuantizedLinear(layer.feedforward_out, block)

    def feed(self, x: Tensor) -> Tensor:
        inner = self.feedforward_in(x)
        operator = gated if self.architecture.gated else activate
        active: Tensor = _Int8Operator.apply(inner, lambda y: operator(y, self.architecture.activation), self.block)
        return self.feedforward_out(active)  # type: ignore[no-any-return]
