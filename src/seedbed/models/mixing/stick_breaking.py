"""Attention that breaks a stick, by experts."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, ClassVar

from seedbed.core.errors import InputError
from seedbed.models import mixers
from seedbed.models.block import Block, Shapes
from seedbed.models.feeding.experts import Balance, check_experts, router_shapes

if TYPE_CHECKING:
    from seedbed.models.architecture import Architecture
    from seedbed.models.sequence.stick_breaking import StickBreakingMixer


@mixers.register("stick_breaking", papers=["197"])
class StickBreaking(Block):
    """ModuleFormer's attention (Shen et al., 2023): a router gives every token `top` of `experts`, each with its own
    queries and output over keys and values that all share, and weights that go to the nearest tokens first. With
    b_ij = sigmoid(q_i k_j / sqrt(head width)), token j gets of token i b_ij times the product of 1 - b_im over all m
    between them and m = i; what is left of the stick goes to none. So it needs no positions, and rotary ones are not
    turned in.

    experts, top: how many there are, and how many a token has; one of one is stick-breaking attention without experts.
    heads: of each expert, as wide as the network's; by default as many as let a token's experts together have the
        network's number of heads. kv_heads of the network are not looked at.
    router, balance, weight: as of the feedforward `experts`, with its deviations. The paper has hidden routers and
        `information`.

    For causal networks, on which the kernel of attention has no bearing: scores of all pairs are kept, in float32.
    """

    serves: ClassVar[tuple[str, ...]] = ("causal",)
    packed: ClassVar[bool] = True

    def __init__(
        self,
        experts: int = 4,
        top: int = 2,
        heads: int | None = None,
        router: int | None = None,
        balance: Balance = "information",
        weight: float = 0.01,
    ) -> None:
        check_experts(experts, top, weight)
        for name, value in (("heads", heads), ("router", router)):
            if value is not None and value < 1:
                raise InputError(name, "must be at least 1", value=value)
        self.configuration: dict[str, Any] = {k: v for k, v in locals().items() if k in _SETTINGS}
        self.experts, self.top, self.heads, self.router = experts, top, heads, router
        self.balance: Balance = balance
        self.weight = weight

    def width(self, architecture: Architecture) -> int:
        """Of one expert's queries."""
        return (self.heads or max(1, architecture.heads // self.top)) * architecture.head_width

    def shapes(self, architecture: Architecture, layer: int) -> Shapes:
        width, own = architecture.width, self.width(architecture)
        return {
            **router_shapes(width, self.experts, self.router),
            "expert_in": (self.experts, own, width),
            "memory.weight": (2 * own, width),
            "expert_out": (self.experts, width, own),
        }

    def flops(self, architecture: Architecture, layer: int, length: int) -> float:
        width, own = architecture.width, self.width(architecture)
        routing = sum(math.prod(shape) for shape in router_shapes(width, self.experts, self.router).values())
        return 6.0 * (routing + 2 * width * own * (self.top + 1)) + 12.0 * length * own * self.top

    def module(self, architecture: Architecture, layer: int) -> StickBreakingMixer:
        from seedbed.models.sequence.stick_breaking import StickBreakingMixer

        return StickBreakingMixer(self, architecture, layer)


_SETTINGS = ("experts", "top", "heads", "router", "balance", "weight")
