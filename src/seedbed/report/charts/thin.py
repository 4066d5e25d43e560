"""Curves of any length in a few hundred buckets, in one pass and bounded memory, with every spike still there."""

from __future__ import annotations

import math
from dataclasses import dataclass, field


@dataclass
class Bucket:
    """Some neighboring points: where they end, their least, largest and mean value."""

    x: float  # of the last point
    low: float
    high: float
    total: float
    count: int

    @property
    def mean(self) -> float:
        return self.total / self.count

    def joined(self, later: Bucket) -> Bucket:
        """This one and the one after it."""
        return Bucket(
            later.x,
            min(self.low, later.low),
            max(self.high, later.high),
            self.total + later.total,
            self.count + later.count,
        )


@dataclass
class Curve:
    """Points in the order of x, thinned as they come: when there are too many buckets, neighbors are joined.

    A bucket keeps the extremes of its points, so no spike is lost. Values that are not finite are counted.
    """

    limit: int = 240
    buckets: list[Bucket] = field(default_factory=list)
    skipped: int = 0
    _size: int = 1  # points in a full bucket

    def add(self, x: float, y: float | None) -> None:
        """One more point."""
        if y is None or not math.isfinite(y):
            self.skipped += 1
            return
        point = Bucket(x, y, y, y, 1)
        if self.buckets and self.buckets[-1].count < self._size:
            self.buckets[-1] = self.buckets[-1].joined(point)
            return
        if len(self.buckets) >= self.limit:
            pairs = range(0, len(self.buckets) - 1, 2)
            rest = self.buckets[len(pairs) * 2 :]
            self.buckets = [self.buckets[i].joined(self.buckets[i + 1]) for i in pairs] + rest
            self._size *= 2
        self.buckets.append(point)

    def __bool__(self) -> bool:
        return bool(self.buckets)

    @property
    def num_points(self) -> int:
        return sum(bucket.count for bucket in self.buckets)

    @property
    def last(self) -> float:
        """The mean of the last bucket."""
        return self.buckets[-1].mean

    def at(self, x: float) -> Bucket | None:
        """The first bucket that reaches x, else the last."""
        return next((bucket for bucket in self.buckets if bucket.x >= x), self.buckets[-1] if self.buckets else None)
