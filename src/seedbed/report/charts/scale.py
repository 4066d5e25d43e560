"""From numbers to places on paper, and round numbers for the axis."""

from __future__ import annotations

import math
from dataclasses import dataclass

from ..numbers import MINUS, THIN


@dataclass(frozen=True)
class Scale:
    """Maps [low, high] onto [start, end]; start may lie above end, as on a vertical axis. `log` needs low > 0."""

    low: float
    high: float
    start: float
    end: float
    log: bool = False

    def __post_init__(self) -> None:
        assert self.low < self.high, (self.low, self.high)
        assert not self.log or self.low > 0, self.low

    def __call__(self, value: float) -> float:
        low, high = self.low, self.high
        if self.log:
            value, low, high = math.log(max(value, 1e-300)), math.log(low), math.log(high)
        return self.start + (value - low) / (high - low) * (self.end - self.start)

    def ticks(self, most: int = 6) -> list[float]:
        """Round numbers within the scale."""
        return (log_ticks if self.log else ticks)(self.low, self.high, most)


def fitted(values: list[float], start: float, end: float, *, log: bool = False, pad: float = 0.04) -> Scale:
    """A scale that holds all values with a little room; without values, or with a single one, some scale."""
    low, high = (min(values), max(values)) if values else (0.0, 1.0)
    if log and low > 0:
        factor = (high / low) ** pad if high > low else 1.1
        return Scale(low / factor, high * factor, start, end, True)
    room = (high - low) * pad or abs(high) * 0.1 or 1.0
    return Scale(low - room, high + room, start, end)


def step_of(low: float, high: float, most: int) -> float:
    """The smallest of 1, 2, 5 times a power of ten that puts at most `most` ticks on an axis."""
    rough = (high - low) / max(most, 1)
    power = 10.0 ** math.floor(math.log10(rough))
    return next(factor * power for factor in (1, 2, 5, 10) if factor * power >= rough * (1 - 1e-9))


def ticks(low: float, high: float, most: int = 6) -> list[float]:
    """Multiples of a round step in [low, high]."""
    step = step_of(low, high, most)
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return [round(number * step, 12) + 0.0 for number in range(first, last + 1)]


def log_ticks(low: float, high: float, most: int = 6) -> list[float]:
    """Powers of ten; where they are few, also 2 and 5 times them, or within a decade the usual round numbers."""
    first, last = math.floor(math.log10(low)), math.ceil(math.log10(high))
    for factors in ((1, 1.5, 2, 3, 4, 5, 6, 7, 8, 9), (1, 2, 3, 5, 7), (1, 2, 5), (1, 3), (1,)):
        found = [f * 10.0**power for power in range(first, last + 1) for f in factors]
        found = [value for value in found if low * (1 - 1e-9) <= value <= high * (1 + 1e-9)]
        if len(found) <= most:
            return found if len(found) > 1 else ticks(low, high, most)
    every = -(-len(found) // most)
    return found[::every]


def labels(values: list[float]) -> list[str]:
    """Ticks as text: thousands as k, M ..., as many decimals as tell them apart."""
    top = max((abs(value) for value in values), default=0.0)
    factor, suffix = next(((f, s) for f, s in ((1e12, "T"), (1e9, "B"), (1e6, "M"), (1e3, "k")) if top >= f), (1.0, ""))
    if factor == 1e3 and top < 1e4:
        factor, suffix = 1.0, ""
    scaled = [value / factor for value in values]
    digits = next((d for d in range(7) if all(abs(v - round(v, d)) <= 1e-9 * max(abs(v), 1e-9) for v in scaled)), 7)
    return [
        f"{value:,.{digits}f}".replace("-", MINUS) + (THIN + suffix if suffix else "") if value else "0"
        for value in scaled
    ]
