"""Stick-breaking attention by experts (ModuleFormer).

Shapes: B rows, L tokens (i a query's, j a key's), D width, K experts a token, H heads of an expert, E width of a head.
"""

from __future__ import annotations

import math

import torch
from torch.nn import functional

from seedbed.models.layers import Linear
from seedbed.models.segments import Context
from seedbed.models.sequence.experts import Routed

Tensor = torch.Tensor


def stick_breaking(scores_XLL: Tensor, seen_BLL: Tensor) -> Tensor:
    """Weights (..., L, L) of scores: sigmoid(s_ij) times the product of 1 - sigmoid(s_im) over all seen m behind j."""
    left_XLL = functional.logsigmoid(-scores_XLL).masked_fill(~seen_BLL, 0.0)
    after_XLL = left_XLL.flip(-1).cumsum(-1).flip(-1) - left_XLL
    return (functional.logsigmoid(scores_XLL) + after_XLL).exp().masked_fill(~seen_BLL, 0.0)


class StickBreakingMixer(Routed):
    """Queries and outputs by expert, keys and values shared."""

    expert_in: Tensor
    expert_out: Tensor
    memory: Linear

    def forward(self, x_BLD: Tensor, context: Context) -> Tensor:
        (rows, length, _), width = x_BLD.shape, self.architecture.head_width
        routing = self.route(x_BLD, context)
        q_TKO = routing.collected(routing.apply(routing.dispatched(x_BLD.flatten(0, 1)), self.expert_in))
        q_BKHLE = q_TKO.view(rows, length, self.top, -1, width).permute(0, 2, 3, 1, 4)
        k_B1HLE, v_B1HLE = self.memory(x_BLD).view(rows, 1, length, 2, -1, width).permute(3, 0, 1, 4, 2, 5).unbind()
        scores_BKHLL = (q_BKHLE @ k_B1HLE.transpose(-1, -2)).float() / math.sqrt(width)
        weights_BKHLL = stick_breaking(scores_BKHLL, seen(context, x_BLD)).to(x_BLD.dtype)
        mixed_BLKO = (weights_BKHLL @ v_B1HLE).permute(0, 3, 1, 2, 4).flatten(3)
        mixed_NO = mixed_BLKO.flatten(0, 2)[routing.order_N]
        return routing.weighed(routing.apply(mixed_NO, self.expert_out)).view_as(x_BLD)


def seen(context: Context, x_BLD: Tensor) -> Tensor:
    """Which tokens of a segment see which, themselves included, (1 or B, 1, 1, L, L)."""
    length = x_BLD.shape[1]
    before_LL = torch.ones(length, length, dtype=torch.bool, device=x_BLD.device).tril()
    segments_BL = context.segments_BL
    if segments_BL is None:
        return before_LL[None, None, None]
    return (before_LL & (segments_BL[:, :, None] == segments_BL[:, None, :]))[:, None, None]
