"""Sizes before and after growth, and the maps that repeat what there is.

A dimension grows by repeating: index j of the large one is a copy of index j mod d of the small one. So heads stay
whole (their width must not change), and the parts of a feedforward's inner width, too, where both are multiples of the
network's width.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import torch

from seedbed.core.errors import InputError

if TYPE_CHECKING:
    from seedbed.models.architecture import Architecture

Tensor = torch.Tensor
_SIZES = ("layers", "width", "heads", "kv_heads", "feedforward", "max_length")


def check_growth(before: Architecture, after: Architecture) -> None:
    """Raises InputError if more differs than sizes, or a size shrinks."""
    for name in _SIZES:
        if getattr(after, name) < getattr(before, name):
            raise InputError(
                f"to.{name}",
                "is smaller than before",
                value=getattr(after, name),
                allowed=f"{getattr(before, name)} or more",
            )
    if after.head_width != before.head_width:
        raise InputError(
            "to.heads",
            f"the width of a head must stay {before.head_width}, as heads are copied whole",
            value=after.heads,
            fix=f"heads: {after.width // before.head_width}",
        )
    if after.heads * before.kv_heads != before.heads * after.kv_heads:
        raise InputError("to.kv_heads", "must grow as heads do", value=after.kv_heads)
    if before.positions == "learned" and after.max_length != before.max_length:
        raise InputError("to.max_length", "must stay where positions are learned", value=after.max_length)
    if after.base_width is not None:
        raise InputError("to.width_transfer", "networks with width transfer cannot grow", value=after.base_width)
    if after.composed or before.composed:
        fix = "method: pairs, for networks whose mixers and feedforwards are pattention"
        raise InputError("to", "networks with mixers, feedforwards or shared layers do not grow so", fix=fix)
    if (
        after.normformer
        or after.decoder_layers
        or after.embedding_width is not None
        or after.positions in ("relative", "alibi")
    ):
        fix = "a network with norms pre or post, and with rotary, learned or no positions"
        raise InputError(
            "to", "encoder-decoders, NormFormers, narrow embeddings and biases of distances cannot grow", fix=fix
        )
    same = replace(after, **{name: getattr(before, name) for name in (*_SIZES, "special")}).to_json()
    differing = [name for name, value in before.to_json().items() if same[name] != value]
    if differing:
        raise InputError("to", f"only sizes may differ, and so do: {', '.join(differing)}")


def repeated(large: int, small: int) -> Tensor:
    """(large, small): row j has its one in column j mod small. For layers that is stacking (Gong et al., 2019)."""
    return torch.eye(small)[torch.arange(large) % small]
