"""RWKV-7's channel mixing: a feedforward that also sees the token before."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from seedbed.core.errors import InputError
from seedbed.models import feedforwards
from seedbed.models.block import Block, Shapes

if TYPE_CHECKING:
    from seedbed.models.architecture import Architecture
    from seedbed.models.sequence.rwkv7 import ChannelMixing


@feedforwards.register("rwkv7", papers=["058"])
class RWKV7Feedforward(Block):
    """RWKV-7's channel mixing (Peng et al., 2025): relu(W_k (x_t + s (x_{t-1} - x_t)))^2, then the output's matrix; for
    decoders. First values are those of the authors' training code, but that the output's matrix does not begin at zero.

    inner: its width; by default 4 times the width.
    """

    serves = ("causal",)

    def __init__(self, *, inner: int | None = None) -> None:
        if inner is not None and inner < 1:
            raise InputError("inner", "must be at least 1", value=inner)
        self.configuration = {"inner": inner}
        self.inner = inner

    def shapes(self, architecture: Architecture, layer: int) -> Shapes:
        width = architecture.width
        inner = self.inner or 4 * width
        return {"shifts": (width,), "key.weight": (inner, width), "out.weight": (width, inner)}

    def flops(self, architecture: Architecture, layer: int, length: int) -> float:
        return 12.0 * architecture.width * (self.inner or 4 * architecture.width)

    def initial(
        self, name: str, architecture: Architecture, layer: int, draw: np.random.Generator
    ) -> np.ndarray | float | None:
        width = architecture.width
        if name == "shifts":
            return 1.0 - (np.arange(width) / width) ** ((1.0 - layer / architecture.layers) ** 4)
        bound = 0.5 / math.sqrt(width)
        return draw.uniform(-bound, bound, self.shapes(architecture, layer)[name]) if name == "key.weight" else None

    def module(self, architecture: Architecture, layer: int) -> ChannelMixing:
        from seedbed.models.sequence.rwkv7 import ChannelMixing

        return ChannelMixing(self, architecture, layer)
