"""The dense feedforward with a width of its own."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from seedbed.core.errors import InputError
from seedbed.models import feedforwards
from seedbed.models.block import Block, Shapes

if TYPE_CHECKING:
    from seedbed.models.architecture import Architecture
    from seedbed.models.sequence.dense import DenseFeed


@feedforwards.register("dense", papers=["190"])
class Dense(Block):
    """The dense feedforward, as wide as it is said here: for layers that differ (FlexiBERT; Tuli et al., 2022).

    inner: its width; by default the network's inner width. Gate, activation and biases are the network's. FlexiBERT's
        stacks of several feedforwards, and other widths of the states from layer to layer, are not here.
    """

    serves: ClassVar[tuple[str, ...]] = ("bidirectional", "causal", "prefix")
    packed: ClassVar[bool] = True
    goes_on: ClassVar[bool] = True

    def __init__(self, inner: int | None = None) -> None:
        if inner is not None and inner < 1:
            raise InputError("inner", "must be at least 1", value=inner)
        self.configuration: dict[str, Any] = {"inner": inner}
        self.inner = inner

    def shapes(self, architecture: Architecture, layer: int) -> Shapes:
        a, inner = architecture, self.inner or architecture.feedforward
        rows = inner * (2 if a.gated else 1)
        found: Shapes = {"inner.weight": (rows, a.width), "out.weight": (a.width, inner)}
        return found | ({"inner.bias": (rows,), "out.bias": (a.width,)} if a.feedforward_bias else {})

    def flops(self, architecture: Architecture, layer: int, length: int) -> float:
        a = architecture
        return 6.0 * a.width * (self.inner or a.feedforward) * (3 if a.gated else 2)

    def module(self, architecture: Architecture, layer: int) -> DenseFeed:
        from seedbed.models.sequence.dense import DenseFeed

        return DenseFeed(self, architecture, layer)
