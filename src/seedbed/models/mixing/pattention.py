"""Attention whose projections are attention over parameters."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from seedbed.core.errors import InputError
from seedbed.models import mixers
from seedbed.models.block import Block, Shapes

if TYPE_CHECKING:
    from seedbed.models.architecture import Architecture
    from seedbed.models.sequence.pattention import PattentionMixer


@mixers.register("pattention", papers=["144"])
class Pattention(Block):
    """TokenFormer's attention (Wang et al., 2024): queries, keys, values and the output are each looked up among
    `tokens` pairs of a parameter key and a parameter value, gelu(s x K' / |x K'|) V, with s = sqrt(scale). Attention
    between tokens is the network's own, with its heads, positions and masks.

    tokens: pairs of each of the four projections; by default as many as the width. Costs 2 * width of weights each.
    scale: under the root of what the normalized scores are multiplied by; by default `tokens`, as in the authors' code.
        Where a network has grown it stays what it was, for only then do pairs with keys of zeros change nothing (method
        `pairs` of the step `grow`).

    Weights stand as matrices, keys (tokens, inputs) and values (outputs, tokens). Deviations: norms of layers have
    gains here (the authors' have none); initial values are those of all networks here.
    """

    serves: ClassVar[tuple[str, ...]] = ("bidirectional", "causal", "prefix")
    packed: ClassVar[bool] = True
    goes_on: ClassVar[bool] = True

    def __init__(self, tokens: int | None = None, scale: int | None = None) -> None:
        check_sizes(tokens, scale)
        self.configuration: dict[str, Any] = {"tokens": tokens, "scale": scale}
        self.tokens, self.scale = tokens, scale

    def sizes(self, architecture: Architecture) -> dict[str, tuple[int, int]]:
        """Inputs and outputs of each projection."""
        a = architecture
        return {
            "query": (a.width, a.query_width),
            "key": (a.width, a.kv_width),
            "value": (a.width, a.kv_width),
            "out": (a.query_width, a.width),
        }

    def shapes(self, architecture: Architecture, layer: int) -> Shapes:
        tokens, found = self.tokens or architecture.width, Shapes()
        for name, (inputs, outputs) in self.sizes(architecture).items():
            found[f"{name}_keys.weight"] = (tokens, inputs)
            found[f"{name}_values.weight" if name != "out" else "out.weight"] = (outputs, tokens)
        return found

    def flops(self, architecture: Architecture, layer: int, length: int) -> float:
        tokens, a = self.tokens or architecture.width, architecture
        return 6.0 * tokens * sum(map(sum, self.sizes(a).values())) + 12.0 * length * a.query_width

    def module(self, architecture: Architecture, layer: int) -> PattentionMixer:
        from seedbed.models.sequence.pattention import PattentionMixer

        scale = self.scale or self.tokens or architecture.width
        return PattentionMixer(self, architecture, layer, scale=float(scale) ** 0.5)


def check_sizes(tokens: int | None, scale: int | None) -> None:
    """Raises InputError for a number of pairs, or of what the scores go by, below 1."""
    for name, value in (("tokens", tokens), ("scale", scale)):
        if value is not None and value < 1:
            raise InputError(name, "must be at least 1", value=value)
