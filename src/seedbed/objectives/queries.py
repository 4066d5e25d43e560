"""Queries: tokens put behind a row, at the positions of tokens that they ask for, which nobody else sees.

Shapes: B rows, L tokens a row, T queries of all rows together, S tokens a row with its queries.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from seedbed.core.errors import InputError

_PLACED = ("rope", "learned")


class Queries:
    """Places behind rows of a `shape` (B, L): one for each of `row_T`, the rows' numbers, ascending."""

    def __init__(self, row_T: np.ndarray, shape: tuple[int, int]) -> None:
        rows, length = shape
        self.row_T = row_T
        count_B = np.bincount(row_T, minlength=rows)
        self.number_T = np.arange(len(row_T)) - (np.cumsum(count_B) - count_B)[row_T]  # 0, 1, ... in every row
        self.column_T = length + self.number_T
        self._added = int(count_B.max(initial=0))
        self.width = length + self._added

    @property
    def where_T(self) -> np.ndarray:
        """Flat places in the rows with their queries."""
        return np.asarray(self.row_T * self.width + self.column_T)

    def behind(self, array_BL: np.ndarray, empty: int, value_T: Any) -> np.ndarray:
        """An array of the rows with the queries' values (B, S); rows with fewer queries than others end with
        `empty`."""
        wide_BS = np.pad(array_BL, ((0, 0), (0, self._added)), constant_values=empty).astype(np.int64)
        wide_BS[self.row_T, self.column_T] = value_T
        return wide_BS


def check_placed(network: Any) -> None:
    """Raises InputError if the network's positions are those in the row, and not given."""
    positions = network.architecture.positions
    if positions not in _PLACED:
        problem = "count tokens in the row, and a query would not be at its place"
        raise InputError("model.positions", problem, value=positions, allowed=_PLACED)
