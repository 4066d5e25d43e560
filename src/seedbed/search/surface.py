"""What a surface is: values of points without training."""

from __future__ import annotations

from .space import Point


class Surface:
    """Base of surfaces: known functions on which searchers can be tried, or anything else that says what a point is
    worth (a file of one's own registers it)."""

    def value(self, point: Point, seed: int, repetition: int) -> float:
        """Small is good. `seed` is the search's, `repetition` 0 but where the best point is tried again."""
        raise NotImplementedError
