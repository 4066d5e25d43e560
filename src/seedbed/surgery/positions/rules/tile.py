"""The table again and again.

Shapes: P positions of the table, N new ones behind them, D width.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from seedbed.surgery.positions.rule import position_rules

if TYPE_CHECKING:
    import torch


@position_rules.register("tile", papers=["257"])
class Tile:
    """Position p has the row of position p mod P, as Longformer begins (Beltagy et al., 2020): within each copy, order
    and distances are those of training; tokens P places apart stand at the same position."""

    def extend(self, table_PD: torch.Tensor, number: int) -> torch.Tensor:
        return tiled(table_PD, number)


def tiled(table_PD: torch.Tensor, number: int) -> torch.Tensor:
    """The rows (N, D) behind a table that is repeated."""
    import torch

    return table_PD[torch.arange(number) % len(table_PD)]
