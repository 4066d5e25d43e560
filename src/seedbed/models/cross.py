"""Attention of a decoder's layer over its encoder's states.

Shapes: B rows, L tokens of the encoder, M of the decoder, D width, K key-value heads, G query heads to each, E width of
a head.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch

from seedbed.models.attention import attend, merge_heads
from seedbed.models.layers import Linear

if TYPE_CHECKING:
    from seedbed.models.architecture import Architecture
    from seedbed.models.kept import KeptLayer

Tensor = torch.Tensor


class CrossAttention(torch.nn.Module):
    """Queries from the decoder, keys and values from the encoder; its positions are none, as in T5 and BART."""

    def __init__(self, architecture: Architecture) -> None:
        super().__init__()
        a = self.architecture = architecture
        keys = a.kv_heads * a.head_width
        self.query = Linear(a.width, a.query_width, a.attention_bias)
        self.memory = Linear(a.width, 2 * keys, a.attention_bias, parts=(keys, keys))
        self.attention_out = Linear(a.query_width, a.width, a.attention_bias)

    def forward(
        self, x_BMD: Tensor, memory_BLD: Tensor, mask: Any, kernel: str, kept: KeptLayer | None = None
    ) -> Tensor:
        a = self.architecture
        q = self.query(x_BMD).unflatten(-1, (a.kv_heads, -1, a.head_width)).permute(2, 0, 3, 1, 4)
        q = (q * (a.query_scale * a.head_width**-0.5)).contiguous()
        k, v = self.read(memory_BLD) if kept is None else kept.once(self.read, memory_BLD)
        mixed = attend(q, k, v, mask, causal=False, kernel=kernel)
        return self.attention_out(merge_heads(mixed))  # type: ignore[no-any-return]

    def read(self, memory_BLD: Tensor) -> tuple[Tensor, Tensor]:
        """Keys and values (K, B, L, E)."""
        a = self.architecture
        k, v = self.memory(memory_BLD).unflatten(-1, (2, a.kv_heads, a.head_width)).permute(2, 3, 0, 1, 4).unbind()
        return k.contiguous(), v.contiguous()
