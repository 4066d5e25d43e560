"""Attention: heads with rotary positions out of one fused projection, and the kernels to choose from.

"products" is batched matrix products and a softmax with a backward of its own: on CPUs it is faster than torch's
fused attention, whose bfloat16 backward is slow there, at the cost of keeping the probabilities (a value for each pair
of tokens, head and layer). "sdpa" is `torch.nn.functional.scaled_dot_product_attention`. "flex" is FlexAttention, for
GPUs (`flex`). Where torch's compiler takes a layer, all is written in plain operations, whose backward it derives and
which it fuses by itself.

Shapes: B rows, L tokens, M tokens of a decoder, C columns of the projection, K key-value heads, G query heads to each
of them, H = K * G heads, E width of a head, R = 2 L - 1 distances between tokens. Queries come as (K, B, G, L, E), keys
and values as (K, B, L, E): then every product is over K * B matrices, and queries that share a key-value head stand
below each other, with no copy of the keys.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import torch
from torch.nn import functional

from seedbed.models.flex import attend_flex, block_mask, cross_block_mask
from seedbed.models.layers import plain

if TYPE_CHECKING:
    from seedbed.models.network import Ranks

Tensor = torch.Tensor


class Biased(NamedTuple):
    """A mask, and what is added to the scores of each head beside it."""

    mask: Any
    bias: Tensor


def rope_table(length: int, head_width: int, theta: float, device: torch.device) -> tuple[Tensor, Tensor]:
    """Cosines and sines (length, head_width) of rotary positions (Su et al., 2021), in float32.

    Both are there for either half of a head's columns; the sines of the first half have their sign turned.
    """
    frequencies = 1.0 / (theta ** (torch.arange(0, head_width, 2, dtype=torch.float32, device=device) / head_width))
    angles = torch.arange(length, dtype=torch.float32, device=device)[:, None] * frequencies
    cosine, sine = angles.cos(), angles.sin()
    return torch.cat((cosine, cosine), -1), torch.cat((-sine, sine), -1)


def attention_mask(
    segments_BL: Tensor | None,
    length: int,
    *,
    causal: bool,
    window: int | None,
    device: torch.device,
    dtype: torch.dtype,
    kernel: str,
    ranks: Ranks | None = None,
    positions_BL: Tensor | None = None,
    bias_HR: Tensor | None = None,
) -> Any:
    """Which tokens see which, as a kernel wants it: what is added to the scores, (1 or B, L, L), 0 where a token (row)
    sees another (column), -inf elsewhere; for "flex" torch's BlockMask.

    None where every token sees all, and for "sdpa" where only the order counts. Tokens of one segment see each other;
    padding (-1) sees padding, so that no row is without anything to see. With `ranks` these say who sees whom within a
    segment, in the place of causal order, and windows go by positions. With a bias (`distance`) it comes along, as
    `Biased`, or for "sdpa" in the sum of both (1 or B, H, L, L), which all layers share.
    """
    if kernel == "flex":
        blocks = block_mask(
            segments_BL, length, causal=causal, window=window, device=device, ranks=ranks, positions_BL=positions_BL
        )
        return blocks if bias_HR is None else Biased(blocks, bias_HR)
    if kernel == "sdpa" and all(given is None for given in (segments_BL, window, ranks, bias_HR)):
        return None  # it has a causal path of its own, with no mask to read
    seen: Tensor | None = None
    if segments_BL is not None:
        seen = segments_BL[:, :, None] == segments_BL[:, None, :]
    if ranks is not None or causal or (window is not None and window < length - 1):
        place_BL = torch.arange(length, device=device)[None]
        if ranks is not None and positions_BL is not None:
            place_BL = positions_BL
        distance = place_BL[:, :, None] - place_BL[:, None, :]
        near = torch.ones_like(distance, dtype=torch.bool) if window is None else distance.abs() <= window
        if ranks is not None:
            itself = torch.eye(length, dtype=torch.bool, device=device)
            near = near & ((ranks.shown_BL[:, None, :] <= ranks.sees_BL[:, :, None]) | itself)
        elif causal:
            near = near & (distance >= 0)
        seen = near if seen is None else seen & near
    mask = None if seen is None else _added(seen, dtype)
    if bias_HR is None:
        return mask
    bias_HLL = _spread(bias_HR, length)
    if kernel == "products":
        return Biased(mask, bias_HLL)
    return bias_HLL[None] if mask is None else bias_HLL + mask[:, None]


def cross_mask(
    segments_BM: Tensor | None, segments_BL: Tensor | None, shape: tuple[int, int, int], dtype: torch.dtype, kernel: str
) -> Any:
    """Which tokens of a decoder (rows) see which of its encoder (columns), as `attention_mask` says it, for a `shape`
    of (B, M, L): those of the segment of the same number. The decoder's padding, which nothing reads, sees all, so that
    it is not without anything to see. None where every row is one segment."""
    given = segments_BM if segments_BM is not None else segments_BL
    if given is None:
        return None
    rows, outputs, inputs = shape
    segments_BM = given.new_zeros(rows, outputs) if segments_BM is None else segments_BM
    segments_BL = given.new_zeros(rows, inputs) if segments_BL is None else segments_BL
    if kernel == "flex":
        return cross_block_mask(segments_BM, segments_BL)
    return _added((segments_BM[:, :, None] == segments_BL[:, None, :]) | (segments_BM < 0)[:, :, None], dtype)


def _added(seen: Tensor, dtype: torch.dtype) -> Tensor:
    return torch.zeros(seen.shape, dtype=dtype, device=seen.device).masked_fill_(~seen, float("-inf"))


def _spread(bias_HR: Tensor, length: int) -> Tensor:
    """The bias of each pair of tokens (H, L, L), from that of each distance; differentiable."""
    place = torch.arange(length, device=bias_HR.device)
    column = (place[:, None] - place[None, :] + length - 1).flatten()
    return bias_HR.index_select(1, column).unflatten(1, (length, length))


def split_heads(
    qkv_BLC: Tensor, heads: int, kv_heads: int, rope: tuple[Tensor, Tensor] | None
) -> tuple[Tensor, Tensor, Tensor]:
    """Queries (scaled by 1 / sqrt(E)), keys and values, with positions turned in; differentiable.

    `rope` are the tables of `rope_table` in the projection's type, (L, E), or (B, L, E) where rows have their own.
    """
    if plain():
        return _plain_heads(qkv_BLC, heads, kv_heads, rope)
    cosine, sine = rope if rope is not None else (None, None)
    q, k, v = _SplitHeads.apply(qkv_BLC, (heads, kv_heads), cosine, sine)
    return q, k, v


def merge_heads(x_KBGLE: Tensor) -> Tensor:
    """(K, B, G, L, E) -> (B, L, K * G * E)."""
    return x_KBGLE.permute(1, 3, 0, 2, 4).flatten(2)


def attend(q_KBGLE: Tensor, k_KBLE: Tensor, v_KBLE: Tensor, mask: Any, *, causal: bool, kernel: str) -> Tensor:
    """softmax(q k' + mask) v, (K, B, G, L, E), with a mask of `attention_mask`, or of `cross_mask` or `Kept.mask` where
    queries may be more or fewer than keys."""
    mask, bias = mask if isinstance(mask, Biased) else (mask, None)
    if kernel == "flex":
        return attend_flex(q_KBGLE, k_KBLE, v_KBLE, mask, bias)
    if kernel == "products":
        if plain():
            return _plain_products(q_KBGLE, k_KBLE, v_KBLE, mask, bias)
        mixed: Tensor = _Products.apply(q_KBGLE, k_KBLE, v_KBLE, mask, bias)
        return mixed
    assert kernel == "sdpa", kernel
    groups = q_KBGLE.shape[2]
    q = q_KBGLE.permute(1, 0, 2, 3, 4).flatten(1, 2)
    k, v = (x.transpose(0, 1).repeat_interleave(groups, dim=1) for x in (k_KBLE, v_KBLE))
    mask = mask[:, None] if mask is not None and mask.dim() == 3 else mask
    mixed = functional.scaled_dot_product_attention(q, k, v, mask, is_causal=causal and mask is None, scale=1.0)
    return mixed.unflatten(1, (-1, groups)).transpose(0, 1)


class _SplitHeads(torch.autograd.Function):
    """From the projection's layout to that of the products, and the rotation in place.

    The rotation acts on halves: (a, b) -> (a cos - b sin, b cos + a sin), Llama's and ModernBERT's convention. With
    the sign in the table of sines it is x cos + (b, a) sin, and its transpose is x cos - (b, a) sin.
    """

    @staticmethod
    def forward(
        ctx: Any, qkv: Tensor, sizes: tuple[int, int], cosine: Tensor | None, sine: Tensor | None
    ) -> tuple[Tensor, Tensor, Tensor]:
        ctx.sizes, ctx.shape = sizes, qkv.shape
        ctx.save_for_backward(cosine, sine)
        q_view, k_view, v_view = _head_views(qkv, *sizes)
        q, k, v = (x.clone(memory_format=torch.contiguous_format) for x in (q_view, k_view, v_view))
        scale = q.shape[-1] ** -0.5
        if cosine is None or sine is None:
            return q.mul_(scale), k, v
        half = q.shape[-1] // 2
        turned = q.roll(half, -1)
        q.mul_(cosine.unsqueeze(-3) * scale).addcmul_(turned, sine.unsqueeze(-3) * scale)
        turned = k.roll(half, -1)
        k.mul_(cosine).addcmul_(turned, sine)
        return q, k, v

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, None, None, None]:
        cosine, sine = ctx.saved_tensors
        grad_q, grad_k, grad_v = grads
        grad = torch.empty(ctx.shape, dtype=grad_q.dtype, device=grad_q.device)
        q, k, v = _head_views(grad, *ctx.sizes)
        v.copy_(grad_v)
        scale = grad_q.shape[-1] ** -0.5
        if cosine is None:
            torch.mul(grad_q, scale, out=q)
            k.copy_(grad_k)
            return grad, None, None, None
        half = grad_q.shape[-1] // 2
        cosine_q, sine_q = cosine.unsqueeze(-3) * scale, sine.unsqueeze(-3) * scale
        torch.addcmul(grad_q * cosine_q, grad_q.roll(half, -1), sine_q, value=-1, out=q)
        torch.addcmul(grad_k * cosine, grad_k.roll(half, -1), sine, value=-1, out=k)
        return grad, None, None, None


def _plain_heads(
    qkv_BLC: Tensor, heads: int, kv_heads: int, rope: tuple[Tensor, Tensor] | None
) -> tuple[Tensor, Tensor, Tensor]:
    q, k, v = _head_views(qkv_BLC, heads, kv_heads)
    q = q * q.shape[-1] ** -0.5
    if rope is not None:
        half = q.shape[-1] // 2
        cosine, sine = rope
        q = q * cosine.unsqueeze(-3) + q.roll(half, -1) * sine.unsqueeze(-3)
        k = k * cosine + k.roll(half, -1) * sine
    return q.contiguous(), k.contiguous(), v.contiguous()


def _plain_products(
    q_KBGLE: Tensor, k_KBLE: Tensor, v_KBLE: Tensor, mask: Tensor | None, bias: Tensor | None
) -> Tensor:
    scores = (q_KBGLE.flatten(2, 3) @ k_KBLE.transpose(-1, -2)).unflatten(2, q_KBGLE.shape[2:4])
    scores = scores if bias is None else scores + _of_heads(bias, scores)
    probabilities = (scores if mask is None else scores + _of_rows(mask, scores)).softmax(-1)
    return (probabilities.flatten(2, 3) @ v_KBLE).unflatten(2, q_KBGLE.shape[2:4])


def _head_views(qkv_BLC: Tensor, heads: int, kv_heads: int) -> tuple[Tensor, Tensor, Tensor]:
    """The projection as (K, B, G, L, E), (K, B, L, E), (K, B, L, E), without a copy."""
    rows, length, columns = qkv_BLC.shape
    width = columns // (heads + 2 * kv_heads)
    q, k, v = qkv_BLC.view(rows, length, -1, width).split((heads, kv_heads, kv_heads), dim=2)
    q = q.unflatten(2, (kv_heads, heads // kv_heads)).permute(2, 0, 3, 1, 4)
    return q, k.permute(2, 0, 1, 3), v.permute(2, 0, 1, 3)


def _of_heads(bias_HLL: Tensor, scores_KBGLL: Tensor) -> Tensor:
    """A bias as it is added to scores: (K, 1, G, L, L)."""
    return bias_HLL.view(scores_KBGLL.shape[0], 1, *scores_KBGLL.shape[2:])


def _of_rows(mask: Tensor, scores_KBGLL: Tensor) -> Tensor:
    """A mask of rows (B, L, L), or of rows and heads (B, H, L, L), as it is added to scores."""
    if mask.dim() == 3:
        return mask[:, None]
    return mask.unflatten(1, (scores_KBGLL.shape[0], -1)).transpose(0, 1)


class _Products(torch.autograd.Function):
    """Attention by batched products; keeps the probabilities in the type of the computation."""

    @staticmethod
    def forward(ctx: Any, q: Tensor, k: Tensor, v: Tensor, mask: Tensor | None, bias: Tensor | None) -> Tensor:
        kv_heads, rows, groups, length, width = q.shape
        keys = k.shape[2]
        q3, k3, v3 = q.view(-1, groups * length, width), k.view(-1, keys, width), v.view(-1, keys, width)
        scores = torch.bmm(q3, k3.transpose(1, 2))
        scores5 = scores.view(kv_heads, rows, groups, length, keys)
        if bias is not None:
            scores5.add_(_of_heads(bias, scores5))
        if mask is not None:
            scores5.add_(_of_rows(mask, scores5))
        # Row by row the softmax reads before it writes, so it can stand in place of the scores.
        probabilities = torch.ops.aten._softmax.out(scores, -1, False, out=scores)
        ctx.save_for_backward(q3, k3, v3, probabilities)
        return torch.bmm(probabilities, v3).view(q.shape)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, Tensor, Tensor, None, Tensor | None]:
        q3, k3, v3, probabilities = ctx.saved_tensors
        grad = grads[0]
        kv_heads, rows, groups, length, width = grad.shape
        keys = k3.shape[1]
        grad3 = grad.reshape(q3.shape)
        grad_v = torch.bmm(probabilities.transpose(1, 2), grad3)
        scores = torch.bmm(grad3, v3.transpose(1, 2))
        torch.ops.aten._softmax_backward_data.out(scores, probabilities, -1, scores.dtype, grad_input=scores)
        grad_bias = None
        if ctx.needs_input_grad[4]:
            grad_bias = scores.view(kv_heads, rows, groups, length, keys).sum(1).flatten(0, 1)
        grad_q = torch.bmm(scores, k3)
        grad_k = torch.bmm(scores.transpose(1, 2), q3)
        shape = (kv_heads, rows, keys, width)
        return grad_q.view(grad.shape), grad_k.view(shape), grad_v.view(shape), None, grad_bias
