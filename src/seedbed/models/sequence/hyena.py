"""What `mixing.hyena` computes.

Shapes: B rows, L tokens, D width, F = (order - 1) * D filters.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import torch

from seedbed.models.sequence.convolution import causal_convolution, short_convolution, wide
from seedbed.models.sequence.part import Part

if TYPE_CHECKING:
    from seedbed.models.architecture import Architecture
    from seedbed.models.layers import Linear
    from seedbed.models.mixing.hyena import Hyena
    from seedbed.models.segments import Context

Tensor = torch.Tensor
FALLS_TO = 0.01
FAST, SLOW = 0.3, 1.5  # parts of the longest row in which the fastest and the slowest filter fall to that


class HyenaModule(Part):
    inputs: Linear
    filter_in: Linear
    filter_inner: Linear
    filter_second: Linear
    filter_out: Linear
    out: Linear
    short_taps: Tensor
    short_bias: Tensor
    filter_frequency: Tensor
    filter_skip: Tensor

    def __init__(self, block: Hyena, architecture: Architecture, layer: int) -> None:
        super().__init__(block, architecture, layer)
        self.order, self.bands = block.order, block.bands

    def forward(self, x_BLD: Tensor, context: Context) -> Tensor:
        streams = short_convolution(self.inputs(x_BLD), self.short_taps, self.short_bias)
        *gates, v = streams.chunk(self.order + 1, dim=-1)
        filters = self.filters(x_BLD.shape[1]).chunk(self.order - 1, dim=-1)
        biases = self.filter_skip.to(x_BLD.dtype).chunk(self.order - 1)
        for gate, kernel_LD, bias_D in zip(reversed(gates[1:]), filters, biases, strict=True):
            v = v * gate
            v = causal_convolution(v, kernel_LD) + bias_D * v
        return self.out(v * gates[0])  # type: ignore[no-any-return]

    def filters(self, length: int) -> Tensor:
        """The kernels (L, F)."""
        frequency, longest = wide(self.filter_frequency), self.architecture.max_length
        place_L = torch.arange(length, device=frequency.device, dtype=frequency.dtype)
        time_L1 = (place_L / max(1, longest - 1))[:, None]
        wave = torch.linspace(1e-4, self.bands - 1, self.bands, device=place_L.device, dtype=place_L.dtype)
        angle = (2 * math.pi * place_L / longest)[:, None] * wave
        z = torch.cat((time_L1, angle.cos(), -angle.sin()), -1)
        for layer in (self.filter_in, self.filter_inner, self.filter_second):
            z = torch.sin(frequency * layer(z))
        width = self.architecture.width
        rate_D = -math.log(FALLS_TO) * torch.linspace(1 / SLOW, 1 / FAST, width, device=z.device, dtype=z.dtype)
        decay = torch.exp(-time_L1 * rate_D).repeat(1, self.order - 1)
        found: Tensor = self.filter_out(z) * decay
        return found
