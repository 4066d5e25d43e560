"""Rules of who sees whom, as masks of the attention kernels.

Shapes: B rows, L tokens, M columns.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch

from seedbed.models.flex import blocks

Tensor = torch.Tensor
Rule = Callable[[Tensor, Tensor, Tensor, Tensor], Tensor]  # (row, head, query's column, key's column), of integers


def as_mask(rule: Rule, rows: int, columns: int, device: torch.device, dtype: torch.dtype, kernel: str) -> Any:
    """A rule as a kernel wants it, as from `attention_mask`: what is added to the scores (B, M, M), or torch's
    BlockMask."""
    if kernel == "flex":
        return blocks(rule, rows, (columns, columns), device)
    row_B11 = torch.arange(rows, device=device)[:, None, None]
    column_M = torch.arange(columns, device=device)
    seen_BMM = rule(row_B11, row_B11, column_M[:, None], column_M[None, :]).expand(rows, columns, columns)
    return torch.zeros(seen_BMM.shape, dtype=dtype, device=device).masked_fill_(~seen_BMM, float("-inf"))


def places(positions_BL: Tensor | None, rows: int, length: int, device: torch.device) -> Tensor:
    """Positions, which default to 0, 1, 2, ... in every row (B, L)."""
    return torch.arange(length, device=device).expand(rows, length) if positions_BL is None else positions_BL
