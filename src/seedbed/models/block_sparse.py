"""Block-sparse attention: blocks see their neighbors, some drawn ones, and the first ones, which see all (BigBird).

Shapes: B rows, L tokens, R drawn blocks of each block, S blocks.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from seedbed.core.counters import hash64, key
from seedbed.models.rules import Rule, as_mask, places

if TYPE_CHECKING:
    from seedbed.models.architecture import Architecture

Tensor = torch.Tensor


def block_sparse_mask(
    architecture: Architecture,
    segments_BL: Tensor | None,
    positions_BL: Tensor | None,
    shape: tuple[int, int],
    *,
    device: torch.device,
    dtype: torch.dtype,
    kernel: str,
) -> Any:
    """The mask of rows of tokens, the same in all layers and heads."""
    rows, length = shape
    if segments_BL is None:
        segments_BL = torch.zeros(rows, length, dtype=torch.int64, device=device)
    rule = who_sees(architecture, segments_BL, places(positions_BL, rows, length, device))
    return as_mask(rule, rows, length, device, dtype, kernel)


def who_sees(architecture: Architecture, segments_BL: Tensor, positions_BL: Tensor) -> Rule:
    """Whether a token sees another of its segment, by the blocks that their positions lie in: equal or up to `window`
    apart, one of the first `global` ones, or the key's drawn for the query's. A segment's blocks draw among all of
    its own, so what is drawn depends on the segment's length, and not on what stands beside it."""
    assert architecture.sparse is not None
    size, window, first = (architecture.sparse[name] for name in ("block", "window", "global"))
    block_BL = positions_BL // size
    length_BL = (segments_BL[:, :, None] == segments_BL[:, None, :]).sum(-1)
    drawn_BLR = drawn_blocks(architecture.sparse["random"], block_BL, -(-length_BL // size))

    def seen(row: Tensor, _head: Tensor, query: Tensor, key: Tensor) -> Tensor:
        mine, other = block_BL[row, query], block_BL[row, key]
        found = ((mine - other).abs() <= window) | (mine < first) | (other < first)
        for number in range(drawn_BLR.shape[-1]):
            found = found | (drawn_BLR[row, query, number] == other)
        return found & (segments_BL[row, query] == segments_BL[row, key])

    return seen


def drawn_blocks(number: int, block_BL: Tensor, blocks_BL: Tensor) -> Tensor:
    """For each token the blocks that its own has drawn (B, L, R), out of as many as its segment has; the same in every
    process. Two draws may be the same block, or one that is seen anyway."""
    highest = int(block_BL.max()) + 1
    hashed_SR = hash64(key(0, "block_sparse"), np.arange(highest)[:, None], np.arange(number)[None, :])
    drawn_SR = torch.from_numpy((hashed_SR >> np.uint64(33)).astype(np.int64)).to(block_BL.device)
    return drawn_SR[block_BL] % blocks_BL.clamp(min=1)[..., None]
