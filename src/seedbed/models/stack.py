"""Layers one after the other, with what stands before and behind them: an encoder, or a decoder.

Shapes: B rows, L tokens, M tokens of a decoder, D width, K key-value heads, G query heads to each, E width of a head,
R = 2 L - 1 distances between tokens.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import torch
from torch.nn import functional

from seedbed.core.errors import InputError
from seedbed.models.architecture import Architecture
from seedbed.models.attention import attend, attention_mask, merge_heads, rope_table, split_heads
from seedbed.models.cross import CrossAttention
from seedbed.models.distance import alibi, relative
from seedbed.models.factored import token_table
from seedbed.models.kept import Kept
from seedbed.models.layers import Embedding, Linear, Norm, activate, gated
from seedbed.models.network import Ranks
from seedbed.models.segments import Context, pieces_of, separately

Tensor = torch.Tensor
Rope = tuple[Tensor, Tensor]


class Layer(torch.nn.Module):
    """Attention and feedforward, each with its norm before it or after its residual; in a decoder of an encoder's
    states attention over those between them. Mixers and feedforwards of the architecture stand in their places."""

    qkv: Linear
    attention_out: Linear
    feedforward_in: Linear
    feedforward_out: Linear

    def __init__(self, architecture: Architecture, index: int, *, cross: bool = False) -> None:
        super().__init__()
        a = self.architecture = architecture
        self.causal = a.causal or cross
        norm = (a.norm_kind, a.norm_eps, a.norm_bias)
        mixer, feedforward = a.mixer(index), a.feedforward_block(index)
        self.attention_norm = Norm(a.width, *norm) if a.has_attention_norm(index) else None
        self.mixer = None if mixer is None else mixer.module(a, index)
        self.packed = (mixer is None or mixer.packed, feedforward is None or feedforward.packed)
        self.two_hop = mixer is not None and mixer.two_hop
        if mixer is None:
            self.qkv = Linear(a.width, a.qkv_width, a.attention_bias, parts=(a.query_width, a.kv_width, a.kv_width))
            self.attention_out = Linear(a.query_width, a.width, a.attention_bias)
        self.feedforward_norm = Norm(a.width, *norm) if a.has_feedforward(index) else None
        self.feedforward = None
        if feedforward is not None and a.has_feedforward(index):
            self.feedforward = feedforward.module(a, index)
        elif a.has_feedforward(index):
            inner = (a.feedforward, a.feedforward) if a.gated else (a.feedforward,)
            self.feedforward_in = Linear(a.width, sum(inner), a.feedforward_bias, parts=inner)
            self.feedforward_out = Linear(a.feedforward, a.width, a.feedforward_bias)
        self.head_scale = torch.nn.Parameter(torch.empty(a.heads)) if a.normformer else None
        self.attention_out_norm = Norm(a.width, *norm) if a.normformer else None
        self.feedforward_inner_norm = Norm(a.feedforward, *norm) if a.normformer else None
        self.cross_norm = Norm(a.width, *norm) if cross else None
        self.cross = CrossAttention(a) if cross else None
        self.between_norm = None
        if cross and a.interleaved:
            inner = (a.feedforward, a.feedforward) if a.gated else (a.feedforward,)
            self.between_norm = Norm(a.width, *norm)
            self.between_feedforward_in = Linear(a.width, sum(inner), a.feedforward_bias, parts=inner)
            self.between_feedforward_out = Linear(a.feedforward, a.width, a.feedforward_bias)

    def share(self, source: Layer) -> None:
        """Take another layer's weights for one's own, but for the norms before (or behind) each part, unless all are
        shared."""
        own = () if self.architecture.shared == "all" else ("attention_norm", "feedforward_norm")
        for name, module in source.named_children():
            if name not in own:
                setattr(self, name, module)

    def forward(self, x: Tensor, context: Context, memory: Tensor | None = None, across: Any = None) -> Tensor:
        """`memory` are an encoder's states (B, L, D), of which `across` says who sees them (`cross_mask`)."""
        if self.architecture.norm == "post":
            assert self.attention_norm is not None
            mixed = self.attention_norm(x + self.mix(x, context))
            if self.between_norm is not None:
                mixed = self.between_norm(mixed + self.feed_between(mixed))
            if self.cross is not None and self.cross_norm is not None:
                mixed = self.cross_norm(mixed + self.cross(mixed, memory, across, context.kernel, context.kept))
            if self.feedforward_norm is None:
                return mixed
            return self.feedforward_norm((x if self.two_hop else mixed) + self.transform(mixed, context))
        mixed = x + self.mix(self.attention_norm(x) if self.attention_norm else x, context)
        if self.between_norm is not None:
            mixed = mixed + self.feed_between(self.between_norm(mixed))
        if self.cross is not None and self.cross_norm is not None:
            mixed = mixed + self.cross(self.cross_norm(mixed), memory, across, context.kernel, context.kept)
        if self.feedforward_norm is None:
            return mixed
        return (x if self.two_hop else mixed) + self.transform(self.feedforward_norm(mixed), context)

    def mix(self, x: Tensor, context: Context) -> Tensor:
        """Attention, or the mixer."""
        if self.mixer is None:
            return self.attend(x, context)
        return self.mixer(x, context) if self.packed[0] else separately(self.mixer, x, context)

    def transform(self, x: Tensor, context: Context) -> Tensor:
        """The feedforward, dense or another."""
        if self.feedforward is None:
            return self.feed(x)
        return self.feedforward(x, context) if self.packed[1] else separately(self.feedforward, x, context)

    def attend(self, x: Tensor, context: Context) -> Tensor:
        a = self.architecture
        q, k, v = split_heads(self.qkv(x), a.heads, a.kv_heads, context.rope)
        if a.query_scale != 1:
            q = q * a.query_scale
        if context.kept is not None:
            k, v = context.kept.extended(k, v)
        mixed = attend(q, k, v, context.mask, causal=self.causal, kernel=context.kernel)
        if self.head_scale is not None:
            mixed = mixed * self.head_scale.to(mixed.dtype).view(a.kv_heads, 1, -1, 1, 1)
        out = self.attention_out(merge_heads(mixed))
        return out if self.attention_out_norm is None else self.attention_out_norm(out)

    def feed(self, x: Tensor) -> Tensor:
        inner = self._activated(self.feedforward_in(x))
        return self.feedforward_out(
            inner if self.feedforward_inner_norm is None else self.feedforward_inner_norm(inner)
        )

    def feed_between(self, x: Tensor) -> Tensor:
        """The feedforward before attention over the encoder, of an interleaved decoder."""
        return self.between_feedforward_out(self._activated(self.between_feedforward_in(x)))  # type: ignore[no-any-return]

    def _activated(self, inner: Tensor) -> Tensor:
        name = self.architecture.activation
        return gated(inner, name) if self.architecture.gated else activate(inner, name)


