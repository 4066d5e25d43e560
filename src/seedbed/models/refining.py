"""Layers between an encoder and its head that exist only while masked language modeling trains.

Shapes: B rows, L tokens, D width, K key-value heads, C columns of queries, keys and values.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch.nn import functional

from seedbed.models.attention import attend, merge_heads, rope_table, split_heads
from seedbed.models.initialize import initialize
from seedbed.models.layers import Embedding, Linear, Norm, activate, gated

if TYPE_CHECKING:
    from seedbed.models.architecture import Architecture

Tensor = torch.Tensor
Rope = tuple[Tensor, Tensor]


class RefiningLayer(torch.nn.Module):
    """A layer of the encoder's kind, whose keys and values may come from other states than its queries."""

    def __init__(self, architecture: Architecture) -> None:
        super().__init__()
        a = self.architecture = architecture
        norm = (a.width, a.norm_kind, a.norm_eps, a.norm_bias)
        inner = a.feedforward * (2 if a.gated else 1)
        self.attention_norm = Norm(*norm)
        self.query = Linear(a.width, a.query_width, a.attention_bias)
        self.memory = Linear(a.width, 2 * a.kv_width, a.attention_bias)
        self.attention_out = Linear(a.query_width, a.width, a.attention_bias)
        self.feedforward_norm = Norm(*norm)
        self.feedforward_in = Linear(a.width, inner, a.feedforward_bias)
        self.feedforward_out = Linear(a.feedforward, a.width, a.feedforward_bias)

    def forward(
        self, x_BLD: Tensor, memory_BLD: Tensor, rope: Rope | None, mask_BLL: Tensor | None, kernel: str
    ) -> Tensor:
        if self.architecture.norm == "post":
            x_BLD = self.attention_norm(x_BLD + self.attend(x_BLD, memory_BLD, rope, mask_BLL, kernel))
            return self.feedforward_norm(x_BLD + self.feed(x_BLD))  # type: ignore[no-any-return]
        queries_BLD, keys_BLD = self.attention_norm(x_BLD), self.attention_norm(memory_BLD)
        x_BLD = x_BLD + self.attend(queries_BLD, keys_BLD, rope, mask_BLL, kernel)
        return x_BLD + self.feed(self.feedforward_norm(x_BLD))

    def attend(
        self, x_BLD: Tensor, memory_BLD: Tensor, rope: Rope | None, mask_BLL: Tensor | None, kernel: str
    ) -> Tensor:
        a = self.architecture
        projected_BLC = torch.cat((self.query(x_BLD), self.memory(memory_BLD)), -1)
        q, k, v = split_heads(projected_BLC, a.heads, a.kv_heads, rope)
        mixed = attend(q if a.query_scale == 1 else q * a.query_scale, k, v, mask_BLL, causal=False, kernel=kernel)
        return self.attention_out(merge_heads(mixed))  # type: ignore[no-any-return]

    def feed(self, x_BLD: Tensor) -> Tensor:
        a = self.architecture
        inner = self.feedforward_in(x_BLD)
        return self.feedforward_out(  # type: ignore[no-any-return]
            gated(inner, a.activation) if a.gated else activate(inner, a.activation)
        )


class RefiningDecoder(torch.nn.Module):
    """Layers over an encoder's last states.

    `enhanced`: all layers take keys and values from the encoder's states, and the first one's queries are those states
    with a table's absolute positions added. Rotary positions are turned in where the encoder has them.
    """

    def __init__(self, architecture: Architecture, layers: int, *, enhanced: bool, name: str, seed: int) -> None:
        super().__init__()
        a = self.architecture = architecture
        self.layers = torch.nn.ModuleList(RefiningLayer(a) for _ in range(layers))
        self.position_embedding = Embedding(a.max_length, a.width) if enhanced else None
        self.final_norm = Norm(a.width, a.norm_kind, a.norm_eps, a.norm_bias) if a.final_norm else None
        for part, parameter in self.named_parameters():
            initialize(f"{name}.{part}", parameter, seed, a)

    def forward(
        self,
        states_BLD: Tensor,
        segments_BL: Tensor | None,
        positions_BL: Tensor | None,
        shown_from_BL: Tensor | None,
        kernel: str,
    ) -> Tensor:
        """`shown_from_BL`: the first layer in which others see a token; None shows all from the first one on."""
        with torch.autocast(states_BLD.device.type, enabled=False):
            x_BLD, rope = states_BLD, self._rope(states_BLD, positions_BL)
            if self.position_embedding is not None:
                x_BLD = x_BLD + self._placed(states_BLD, positions_BL)
            for index, layer in enumerate(self.layers):
                hidden_BL = None if shown_from_BL is None else shown_from_BL > index
                mask_BLL = seen_by_others(segments_BL, hidden_BL, x_BLD)
                x_BLD = layer(x_BLD, x_BLD if self.position_embedding is None else states_BLD, rope, mask_BLL, kernel)
            return x_BLD if self.final_norm is None else self.final_norm(x_BLD)

    def _placed(self, x_BLD: Tensor, positions_BL: Tensor | None) -> Tensor:
        assert self.position_embedding is not None
        table = self.position_embedding.weight.to(x_BLD.dtype)
        return table[: x_BLD.shape[1]] if positions_BL is None else functional.embedding(positions_BL, table)

    def _rope(self, x_BLD: Tensor, positions_BL: Tensor | None) -> Rope | None:
        a, length = self.architecture, x_BLD.shape[1]
        if a.positions != "rope":
            return None
        size = length if positions_BL is None else max(length, a.max_length)
        cosine, sine = (table.to(x_BLD.dtype) for table in rope_table(size, a.head_width, a.rope_theta, x_BLD.device))
        return (cosine, sine) if positions_BL is None else (cosine[positions_BL], sine[positions_BL])


def seen_by_others(segments_BL: Tensor | None, hidden_BL: Tensor | None, x_BLD: Tensor) -> Tensor | None:
    """What is added to scores (B, L, L): -inf between segments, and at hidden tokens for all but themselves. None where
    all see all."""
    seen_BLL = None if segments_BL is None else segments_BL[:, :, None] == segments_BL[:, None, :]
    if hidden_BL is not None:
        itself_LL = torch.eye(x_BLD.shape[1], dtype=torch.bool, device=x_BLD.device)
        shown_BLL = itself_LL | ~hidden_BL[:, None, :]
        seen_BLL = shown_BLL if seen_BLL is None else seen_BLL & shown_BLL
    if seen_BLL is None:
        return None
    zeros_BLL = torch.zeros(seen_BLL.shape, dtype=x_BLD.dtype, device=x_BLD.device)
    return zeros_BLL.masked_fill_(~seen_BLL, float("-inf"))
