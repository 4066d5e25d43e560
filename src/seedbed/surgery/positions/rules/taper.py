"""The table again and again, ever fainter.

Shapes: P positions of the table, N new ones behind them, D width.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from seedbed.core.checks import check_share
from seedbed.surgery.positions.rule import position_rules
from seedbed.surgery.positions.rules.tile import tiled

if TYPE_CHECKING:
    import torch


@position_rules.register("taper", papers=["257"])
class Taper:
    """The repeated table, in which what sets a position apart grows fainter with its distance from the trained ones, so
    that no two positions are the same: row p = mean + w (row (p mod P) - mean), with w falling linearly from 1 at the
    last trained position to `end` at the last new one. `mean` is that of the table's rows, which all positions share
    and which says nothing of order.

    The name is that of KoBigBird's "tapered absolute positional encoding representations" (Yang et al., 2023). We could
    not read their formula; this one is ours, and so is the default of `end`.
    """

    def __init__(self, end: float = 0.5) -> None:
        check_share("end", end)
        self.end = end

    def extend(self, table_PD: torch.Tensor, number: int) -> torch.Tensor:
        import torch

        weight_N1 = 1 - (1 - self.end) * torch.arange(1, number + 1, dtype=torch.float64)[:, None] / number
        mean_D = table_PD.double().mean(0)
        return (mean_D + weight_N1 * (tiled(table_PD, number).double() - mean_D)).to(table_PD.dtype)
