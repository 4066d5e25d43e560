"""A feedforward of experts, of which each token has a few."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from seedbed.core.checks import check_rate
from seedbed.core.errors import InputError
from seedbed.models import feedforwards
from seedbed.models.block import Block, Shapes

if TYPE_CHECKING:
    from seedbed.models.architecture import Architecture
    from seedbed.models.sequence.experts import ExpertFeed

Balance = Literal["load", "information"]


@feedforwards.register("experts", papers=["175", "197"])
class Experts(Block):
    """A mixture of experts (Shazeer et al., 2017): a router's softmax gives every token `top` of `experts` networks,
    whose outputs are added, each times its probability (which are not made to sum to 1). With layers that share weights
    it is WideNet (Xue et al., 2022, paper 175); with a router of two layers, `balance: information` and the mixer
    `stick_breaking` ModuleFormer (Shen et al., 2023, paper 197).

    experts, top: how many there are, and how many a token has.
    inner: width of one expert; by default the network's inner width. Experts have its activation and gate, no biases.
    router: width of the router's hidden layer (GELU); None, a linear router.
    balance: what keeps all in use. `load`: experts * sum of m P, of each the share m of the tokens it was given and its
        mean probability P (Fedus et al., 2022). `information`: minus the mutual information between tokens and experts,
        sum of P log P - mean over tokens of sum p log p.
    weight: of that loss for a target; 0 leaves it out. It is logged as part of the loss.

    Deviations: both losses are taken over the tokens of a row, not of a batch, so that a batch may be taken apart; no
    token is dropped for want of room (WideNet's experts have a capacity); the router's logits have no noise.
    """

    serves: ClassVar[tuple[str, ...]] = ("bidirectional", "causal", "prefix")
    packed: ClassVar[bool] = True
    goes_on: ClassVar[bool] = True

    def __init__(
        self,
        experts: int = 4,
        top: int = 2,
        inner: int | None = None,
        router: int | None = None,
        balance: Balance = "load",
        weight: float = 0.01,
    ) -> None:
        check_experts(experts, top, weight)
        for name, value in (("inner", inner), ("router", router)):
            if value is not None and value < 1:
                raise InputError(name, "must be at least 1", value=value)
        self.configuration: dict[str, Any] = {k: v for k, v in locals().items() if k in _SETTINGS}
        self.experts, self.top, self.inner, self.router = experts, top, inner, router
        self.balance: Balance = balance
        self.weight = weight

    def shapes(self, architecture: Architecture, layer: int) -> Shapes:
        a, inner = architecture, self.inner or architecture.feedforward
        return {
            **router_shapes(a.width, self.experts, self.router),
            "expert_in": (self.experts, inner * (2 if a.gated else 1), a.width),
            "expert_out": (self.experts, a.width, inner),
        }

    def flops(self, architecture: Architecture, layer: int, length: int) -> float:
        a, inner = architecture, self.inner or architecture.feedforward
        routing = sum(math.prod(shape) for shape in router_shapes(a.width, self.experts, self.router).values())
        return 6.0 * (routing + self.top * a.width * inner * (3 if a.gated else 2))

    def module(self, architecture: Architecture, layer: int) -> ExpertFeed:
        from seedbed.models.sequence.experts import ExpertFeed

        return ExpertFeed(self, architecture, layer)


_SETTINGS = ("experts", "top", "inner", "router", "balance", "weight")


def check_experts(experts: int, top: int, weight: float) -> None:
    """Raises InputError for no expert, more a token than there are, or a weight below 0."""
    if experts < 1:
        raise InputError("experts", "must be at least 1", value=experts)
    if not 1 <= top <= experts:
        raise InputError("top", "must lie between 1 and the number of experts", value=top, allowed=f"1 to {experts}")
    check_rate("weight", weight)


def router_shapes(width: int, experts: int, hidden: int | None) -> Shapes:
    """Of a router's one or two layers."""
    if hidden is None:
        return {"router.weight": (experts, width)}
    return {"router_in.weight": (hidden, width), "router.weight": (experts, hidden)}
