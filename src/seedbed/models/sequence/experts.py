"""Experts: who gets which tokens, and what they make of them.

Shapes: B rows, L tokens, T = B * L, X experts, K of them a token, N = T * K assignments ordered by expert, D width,
I inputs and O outputs of an expert.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import torch
from torch.nn import functional

from seedbed.models.layers import Linear, activate, gated
from seedbed.models.segments import Context
from seedbed.models.sequence.part import Part

if TYPE_CHECKING:
    from seedbed.models.feeding.experts import Balance

Tensor = torch.Tensor
Concentration = Literal["concentration"]


class Routing:
    """Tokens to their most probable experts. Every expert's tokens stand together, so that each is one product."""

    def __init__(self, logits_TX: Tensor, top: int) -> None:
        self.top, self.experts = top, logits_TX.shape[1]
        self.chances_TX = logits_TX.float().softmax(-1)
        self.gates_TK, self.chosen_TK = self.chances_TX.topk(top, -1)
        expert_N = self.chosen_TK.flatten()
        self.order_N = expert_N.argsort(stable=True)
        self.place_N = self.order_N.argsort()
        self.sizes: list[int] = torch.bincount(expert_N, minlength=self.experts).tolist()

    def apply(self, x_NI: Tensor, weights_XOI: Tensor) -> Tensor:
        """Each expert's matrix on its own tokens (N, O)."""
        weights = weights_XOI.to(x_NI.dtype).unbind()
        return torch.cat([functional.linear(x, w) for x, w in zip(x_NI.split(self.sizes), weights, strict=True)])

    def dispatched(self, x_TD: Tensor) -> Tensor:
        """The tokens as the experts get them (N, D). Each is repeated first: then a gradient has one place to go to,
        and the sum over a token's experts has an order."""
        return x_TD[:, None].expand(-1, self.top, -1).flatten(0, 1)[self.order_N]

    def collected(self, y_NO: Tensor) -> Tensor:
        """What the experts gave, by token (T, K, O)."""
        return y_NO[self.place_N].unflatten(0, (-1, self.top))

    def weighed(self, y_NO: Tensor) -> Tensor:
        """The sum of what a token's experts gave, each times its probability (T, O)."""
        return (self.collected(y_NO) * self.gates_TK[:, :, None].to(y_NO.dtype)).sum(1)

    def balance(self, kind: Balance | Concentration, valid_BL: Tensor) -> Tensor:
        """The loss of each row (B), in float32; of a row without tokens 0. `concentration` is the entropy of the mean
        probabilities, which is small where a row needs few experts."""
        rows, length = valid_BL.shape
        share_BL1 = (valid_BL / valid_BL.sum(1, keepdim=True).clamp(min=1)).unsqueeze(-1)
        chances_BLX = self.chances_TX.view(rows, length, -1)
        mean_BX = (chances_BLX * share_BL1).sum(1)
        if kind == "concentration":
            return -torch.xlogy(mean_BX, mean_BX).sum(-1)
        if kind == "information":
            own_BLX, all_BX = (torch.xlogy(p, p) for p in (chances_BLX, mean_BX))
            return all_BX.sum(-1) - (own_BLX * share_BL1).sum((1, 2))
        given_BLX = torch.zeros_like(self.chances_TX).scatter_(1, self.chosen_TK, 1.0 / self.top).view_as(chances_BLX)
        return self.experts * ((given_BLX * share_BL1).sum(1) * mean_BX).sum(-1)


class Routed(Part):
    """What has experts, and a router over them. `balance` and `weight` may be set to another loss while it is trained
    on; where `used_X` is given, the numbers of tokens that the experts get are added to it."""

    router: Linear
    router_in: Linear
    balance: Balance | Concentration

    def __init__(self, block: Any, *given: Any) -> None:
        super().__init__(block, *given)
        self.top, self.balance, self.weight = block.top, block.balance, block.weight
        self.used_X: Tensor | None = None

    def route(self, x_BLD: Tensor, context: Context) -> Routing:
        """The tokens' experts; adds the loss that keeps all in use."""
        inner_TD = x_BLD.flatten(0, 1)
        if hasattr(self, "router_in"):
            inner_TD = functional.gelu(self.router_in(inner_TD))
        found = Routing(self.router(inner_TD), self.top)
        if self.used_X is not None or (self.weight and torch.is_grad_enabled()):
            segments_BL = context.segments_BL
            valid_BL = x_BLD.new_ones(x_BLD.shape[:2]) if segments_BL is None else segments_BL >= 0
        if self.used_X is not None:
            self.used_X += torch.bincount(found.chosen_TK[valid_BL.flatten() > 0].flatten(), minlength=found.experts)
        if self.weight and torch.is_grad_enabled():
            name = "concentration" if self.balance == "concentration" else "balance"
            context.add_loss(name, self.weight * found.balance(self.balance, valid_BL.float()))
        return found


class ExpertFeed(Routed):
    """A feedforward of experts."""

    expert_in: Tensor
    expert_out: Tensor

    def forward(self, x_BLD: Tensor, context: Context) -> Tensor:
        a = self.architecture
        routing = self.route(x_BLD, context)
        inner_NI = routing.apply(routing.dispatched(x_BLD.flatten(0, 1)), self.expert_in)
        inner_NI = gated(inner_NI, a.activation) if a.gated else activate(inner_NI, a.activation)
        return routing.weighed(routing.apply(inner_NI, self.expert_out)).view_as(x_BLD)
