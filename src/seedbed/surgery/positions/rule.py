"""What gives new positions their embeddings.

Shapes: P positions of the table, N new ones behind them, D width.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

from seedbed.core.registry import Registry

if TYPE_CHECKING:
    import torch


class PositionRule(Protocol):
    """A way to go on behind a table of positions, which stays as it is."""

    def extend(self, table_PD: torch.Tensor, number: int) -> torch.Tensor:
        """The rows (number, D) of the positions from P on."""


position_rules: Registry[Any] = Registry(
    "position rule",
    "seedbed.surgery.positions.rules",
    about="the embeddings of positions that a model was not trained at",
)
