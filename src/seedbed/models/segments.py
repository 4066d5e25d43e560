"""What layers are told beside their input, and segments of packed rows as rows of their own.

Recurrences and convolutions know no mask; to keep packed segments exactly apart, each becomes a row of its own, filled
up with zeros. Segments of about one length (up to the next power of two) go through together, so that at most half of
what is computed is filling.

Shapes: B rows, L tokens, D width, S segments, T = B * L tokens.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import torch

from seedbed.models.kept import KeptLayer

Tensor = torch.Tensor


@dataclass
class Context:
    """For one layer of one pass."""

    kernel: str
    causal: bool
    rope: tuple[Tensor, Tensor] | None = None  # tables, where attention (or a packed block) wants them
    mask: Any = None  # of `attention_mask`, likewise
    segments_BL: Tensor | None = None
    positions_BL: Tensor | None = None
    valid_BL: Tensor | None = None  # where a row is a segment that was filled up: its own tokens
    pieces: list[Piece] | None = None
    kept: KeptLayer | None = None  # where keys and values are kept of what is read
    carry: dict[str, Tensor] = field(default_factory=dict)  # what layers hand to later ones
    auxiliary: dict[str, Tensor] = field(default_factory=dict)  # losses of blocks: see `add_loss`

    def add_loss(self, name: str, value_B: Tensor) -> None:
        """A loss of each row for a token, which training adds to that of every target of the row: so losses of parts of
        a batch add up to the whole's. Only packed blocks have such, whose rows are the batch's."""
        self.auxiliary[name] = self.auxiliary[name] + value_B if name in self.auxiliary else value_B


@dataclass
class Piece:
    """Segments of about one length: which tokens of the batch they are (S, L), any where they are filled up."""

    index_SL: Tensor
    valid_SL: Tensor
    carry: dict[str, Tensor] = field(default_factory=dict)


def pieces_of(segments_BL: Tensor) -> list[Piece]:
    """Every run of one segment number in a row, padding included."""
    rows, length = segments_BL.shape
    begins = torch.ones_like(segments_BL, dtype=torch.bool)
    begins[:, 1:] = segments_BL[:, 1:] != segments_BL[:, :-1]
    start_S = begins.flatten().nonzero()[:, 0]
    length_S = torch.diff(start_S, append=start_S.new_tensor([rows * length]))
    found, size = [], 1
    while size < 2 * length:
        mine = (length_S <= size) & (length_S > size // 2)
        if mine.any():
            starts, lengths = start_S[mine], length_S[mine]
            place_L = torch.arange(int(lengths.max()), device=starts.device)
            valid_SL = place_L < lengths[:, None]
            found.append(Piece((starts[:, None] + place_L).where(valid_SL, starts[:, None]), valid_SL))
        size *= 2
    return found


def separately(block: Callable[[Tensor, Context], Tensor], x_BLD: Tensor, context: Context) -> Tensor:
    """A block's output where each segment is a row of its own."""
    if context.pieces is None:
        return block(x_BLD, context)
    x_TD = x_BLD.flatten(0, 1)
    outputs, order = [], []
    for piece in context.pieces:
        x_SLD = x_TD[piece.index_SL] * piece.valid_SL[:, :, None]
        own = replace(
            context, segments_BL=None, positions_BL=None, valid_BL=piece.valid_SL, pieces=None, carry=piece.carry
        )
        outputs.append(block(x_SLD, own)[piece.valid_SL])
        order.append(piece.index_SL[piece.valid_SL])
    return torch.cat(outputs)[torch.cat(order).argsort()].view_as(x_BLD)
