"""Attention over parameters (TokenFormer). Shapes: B rows, L tokens, D width, N pairs of a lookup, O outputs."""

from __future__ import annotations

from typing import Any

import torch
from torch.nn import functional

from seedbed.models.attention import attend, merge_heads, split_heads
from seedbed.models.layers import Linear
from seedbed.models.segments import Context
from seedbed.models.sequence.part import Part

Tensor = torch.Tensor
_TINY = 1e-12  # under the root, for padding whose states are zeros


def look_up(x_BLD: Tensor, keys: Linear, values: Linear, scale: float) -> Tensor:
    """gelu(scale * x K' / |x K'|) V, (B, L, O); the sum of squares in float32 or wider."""
    scores_BLN = keys(x_BLD)
    statistic = torch.float64 if scores_BLN.dtype == torch.float64 else torch.float32
    squares_BL1 = torch.linalg.vector_norm(scores_BLN, dim=-1, keepdim=True, dtype=statistic).square()
    factor_BL1 = (scale * torch.rsqrt(squares_BL1 + _TINY)).to(scores_BLN.dtype)
    return values(functional.gelu(scores_BLN * factor_BL1))  # type: ignore[no-any-return]


class PattentionFeed(Part):
    """One lookup."""

    out_keys: Linear
    out: Linear

    def __init__(self, *given: Any, scale: float) -> None:
        super().__init__(*given)
        self.scale = scale

    def forward(self, x_BLD: Tensor, context: Context) -> Tensor:
        return look_up(x_BLD, self.out_keys, self.out, self.scale)


class PattentionMixer(PattentionFeed):
    """Attention between lookups."""

    query_keys: Linear
    query_values: Linear
    key_keys: Linear
    key_values: Linear
    value_keys: Linear
    value_values: Linear

    def forward(self, x_BLD: Tensor, context: Context) -> Tensor:
        a = self.architecture
        lookups = (
            (self.query_keys, self.query_values),
            (self.key_keys, self.key_values),
            (self.value_keys, self.value_values),
        )
        projected = torch.cat([look_up(x_BLD, *lookup, self.scale) for lookup in lookups], -1)
        q, k, v = split_heads(projected, a.heads, a.kv_heads, context.rope)
        if context.kept is not None:
            k, v = context.kept.extended(k, v)
        mixed = attend(q, k, v, context.mask, causal=context.causal, kernel=context.kernel)
        return super().forward(merge_heads(mixed), context)
