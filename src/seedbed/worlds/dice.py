"""Random choices one after another, as a function of a stream: what one document or one entity needs."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from itertools import accumulate, count
from typing import TypeVar

import numpy as np

from seedbed.core.counters import key, uniform

T = TypeVar("T")
_BLOCK = 192  # numbers drawn at a time: enough for most documents


class Dice:
    """The numbers of the stream that a seed, names and counters give."""

    def __init__(self, seed: int, *names: int | str) -> None:
        self._numbers = _numbers(key(seed, *names))

    def __call__(self) -> float:
        """A number in [0, 1)."""
        return next(self._numbers)

    def below(self, high: int) -> int:
        """A number of range(high)."""
        return int(next(self._numbers) * high)

    def chance(self, share: float) -> bool:
        return next(self._numbers) < share

    def pick(self, items: Sequence[T]) -> T:
        return items[int(next(self._numbers) * len(items))]

    def weighted(self, cumulative: Sequence[float]) -> int:
        """An index, by cumulative weights that end at 1."""
        return min(bisect_right(cumulative, next(self._numbers)), len(cumulative) - 1)

    def shuffled(self, items: Sequence[T]) -> list[T]:
        found = list(items)
        for index in range(len(found) - 1, 0, -1):
            other = self.below(index + 1)
            found[index], found[other] = found[other], found[index]
        return found


def _numbers(stream: int) -> Iterator[float]:
    for start in count(0, _BLOCK):
        yield from uniform(stream, np.arange(start, start + _BLOCK)).tolist()


def cumulative(weights: Sequence[float]) -> list[float]:
    """What `Dice.weighted` takes."""
    total = sum(weights)
    return list(accumulate(weight / total for weight in weights))


def zipf(size: int, exponent: float = 1.0, shift: float = 0.0) -> list[float]:
    """Cumulative weights of ranks 1 to `size`, which fall as 1 / (rank + shift) ** exponent."""
    return cumulative([(rank + shift) ** -exponent for rank in range(1, size + 1)])
