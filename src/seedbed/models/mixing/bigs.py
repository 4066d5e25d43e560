"""BiGS: a bidirectional gated state space layer in place of attention and feedforward."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from seedbed.core.errors import InputError
from seedbed.models import mixers
from seedbed.models.block import Block, Shapes
from seedbed.models.sequence.sizes import PRODUCTS_UP_TO, convolution_flops

if TYPE_CHECKING:
    from seedbed.models.architecture import Architecture
    from seedbed.models.sequence.bigs import BiGSModule


@mixers.register("bigs", papers=["039"])
class BiGS(Block):
    """Two diagonal state spaces (S4D), one reading forward and one backward, that are multiplied by each other and by
    gates (Wang et al., 2022, section 3); the whole layer, without a feedforward. For encoders, with norm="pre" and
    positions="none".

        u_f, u_b = gelu(W_f x), gelu(W_b x);  v = gelu(W_v x)
        y = W_o (gelu(W_c (U_f S4D(u_f) * U_b S4D(u_b))) * v)

    One state space serves all channels of a direction (a kernel of one number for each distance), as in the authors'
    code, from which sizes and first values are taken: real parts -1/2, imaginary parts pi n, steps log-uniform between
    0.01 and 1, C normal with variance 1/2 in each part; zero-order hold. Matrices have the deviation of 0.02 at a width
    of 768, and at others one that keeps products as large, for of four in a row little would be left in narrow networks
    (ours). The authors add embeddings of absolute positions; here that is up to the backbone's `positions`.

    Cost per token: 6 (3 width inner + 4 width^2), and 12 length width up to 512 tokens, beyond which convolutions are
    computed by Fourier transforms.

    inner: width of the last gate; by default 3 times the width (13 width^2 weights in a layer, where attention with a
        feedforward has 12).
    states: of each state space (complex).
    gating: without, the two directions are added to each other and there is no v: ours, to see what the gates do.
    """

    serves: ClassVar[tuple[str, ...]] = ("bidirectional",)
    alone: ClassVar[bool] = True

    def __init__(self, *, inner: int | None = None, states: int = 64, gating: bool = True) -> None:
        for name, value in (("inner", inner), ("states", states)):
            if value is not None and value < 1:
                raise InputError(name, "must be at least 1", value=value)
        self.configuration = {"inner": inner, "states": states, "gating": gating}
        self.inner, self.states, self.gating = inner, states, gating

    def width(self, architecture: Architecture) -> int:
        return self.inner or 3 * architecture.width

    def shapes(self, architecture: Architecture, layer: int) -> Shapes:
        width, inner = architecture.width, self.width(architecture)
        linear = {
            "inputs": (2 * width, width),
            "forward_out": (width, width),
            "backward_out": (width, width),
            **({"gate": (inner, width)} if self.gating else {}),
            "combine": (inner, width),
            "out": (width, inner),
        }
        found: Shapes = {}
        for name, shape in linear.items():
            found |= {f"{name}.weight": shape, f"{name}.bias": shape[:1]}
        for side in ("forward", "backward"):
            found |= {
                f"{side}_C": (self.states, 2),
                f"{side}_log_step": (1,),
                f"{side}_real": (self.states,),
                f"{side}_imaginary": (self.states,),
                f"{side}_skip": (1,),
            }
        return found

    def flops(self, architecture: Architecture, layer: int, length: int) -> float:
        width, inner = architecture.width, self.width(architecture)
        weights = 4 * width**2 + width * inner * (3 if self.gating else 2)
        products = 12.0 * length * width if length <= PRODUCTS_UP_TO else 0.0
        return 6.0 * weights + products + self.uncounted(architecture, layer, length)

    def uncounted(self, architecture: Architecture, layer: int, length: int) -> float:
        return 0.0 if length <= PRODUCTS_UP_TO else 2 * architecture.width * convolution_flops(length)

    def initial(
        self, name: str, architecture: Architecture, layer: int, draw: np.random.Generator
    ) -> np.ndarray | float | None:
        if name.endswith(".weight") and name != "out.weight":
            return draw.normal(0.0, 0.02 * math.sqrt(768 / architecture.width), self.shapes(architecture, layer)[name])
        _, _, kind = name.partition("_")
        if kind == "C":
            return draw.normal(0.0, math.sqrt(0.5), (self.states, 2))
        if kind == "log_step":
            return float(draw.uniform(math.log(0.01), math.log(1.0)))
        if kind == "skip":
            return float(draw.normal())
        return {"real": np.full(self.states, -0.5), "imaginary": math.pi * np.arange(self.states)}.get(kind)

    def module(self, architecture: Architecture, layer: int) -> BiGSModule:
        from seedbed.models.sequence.bigs import BiGSModule

        return BiGSModule(self, architecture, layer)
