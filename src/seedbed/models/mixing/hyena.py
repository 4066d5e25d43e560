"""Hyena: long convolutions with implicit filters, and gates, in place of attention."""

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
    from seedbed.models.sequence.hyena import HyenaModule


@mixers.register("hyena", papers=["179"])
class Hyena(Block):
    """Hyena's operator as HyenaDNA stacks it (Poli et al., 2023; Nguyen et al., 2023): causal, for decoders.

        x_0, ..., x_{n-1}, v = short convolutions of W_in x;  v <- filter_i * (v x_i) + skip_i v x_i, i = n-1 ... 1
        y = W_out (v x_0)

    with n the order, which is the number of gates. Every channel's long filter is a function of the position: an MLP
    with sines (of learned frequencies) reads the position and `bands` waves, and decays exponentially at rates fixed
    from one that falls to 1/100 in 0.3 of `max_length` to one that does in 1.5 of it. The convolutions are computed by
    Fourier transforms, in O(L log L). Sizes are HyenaDNA's. First values: the frequencies 10 and standard normal skips
    of filters are the authors'; the filters' matrices have 1 / sqrt(inputs) for their deviation, and everything else is
    as in all networks here: ours. Filters' positions are fixed (theirs are learned with a tiny rate).

    Counted per token: projections and transforms; the filters (once for all rows of a batch) are not.

    order: number of gates, 2 or more. filter_width, bands: of the filters' MLP; it has two inner layers.
    taps: of the short convolutions.
    """

    serves: ClassVar[tuple[str, ...]] = ("causal",)

    def __init__(self, *, order: int = 2, filter_width: int = 64, bands: int = 2, taps: int = 3) -> None:
        for name, value, least in (
            ("order", order, 2),
            ("filter_width", filter_width, 1),
            ("bands", bands, 1),
            ("taps", taps, 1),
        ):
            if value < least:
                raise InputError(name, f"must be at least {least}", value=value)
        self.configuration = {"order": order, "filter_width": filter_width, "bands": bands, "taps": taps}
        self.order, self.filter_width, self.bands, self.taps = order, filter_width, bands, taps

    def shapes(self, architecture: Architecture, layer: int) -> Shapes:
        width, inner, filters = architecture.width, self.filter_width, (self.order - 1) * architecture.width
        streams = (self.order + 1) * width
        return {
            "inputs.weight": (streams, width),
            "inputs.bias": (streams,),
            "short_taps": (streams, self.taps),
            "short_bias": (streams,),
            "filter_in.weight": (inner, 1 + 2 * self.bands),
            "filter_in.bias": (inner,),
            "filter_inner.weight": (inner, inner),
            "filter_inner.bias": (inner,),
            "filter_second.weight": (inner, inner),
            "filter_second.bias": (inner,),
            "filter_out.weight": (filters, inner),
            "filter_frequency": (inner,),
            "filter_skip": (filters,),
            "out.weight": (width, width),
            "out.bias": (width,),
        }

    def flops(self, architecture: Architecture, layer: int, length: int) -> float:
        weights = (self.order + 2) * architecture.width**2
        return 6.0 * weights + self.uncounted(architecture, layer, length)

    def uncounted(self, architecture: Architecture, layer: int, length: int) -> float:
        return (self.order - 1) * architecture.width * convolution_flops(length)

    def initial(
        self, name: str, architecture: Architecture, layer: int, draw: np.random.Generator
    ) -> np.ndarray | float | None:
        shape = self.shapes(architecture, layer)[name]
        if name == "filter_frequency":
            return 10.0
        if name == "filter_skip":
            return draw.normal(size=shape)
        if name.startswith("filter_") and name.endswith(".weight"):
            return draw.normal(0.0, 1 / math.sqrt(shape[1]), shape)
        return draw.normal(0.0, 1 / math.sqrt(self.taps), shape) if name == "short_taps" else None

    def module(self, architecture: Architecture, layer: int) -> HyenaModule:
        from seedbed.models.sequence.hyena import HyenaModule

        return HyenaModule(self, architecture, layer)
