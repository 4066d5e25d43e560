"""Several copies of every token, of which the last one predicts: length scaling.

Shapes: B rows, L tokens, C copies, M = C * L columns (all originals, then all second copies, and so on), D width.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from seedbed.models.rules import Rule, as_mask, places

if TYPE_CHECKING:
    from seedbed.models.architecture import Architecture
    from seedbed.models.stack import Stack

Tensor = torch.Tensor


def read_copies(
    stack: Stack,
    embedded_BLD: Tensor,
    segments_BL: Tensor | None,
    positions_BL: Tensor | None,
    *,
    dtype: torch.dtype,
    kernel: str,
) -> Tensor:
    """The last copies' states (B, L, D). Copies have the embedding and the position of their token."""
    a = stack.architecture
    (rows, length), device = embedded_BLD.shape[:2], embedded_BLD.device
    positions_BL = places(positions_BL, rows, length, device)
    seen = who_sees(a, length, segments_BL, positions_BL)
    return stack.states(
        embedded_BLD.repeat(1, a.copies, 1),
        None,  # the mask knows
        positions_BL.repeat(1, a.copies),
        dtype=dtype,
        kernel=kernel,
        mask=as_mask(seen, rows, a.copies * length, device, dtype, kernel),
    )[:, -length:]


def who_sees(architecture: Architecture, length: int, segments_BL: Tensor | None, positions_BL: Tensor) -> Rule:
    """Whether column m sees column n: an original token before m's or that itself; and where m is a copy, m's own
    earlier copies, and all copies of tokens before it that are fewer than `copy_window` back and in its chunk."""
    a = architecture

    def seen(row: Tensor, _head: Tensor, query: Tensor, key: Tensor) -> Tensor:
        i, j, copy, other = query % length, key % length, query // length, key // length
        own = (i == j) & (other <= copy)
        near = (i > j) & (i - j < a.copy_window) & (copy > 0)
        if a.copy_chunk is not None:
            near = near & (positions_BL[row, i] // a.copy_chunk == positions_BL[row, j] // a.copy_chunk)
        found = own | near | ((other == 0) & (i >= j))
        return found if segments_BL is None else found & (segments_BL[row, i] == segments_BL[row, j])

    return seen
