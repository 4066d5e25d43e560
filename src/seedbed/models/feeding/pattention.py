"""A feedforward that is attention over parameters."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from seedbed.models import feedforwards
from seedbed.models.block import Block, Shapes
from seedbed.models.mixing.pattention import check_sizes

if TYPE_CHECKING:
    from seedbed.models.architecture import Architecture
    from seedbed.models.sequence.pattention import PattentionFeed


@feedforwards.register("pattention", papers=["144"])
class PattentionFeedforward(Block):
    """TokenFormer's feedforward (Wang et al., 2024): one lookup among `tokens` pairs of a parameter key and a parameter
    value, gelu(s x K' / |x K'|) V, with s = sqrt(scale). It is a feedforward without a gate whose inner values are
    normalized before the activation.

    tokens: pairs; by default the network's inner width, where the authors have four times as many as in a projection.
    scale: as of the mixer `pattention`.
    """

    serves: ClassVar[tuple[str, ...]] = ("bidirectional", "causal", "prefix")
    packed: ClassVar[bool] = True
    goes_on: ClassVar[bool] = True

    def __init__(self, tokens: int | None = None, scale: int | None = None) -> None:
        check_sizes(tokens, scale)
        self.configuration: dict[str, Any] = {"tokens": tokens, "scale": scale}
        self.tokens, self.scale = tokens, scale

    def shapes(self, architecture: Architecture, layer: int) -> Shapes:
        tokens = self.tokens or architecture.feedforward
        return {"out_keys.weight": (tokens, architecture.width), "out.weight": (architecture.width, tokens)}

    def flops(self, architecture: Architecture, layer: int, length: int) -> float:
        return 12.0 * (self.tokens or architecture.feedforward) * architecture.width

    def module(self, architecture: Architecture, layer: int) -> PattentionFeed:
        from seedbed.models.sequence.pattention import PattentionFeed

        scale = self.scale or self.tokens or architecture.feedforward
        return PattentionFeed(self, architecture, layer, scale=float(scale) ** 0.5)
