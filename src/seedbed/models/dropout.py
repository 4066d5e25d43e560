"""Dropout whose masks are a function of counters, for objectives that compare two views of a text.

Shapes: B rows, L tokens a row, D width.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch

from seedbed.core.errors import InputError

Tensor = torch.Tensor
_OUTPUTS = ("attention_out", "feedforward_out", "out")  # what writes into the residual stream
_GOLDEN, _MIX_1, _MIX_2 = -1640531527, -2048144789, -1028477387  # 0x9E3779B9, 0x85EBCA6B, 0xC2B2AE35 as int32
_BITS = 24


def kept(seeds_BL: Tensor, site: int, width: int, rate: float) -> Tensor:
    """Which values stay (B, L, D): a pure function of each token's seed (an integer of 32 bits), the number of the
    place in the network, and the channel. MurmurHash3's finalizer (Appleby) over seed and site, and again with the
    channel; a value goes if its low 24 bits are below the rate's share of them."""
    token_BL1 = _mixed(seeds_BL.to(torch.int32) ^ _wrapped(site * _GOLDEN))[..., None]
    channel_D = torch.arange(width, dtype=torch.int32, device=seeds_BL.device) * _GOLDEN
    return (_mixed(token_BL1 ^ channel_D) & ((1 << _BITS) - 1)) >= round(rate * (1 << _BITS))


class Dropout:
    """Dropout in a network, at its embedding and wherever a layer writes into the residual stream, while seeds are
    given: values go with the probability `rate`, and the others are divided by 1 - rate. It hooks into the modules,
    so other objectives' passes, and evaluation, are as they were. Not at attention's weights."""

    def __init__(self, network: Any, rate: float) -> None:
        named = list(network.layers.named_modules())
        sites = [module for name, module in named if name.rpartition(".")[2] in _OUTPUTS]
        if not sites:
            raise InputError("dropout", "the network's layers have no place for it", fix="dropout: 0")
        self.rate, self._seeds_BL = rate, None
        self._handles = [
            module.register_forward_hook(self._hook(site)) for site, module in enumerate([network.embedding, *sites])
        ]

    @contextmanager
    def drawn(self, seeds_BL: Tensor) -> Iterator[None]:
        """Dropout by these seeds of tokens, until the end."""
        self._seeds_BL = seeds_BL  # type: ignore[assignment]
        try:
            yield
        finally:
            self._seeds_BL = None

    def remove(self) -> None:
        """The network as it was."""
        for handle in self._handles:
            handle.remove()

    def _hook(self, site: int) -> Any:
        def hook(module: torch.nn.Module, given: Any, output: Tensor) -> Tensor | None:
            del given
            if self._seeds_BL is None:
                return None
            if output.shape[:2] != self._seeds_BL.shape:
                raise InputError("dropout", "a layer takes rows apart", value=type(module).__name__, fix="dropout: 0")
            kept_BLD = kept(self._seeds_BL, site, output.shape[-1], self.rate)
            return output * kept_BLD * (1 / (1 - self.rate))

        return hook


def _mixed(value: Tensor) -> Tensor:
    """The finalizer; shifts are of unsigned numbers."""
    value = (value ^ ((value >> 16) & 0xFFFF)) * _MIX_1
    value = (value ^ ((value >> 13) & 0x7FFFF)) * _MIX_2
    return value ^ ((value >> 16) & 0xFFFF)


def _wrapped(number: int) -> int:
    """As an int32."""
    return (number + (1 << 31)) % (1 << 32) - (1 << 31)
