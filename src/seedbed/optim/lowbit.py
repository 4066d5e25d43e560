"""Optimizer states in two bytes or one.

bf16: the upper half of a float32, rounded up or down at random so that the mean is right: a moving average that
changes by less than its last digit still moves (as in stochastic rounding for bfloat16 weights, Zamirai et al., 2020).
int8: blocks of 256 values, each divided by its largest, and each quotient stored as the nearest of 256 fixed numbers
whose digits grow fewer as they grow smaller (Dettmers et al., 2022, 8-bit Optimizers via Block-wise Quantization,
sections 2 and 3: block-wise dynamic quantization).

Shapes: E elements, K blocks, B elements of a block.
"""

from __future__ import annotations

import functools
from collections.abc import MutableMapping

import torch

from seedbed.core.counters import key

Tensor = torch.Tensor
BLOCK = 256
_DROPPED = 12  # bits of a float32 that do not count when its nearest number is sought: one part in 4,096 at most
_HALF = 1 << (31 - _DROPPED)
SMALL = 4096  # tensors with fewer elements stay in float32, as in the authors' package


@functools.cache
def dynamic_map(signed: bool) -> Tensor:
    """The 256 numbers, sorted: for each power of ten from 1e-6 to 1 twice as many as for the one below, as the middles
    of equal parts of (0.1, 1] times that power; 0; and 1. With a sign half as many on either side."""
    values = [torch.zeros(1), torch.ones(1)]
    for index in range(7):
        parts = 2 ** (index if signed else index + 1)
        edges = torch.linspace(0.1, 1.0, parts + 1, dtype=torch.float64)
        middles = ((edges[:-1] + edges[1:]) / 2 * 10.0 ** (index - 6)).float()
        values += [middles, -middles] if signed else [middles]
    return torch.cat(values).sort().values


def quantize(value: Tensor, signed: bool) -> tuple[Tensor, Tensor]:
    """Codes (uint8, E) and the blocks' largest absolute values (float32, K). What is above zero in an unsigned tensor
    does not become zero: a second moment that vanished beside a first one would let the update explode."""
    flat = value.flatten().float()
    blocks_KB = torch.nn.functional.pad(flat, (0, -flat.numel() % BLOCK)).view(-1, BLOCK)
    scale_K = blocks_KB.abs().amax(1)
    shares_KB = blocks_KB / scale_K.clamp(min=torch.finfo(torch.float32).tiny)[:, None]
    places = (shares_KB.view(torch.int32).flatten()[: flat.numel()] >> _DROPPED) + _HALF
    return _codes(signed, value.device).index_select(0, places), scale_K


@functools.cache
def _codes(signed: bool, device: torch.device) -> Tensor:
    """The nearest number's code for every float32, by its upper 20 bits: a search for each value takes ten times as
    long. Whatever is above zero and has no sign is at least the smallest number above zero."""
    upper = torch.arange(-_HALF, _HALF, dtype=torch.int32) << _DROPPED
    value = (upper | (1 << _DROPPED >> 1)).view(torch.float32).nan_to_num(0.0)  # the middle of those that share them
    numbers = dynamic_map(signed)
    codes = torch.bucketize(value, (numbers[:-1] + numbers[1:]) / 2)
    if not signed:
        codes[_HALF + 1 :].clamp_(min=1)
    return codes.to(torch.uint8).to(device)


def dequantize(codes: Tensor, scale_K: Tensor, signed: bool, shape: torch.Size) -> Tensor:
    """The numbers behind the codes."""
    shares = dynamic_map(signed).to(codes.device).index_select(0, codes.int())
    shares_KB = torch.nn.functional.pad(shares, (0, -shares.numel() % BLOCK)).view(-1, BLOCK)
    return (shares_KB * scale_K[:, None]).flatten()[: codes.numel()].view(shape)


def round_to_bf16(value: Tensor, noise: Tensor) -> Tensor:
    """To the bfloat16 above or below with a chance that makes the mean exact; noise is 16 random bits an element."""
    bits = value.float().contiguous().view(torch.int32)
    return ((bits + noise) >> 16).to(torch.int16).view(torch.bfloat16)


def random_bits(like: Tensor, *counters: int | str) -> tuple[Tensor, Tensor]:
    """Twice 16 random bits for each element, from a generator that the counters seed."""
    generator = torch.Generator(like.device).manual_seed(key(0, "rounding", *counters) >> 1)
    drawn = torch.empty(like.shape, dtype=torch.int32, device=like.device)
    drawn.random_(-(2**31), 2**31, generator=generator)
    return drawn & 0xFFFF, (drawn >> 16) & 0xFFFF


def read(state: MutableMapping[str, Tensor], name: str, like: Tensor, *, signed: bool) -> Tensor:
    """A moment in float32, zeros if there is none yet."""
    if name not in state:
        return torch.zeros_like(like, dtype=torch.float32)
    if f"{name}_scale" in state:
        return dequantize(state[name], state[f"{name}_scale"], signed, like.shape)
    return state[name].float()


def write(state: MutableMapping[str, Tensor], name: str, value: Tensor, kind: str, noise: Tensor | None) -> None:
    """Keep a moment; a second moment (with "sq" in its name) has no sign."""
    if kind == "bf16":
        assert noise is not None
        state[name] = round_to_bf16(value, noise)
    elif value.numel() < SMALL:
        state[name] = value
    else:
        state[name], state[f"{name}_scale"] = quantize(value, signed="sq" not in name)