class Stack(torch.nn.Module):
    """The layers of an encoder or a decoder, with their own positions and norms; a decoder of an encoder's states reads
    the token embedding that it is given, others have theirs."""

    def __init__(self, architecture: Architecture, layers: int, *, cross: bool = False) -> None:
        super().__init__()
        a = self.architecture = architecture
        self.causal = a.causal or cross
        if not cross:
            self.embedding = token_table(a)
        places = a.max_length + a.position_offset
        self.position_embedding = Embedding(places, a.table_width) if a.positions == "learned" else None
        self.distance_embedding = Embedding(a.buckets, a.heads) if a.positions == "relative" else None
        self.type_embedding = Embedding(a.token_types, a.table_width) if a.token_types else None
        norm = (a.width, a.norm_kind, a.norm_eps, a.norm_bias)
        self.embedding_norm = Norm(a.table_width, *norm[1:]) if a.embedding_norm else None
        apart = a.embedding_width is not None
        self.embedding_projection = Linear(a.table_width, a.width, bias=True) if apart else None
        made = [Layer(a, index, cross=cross) for index in range(layers)]
        for index, layer in enumerate(made):
            if a.source(index) != index:
                layer.share(made[a.source(index)])
        self._packed = [layer.packed for layer in made]
        self.layers = torch.nn.ModuleList(made)
        self.final_norm = Norm(*norm) if a.final_norm else None
        self._auxiliary: dict[str, Tensor] = {}
        self._ropes: dict[tuple[float, torch.device, torch.dtype], Rope] = {}

    def states(
        self,
        embedded_BLD: Tensor,
        segments_BL: Tensor | None,
        positions_BL: Tensor | None,
        *,
        dtype: torch.dtype,
        kernel: str,
        ranks: Ranks | None = None,
        over: tuple[Tensor, Any] | None = None,
        mask: Any = None,
        kept: Kept | None = None,
    ) -> Tensor:
        """The last hidden states (B, L, D) of embedded tokens, in a type; `over` are the states (and the mask) that a
        decoder attends over. A `mask`, as the kernel wants it, says who sees whom in place of all else. What is `kept`
        of tokens before these is seen by them, and they are kept there, too."""
        a, length = self.architecture, embedded_BLD.shape[1]
        before = kept if kept is not None and kept.goes_on else None
        if before is not None:
            assert positions_BL is None and segments_BL is None
            positions_BL = before.places(length)
            length = before.columns
        x = self._placed(embedded_BLD, positions_BL, length).to(dtype)
        if self.embedding_norm is not None:
            x = self.embedding_norm(x)
        if self.embedding_projection is not None:
            x = self.embedding_projection(x)
        bias = self._bias(length, x)
        masks: dict[int | None, Any] = {} if mask is None else {None: mask}
        ropes: dict[float, Rope | None] = {}
        shared = self.context(segments_BL, positions_BL, ranks, kernel)
        for index, layer in enumerate(self.layers):
            window, theta = a.window(index), a.theta(index)
            if window not in masks and before is not None:
                masks[window] = before.mask(window, bias, dtype)
            elif window not in masks and self._packed[index][0]:
                masks[window] = attention_mask(
                    segments_BL,
                    length,
                    causal=self.causal,
                    window=window,
                    device=x.device,
                    dtype=dtype,
                    kernel=kernel,
                    ranks=ranks,
                    positions_BL=positions_BL,
                    bias_HR=bias,
                )
            if theta not in ropes and self._packed[index][0]:
                ropes[theta] = self._rope(theta, length, positions_BL, x)
            own = None if kept is None else kept.layer(index)
            context = replace(shared, rope=ropes.get(theta), mask=masks.get(window), kept=own)
            call = layer if kept is None else layer.forward  # what grows is not for compiled layers
            x = call(x, context, *(over or ()))
        if kept is not None:
            kept.advance(embedded_BLD, segments_BL)
        self._auxiliary = shared.auxiliary
        return x if self.final_norm is None else self.final_norm(x)

    def context(
        self, segments_BL: Tensor | None, positions_BL: Tensor | None, ranks: Ranks | None, kernel: str
    ) -> Context:
        """What all layers are told."""
        apart = not all(all(parts) for parts in self._packed)
        if apart and ranks is not None:
            raise InputError("ranks", "are for attention, and a mixer or feedforward here goes by the text's order")
        pieces = pieces_of(segments_BL) if apart and segments_BL is not None else None
        return Context(kernel, self.causal, segments_BL=segments_BL, positions_BL=positions_BL, pieces=pieces)

    def auxiliary(self) -> dict[str, Tensor]:
        """Losses of the last pass's mixers and feedforwards, (B) each (`Context.add_loss`); gives them away."""
        found, self._auxiliary = self._auxiliary, {}
        return found

    def _placed(self, x: Tensor, positions_BL: Tensor | None, length: int) -> Tensor:
        """With the embeddings of positions, of a row of some length, and types."""
        a = self.architecture
        if self.position_embedding is not None:
            if length > a.max_length:
                raise InputError(
                    "length",
                    "is above max_length, the size of the table of positions",
                    value=length,
                    allowed=f"up to {a.max_length}",
                    fix="shorter rows, or a model with a larger max_length",
                )
            table = self.position_embedding.weight
            table = table[a.position_offset :] if a.position_offset else table
            x = x + (table[:length] if positions_BL is None else functional.embedding(positions_BL, table))
        return x if self.type_embedding is None else x + self.type_embedding.weight[0]

    def _bias(self, length: int, x: Tensor) -> Tensor | None:
        """What scores get for distances (H, R)."""
        a = self.architecture
        if self.distance_embedding is not None:
            return relative(self.distance_embedding.weight, length, a.max_distance, causal=self.causal).to(x.dtype)
        return alibi(a.heads, length, x.device).to(x.dtype) if a.positions == "alibi" else None

    def _rope(self, theta: float, length: int, positions_BL: Tensor | None, x: Tensor) -> Rope | None:
        if self.architecture.positions != "rope":
            return None
        known = (theta, x.device, x.dtype)
        if known not in self._ropes or self._ropes[known][0].shape[0] < length:
            size = max(length, self.architecture.max_length)
            cosine, sine = rope_table(size, self.architecture.head_width, theta, x.device)
            self._ropes[known] = (cosine.to(x.dtype), sine.to(x.dtype))
        cosine, sine = self._ropes[known]
        if positions_BL is None:
            return cosine[:length], sine[:length]
        return cosine[positions_BL], sine[positions_BL]
