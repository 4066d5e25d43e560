"""Attention by torch's FlexAttention: blocks of the mask that hold nothing are skipped, and nothing is kept of it.

For GPUs: documents packed into one row, windows and causal order cost what their blocks cost, in one kernel made by
torch's compiler. On CPUs torch runs it slowly and only without gradients.

Shapes: B rows, L tokens, M tokens of a decoder, K key-value heads, G query heads to each, H = K * G heads, E width of a
head, R = 2 L - 1 distances between tokens.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import TYPE_CHECKING, Any

import torch

from seedbed.core.errors import InputError

if TYPE_CHECKING:
    from seedbed.models.network import Ranks

Tensor = torch.Tensor

MIN_HEAD_WIDTH = 16  # the kernel takes no narrower heads on a GPU


def block_mask(
    segments_BL: Tensor | None,
    length: int,
    *,
    causal: bool,
    window: int | None,
    device: torch.device,
    ranks: Ranks | None = None,
    positions_BL: Tensor | None = None,
) -> Any:
    """What `attention_mask` says, as torch's BlockMask; None where every token sees all."""
    if segments_BL is None and ranks is None and not causal and (window is None or window >= length - 1):
        return None
    if ranks is not None:
        seen = _seen_by_rank(segments_BL, window, ranks.shown_BL, ranks.sees_BL, positions_BL)
        return blocks(seen, len(ranks.shown_BL), (length, length), device)
    rows = None if segments_BL is None else len(segments_BL)
    return blocks(_seen(segments_BL, causal, window), rows, (length, length), device)


def cross_block_mask(segments_BM: Tensor, segments_BL: Tensor) -> Any:
    """What `cross_mask` says, as torch's BlockMask."""

    def seen(row: Tensor, _head: Tensor, query: Tensor, key: Tensor) -> Tensor:
        segment = segments_BM[row, query]
        return (segment == segments_BL[row, key]) | (segment < 0)

    sizes = (segments_BM.shape[1], segments_BL.shape[1])
    return blocks(seen, len(segments_BM), sizes, segments_BM.device)


def attend_flex(q_KBGLE: Tensor, k_KBLE: Tensor, v_KBLE: Tensor, mask: Any, bias_HR: Tensor | None = None) -> Tensor:
    """softmax(q k' + bias + mask) v, (K, B, G, L, E), for queries that are scaled already; the bias goes by how far a
    query's token stands behind the key's, from 1 - L to L - 1."""
    if q_KBGLE.device.type == "cpu" and torch.is_grad_enabled() and q_KBGLE.requires_grad:
        raise InputError("kernel", "has no gradients on CPUs", value="flex", fix="kernel: auto")
    groups = q_KBGLE.shape[2]
    q = q_KBGLE.permute(1, 0, 2, 3, 4).flatten(1, 2)
    k, v = k_KBLE.transpose(0, 1), v_KBLE.transpose(0, 1)
    score = None if bias_HR is None else _biased(bias_HR, k.shape[2] - 1)
    kernel = _kernel(q.device.type)
    mixed: Tensor = kernel(q, k, v, score_mod=score, block_mask=mask, scale=1.0, enable_gqa=groups > 1)
    return mixed.unflatten(1, (-1, groups)).transpose(0, 1)


def blocks(seen: Callable[..., Tensor], rows: int | None, sizes: tuple[int, int], device: torch.device) -> Any:
    from torch.nn.attention.flex_attention import create_block_mask

    return create_block_mask(
        seen,
        rows,
        None,
        *sizes,
        device=device,  # type: ignore[arg-type]
        _compile=device.type == "cuda",  # else a byte for each pair of tokens is written first
    )


def _seen(segments_BL: Tensor | None, causal: bool, window: int | None) -> Callable[..., Tensor]:
    """Whether a token sees another, for torch's compiler."""

    def seen(row: Tensor, _head: Tensor, query: Tensor, key: Tensor) -> Tensor:
        found = query >= (key if causal else 0)
        if window is not None:
            found = found & ((query - key).abs() <= window)
        if segments_BL is not None:
            found = found & (segments_BL[row, query] == segments_BL[row, key])
        return found

    return seen


def _seen_by_rank(
    segments_BL: Tensor | None, window: int | None, shown_BL: Tensor, sees_BL: Tensor, positions_BL: Tensor | None
) -> Callable[..., Tensor]:
    """The same with ranks."""

    def seen(row: Tensor, _head: Tensor, query: Tensor, key: Tensor) -> Tensor:
        found = (shown_BL[row, key] <= sees_BL[row, query]) | (query == key)
        if window is not None:
            distance = query - key if positions_BL is None else positions_BL[row, query] - positions_BL[row, key]
            found = found & (distance.abs() <= window)
        if segments_BL is not None:
            found = found & (segments_BL[row, query] == segments_BL[row, key])
        return found

    return seen


def _biased(bias_HR: Tensor, zero: int) -> Callable[..., Tensor]:
    """A score with its head's bias, for torch's compiler; at the column `zero` is that of a token with itself."""

    def biased(score: Tensor, _row: Tensor, head: Tensor, query: Tensor, key: Tensor) -> Tensor:
        return score + bias_HR[head, query - key + zero]

    return biased


def _kernel(device: str) -> Callable[..., Any]:
    from torch.nn.attention.flex_attention import flex_attention

    if device == "cpu" or torch.compiler.is_compiling():  # within a compiled layer the compiler sees to it
        plain: Any = flex_attention
        return plain  # type: ignore[no-any-return]
    return _compiled()


@cache
def _compiled() -> Callable[..., Any]:
    from torch.nn.attention.flex_attention import flex_attention

    compiled: Callable[..., Any] = torch.compile(flex_attention, dynamic=False)  # type: ignore[assignment]
    return compiled
