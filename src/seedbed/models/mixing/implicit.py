"""An implicit state space: a selective state space that is iterated to a fixed point."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from seedbed.core.errors import InputError
from seedbed.models import mixers
from seedbed.models.block import Block, Shapes
from seedbed.models.sequence.sizes import SELECTIVE_CHUNK

if TYPE_CHECKING:
    from seedbed.models.architecture import Architecture
    from seedbed.models.sequence.implicit import ImplicitModule


@mixers.register("implicit", papers=["337"])
class Implicit(Block):
    """A state space whose parameters depend on its own output (Schöne et al., 2025): causal, for decoders with
    positions="none"; the whole layer, without a feedforward.

        z = norm(z + SSM(norm(z), W x + b)),  from z = 0

    SSM is Mamba-2's layer (Dao and Gu, 2024) with one group: gate, input, B, C and step from z's projection plus what x
    injects, a short convolution, h_t = exp(-A step_t) h_{t-1} + step_t x_t B_t^T, y_t = C_t h_t + D x_t, a gated norm.
    Being iterated, its transitions are no longer linear. The fixed point is found without gradients, in each row (each
    segment) until it changes by less than `tolerance`; then `unrolled` damped steps have the gradient (phantom
    gradients; Geng et al., 2021). Information passes one token on in an iteration where transitions matter, so that
    long rows may want many `test_steps`.

    steps=0, unrolled=1, damping=1 is the explicit state space of the same size: one step. The intervention
    `fixed_point_curriculum` trains by a few steps with full gradients first.

    Settings and first values are the authors' for state tracking; theirs is iterated over all layers together, in which
    sense this is their network where layers: 1; the layer adds its input to the fixed point, which theirs does not. Not
    here: weight normalization, dropout, the Jacobian's loss (zero in their settings), and writing token by token.

    FLOPs are those of training with all `steps`: the most that it can take.

    states: of each channel. expand: the inner width in widths. steps, test_steps: at most, with and without gradients
    to come. damping: of the change of z in every step.
    """

    serves: ClassVar[tuple[str, ...]] = ("causal",)
    alone: ClassVar[bool] = True

    def __init__(
        self,
        *,
        states: int = 64,
        expand: int = 2,
        taps: int = 4,
        steps: int = 32,
        test_steps: int = 256,
        unrolled: int = 4,
        damping: float = 0.8,
        tolerance: float = 0.05,
    ) -> None:
        self.configuration = {k: v for k, v in locals().items() if k != "self"}
        for name, least in (
            ("states", 1),
            ("expand", 1),
            ("taps", 1),
            ("steps", 0),
            ("test_steps", 0),
            ("unrolled", 1),
            ("tolerance", 0),
        ):
            if self.configuration[name] < least:
                raise InputError(name, f"must be at least {least}", value=self.configuration[name])
        if not 0 < damping <= 1:
            raise InputError("damping", "must be above 0 and at most 1", value=damping)
        self.states, self.expand, self.taps = states, expand, taps
        self.steps, self.test_steps, self.unrolled = steps, test_steps, unrolled
        self.damping, self.tolerance = damping, tolerance

    def sizes(self, architecture: Architecture) -> tuple[int, int, int]:
        """The inner width; that of what is convolved; that of the projection."""
        inner = self.expand * architecture.width
        mixed = inner + 2 * self.states
        return inner, mixed, inner + mixed + architecture.heads

    def shapes(self, architecture: Architecture, layer: int) -> Shapes:
        width, heads, (inner, mixed, projected) = architecture.width, architecture.heads, self.sizes(architecture)
        return {
            "injection.weight": (projected, width),
            "injection.bias": (projected,),
            "step_norm.weight": (width,),
            "inputs.weight": (projected, width),
            "short_taps": (mixed, self.taps),
            "short_offset": (mixed,),
            "step_offset": (heads,),
            "log_rate": (heads,),
            "skip_gain": (heads,),
            "inner_norm.weight": (inner,),
            "out.weight": (width, inner),
            "last_norm.weight": (width,),
        }

    def flops(self, architecture: Architecture, layer: int, length: int) -> float:
        width, (inner, _, projected) = architecture.width, self.sizes(architecture)
        chunk = min(length, SELECTIVE_CHUNK)
        step = width * (projected + inner) + chunk * (self.states + inner) + 2 * inner * self.states
        return 6.0 * width * projected + (2.0 * self.steps + 6.0 * self.unrolled) * step

    def initial(
        self, name: str, architecture: Architecture, layer: int, draw: np.random.Generator
    ) -> np.ndarray | float | None:
        shape, heads = self.shapes(architecture, layer)[name], architecture.heads
        if name == "step_offset":
            step = np.exp(draw.uniform(math.log(0.001), math.log(0.1), heads))
            return step + np.log(-np.expm1(-step))  # of which softplus is the step
        if name == "log_rate":
            return np.log(draw.uniform(1.0, 16.0, heads))
        if name == "skip_gain":
            return 1.0
        if name.endswith("norm.weight") or name == "injection.bias":
            return None
        bound = 1 / math.sqrt(shape[1] if len(shape) == 2 else self.taps)
        return draw.uniform(-bound, bound, shape)

    def module(self, architecture: Architecture, layer: int) -> ImplicitModule:
        from seedbed.models.sequence.implicit import ImplicitModule

        return ImplicitModule(self, architecture, layer)
