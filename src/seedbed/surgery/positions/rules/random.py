"""As a new network would have them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from seedbed.surgery.positions.rule import position_rules

if TYPE_CHECKING:
    import torch


@position_rules.register("random", papers=["257"])
class Random:
    """Rows with the mean and the deviation of the old ones, column by column, and nothing of their order: the baseline.

    (A new network's deviation of 0.02 would tell long texts from short ones by the size of the rows alone.)
    """

    def __init__(self, seed: int = 0) -> None:
        self.seed = seed

    def extend(self, table_PD: torch.Tensor, number: int) -> torch.Tensor:
        from seedbed.surgery.initializers.gaussian import draw

        return draw(table_PD, number, self.seed, "positions", independent=True)
