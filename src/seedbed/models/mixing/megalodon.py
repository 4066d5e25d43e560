"""Megalodon: gated attention within chunks over complex exponential moving averages."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from seedbed.core.errors import InputError
from seedbed.models import mixers
from seedbed.models.block import Block, Shapes
from seedbed.models.sequence.sizes import convolution_flops

if TYPE_CHECKING:
    from seedbed.models.architecture import Architecture
    from seedbed.models.sequence.megalodon import MegalodonModule


@mixers.register("megalodon", papers=["309"])
class Megalodon(Block):
    """Megalodon's block (Ma et al., 2024): causal, for decoders with norm="pre" and positions="none".

        n = timestep norm(x);  m = rms norm(CEMA(n));  z = head norms of W_z m
        q, k = (z (gamma + 1) / sqrt(E) + beta), two of them;  v = silu(W_v n);  r = silu(W_r m)
        y = W_h m + W_o (r * attention(q, k, v)), within chunks, with rotary positions that begin with each

    CEMA, a complex exponential moving average of `states` for each channel, carries what happened before the chunk:
    h_t = p x_t + q h_{t-1} with p = sigmoid(alpha), q = (1 - p sigmoid(delta)) exp(i n theta), and the output is the
    real part of sum_n eta_n h_n / sqrt(states), plus omega x. It is computed by Fourier transforms. The timestep norm
    normalizes groups of channels by mean and variance of all tokens up to each. The feedforward (the backbone's dense
    one, gated) adds to the layer's input and not to the mixer's output, which is the paper's two-hop residual.

    Formulas, sizes and first values of the averages are those of the authors' code; its other matrices begin as in all
    networks here. Its last norm before the logits is a timestep norm; here it is the backbone's. Not here: caches for
    writing, and parallelism over chunks.

    chunk: tokens that attend to each other. cema, timestep: without them there is a plain convolution of one token
        (CEMA's omega), and a norm of each token by itself (root-mean-square of groups): ours, to see what they do.
    heads: one by default, as theirs. query_width: of all heads, by default a quarter of the width. value_width: by
        default twice the width. groups: of the timestep norm, by default of 32 channels.
    """

    serves: ClassVar[tuple[str, ...]] = ("causal",)
    normed: ClassVar[bool] = True
    two_hop: ClassVar[bool] = True

    def __init__(
        self,
        *,
        chunk: int = 128,
        states: int = 16,
        heads: int = 1,
        query_width: int | None = None,
        value_width: int | None = None,
        groups: int | None = None,
        cema: bool = True,
        timestep: bool = True,
    ) -> None:
        self.configuration = {k: v for k, v in locals().items() if k != "self"}
        for name in ("chunk", "states", "heads", "query_width", "value_width", "groups"):
            value = self.configuration[name]
            if value is not None and value < 1:
                raise InputError(name, "must be at least 1", value=value)
        self.chunk, self.states, self.heads, self.cema, self.timestep = chunk, states, heads, cema, timestep
        self._query_width, self._value_width, self._groups = query_width, value_width, groups

    def sizes(self, architecture: Architecture) -> tuple[int, int, int]:
        """Widths of queries and of values, and the number of groups."""
        width = architecture.width
        return (
            self._query_width or max(2 * self.heads, width // 4),
            self._value_width or 2 * width,
            self._groups or max(1, width // 32),
        )

    def check(self, architecture: Architecture) -> None:
        queries, values, groups = self.sizes(architecture)
        for name, value, divisor in (
            ("query_width", queries, 2 * self.heads),
            ("value_width", values, self.heads),
            ("groups", architecture.width, groups),
        ):
            if value % divisor:
                raise InputError(f"megalodon.{name}", f"{value} is not divisible by {divisor}", value=value)

    def shapes(self, architecture: Architecture, layer: int) -> Shapes:
        width, (queries, values, _) = architecture.width, self.sizes(architecture)
        found: Shapes = {"timestep_gain": (width,), "timestep_shift": (width,)}
        if self.cema:
            found |= dict.fromkeys(("cema_alpha", "cema_delta"), (width, self.states))
            found |= {"cema_theta": (width,), "cema_eta": (width, self.states, 2)}
        found |= {"cema_omega": (width,), "middle_gain": (width,)}
        for name, rows, columns, bias in (
            ("shared", queries, width, True),
            ("value", values, width, True),
            ("gate", values, width, True),
            ("direct", width, width, True),
            ("out", width, values, False),
        ):
            found |= {f"{name}.weight": (rows, columns), **({f"{name}.bias": (rows,)} if bias else {})}
        return found | {"query_gain": (2, queries), "query_shift": (2, queries)}

    def flops(self, architecture: Architecture, layer: int, length: int) -> float:
        width, (queries, values, _) = architecture.width, self.sizes(architecture)
        weights = width * (queries + 3 * values + width)
        attention = 6.0 * min(self.chunk, length) * (queries + values)
        return 6.0 * weights + attention + self.uncounted(architecture, layer, length)

    def uncounted(self, architecture: Architecture, layer: int, length: int) -> float:
        return architecture.width * convolution_flops(length) if self.cema else 0.0

    def initial(
        self, name: str, architecture: Architecture, layer: int, draw: np.random.Generator
    ) -> np.ndarray | float | None:
        width = architecture.width
        if name in ("cema_alpha", "cema_delta"):
            return draw.normal(0.0, 0.2, (width, self.states))
        if name == "cema_theta":
            frequency = np.exp(-np.arange(1, width + 1) * math.log(width) / width)
            return draw.permutation(np.log(frequency / (1 - frequency)))
        if name == "cema_eta":
            return np.stack((draw.normal(size=(width, self.states)), np.zeros((width, self.states))), -1)
        if name == "cema_omega":
            return np.clip(draw.normal(0.0, 0.25, width), -1.0, 1.0)
        return 0.0 if name.endswith(("_gain", "_shift")) else None

    def module(self, architecture: Architecture, layer: int) -> MegalodonModule:
        from seedbed.models.sequence.megalodon import MegalodonModule

        return MegalodonModule(self, architecture, layer)
