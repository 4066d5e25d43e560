"""Numbers as a person reads them: every one with its unit, no more digits than it has earned."""

from __future__ import annotations

import datetime
import math
from dataclasses import dataclass
from typing import Any

THIN = "\u202f"  # between a number and its unit
MINUS = "\u2212"
NONE = "\u2013"  # where there is no number
TIMES = "\u00d7"


def whole(value: float | None) -> str:
    """1234567 -> 1,234,567."""
    return NONE if value is None else f"{value:,.0f}".replace("-", MINUS)


def short(value: float | None) -> str:
    """1234567 -> 1.23 M; below ten thousand in full."""
    if value is None:
        return NONE
    for limit, unit in ((1e12, "T"), (1e9, "B"), (1e6, "M"), (1e3, "k")):
        if abs(value) >= limit and abs(value) >= 1e4:
            return f"{significant(value / limit)}{THIN}{unit}"
    return whole(value)


def significant(value: float, digits: int = 3) -> str:
    """With so many significant digits, never in powers of ten between a thousandth and a million."""
    if value == 0 or not math.isfinite(value):
        return "0" if value == 0 else NONE
    exponent = math.floor(math.log10(abs(value)))
    if -4 < exponent < 6:
        return f"{value:,.{max(0, digits - 1 - exponent)}f}".replace("-", MINUS)
    mantissa = value / 10.0**exponent
    return f"{mantissa:.{digits - 1}f}{TIMES}10{_raised(exponent)}".replace("-", MINUS)


def _raised(exponent: int) -> str:
    return str(exponent).translate(str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹"))


def size(num_bytes: float | None) -> str:
    """Bytes in decimal units."""
    if num_bytes is None:
        return NONE
    for limit, unit in ((1e12, "TB"), (1e9, "GB"), (1e6, "MB"), (1e3, "kB")):
        if abs(num_bytes) >= limit:
            return f"{significant(num_bytes / limit)}{THIN}{unit}"
    return f"{num_bytes:.0f}{THIN}bytes"


def seconds(value: float | None) -> str:
    """A span of time in at most two units."""
    if value is None:
        return NONE
    if value < 10:
        return f"{value:.1f}{THIN}s"
    total = round(value)
    if total < 60:
        return f"{total}{THIN}s"
    for large, unit, small, smaller in ((86400, "d", 3600, "h"), (3600, "h", 60, "min"), (60, "min", 1, "s")):
        if total >= large:
            rest = total % large // small
            return f"{total // large}{THIN}{unit}" + (f" {rest}{THIN}{smaller}" if rest else "")
    raise AssertionError(total)


def when(iso: str | None) -> str:
    """A moment, in the time zone that it was noted in."""
    if not iso:
        return NONE
    try:
        moment = datetime.datetime.fromisoformat(iso)
    except ValueError:
        return iso
    zone = " UTC" if moment.utcoffset() == datetime.timedelta(0) else f" {moment:%z}" if moment.utcoffset() else ""
    return f"{moment.day} {moment:%b %Y, %H:%M}{zone}"


def share(part: float, total: float) -> str:
    """A part of a total in percent."""
    if not total:
        return NONE
    value = 100 * part / total
    written = f"{value:.1f}" if abs(value) >= 0.1 or not value else significant(value, 2)
    return f"{written.replace('-', MINUS)}{THIN}%"


@dataclass(frozen=True)
class Unit:
    """How a metric's values are written: `factor` times the value, then the unit."""

    name: str = ""  # behind a value
    difference: str = ""  # behind a difference; by default the same
    factor: float = 1.0
    least: int = 3  # decimals where nothing else is known

    def decimals(self, spread: float | None = None) -> int:
        """So many that an interval's width has two digits, within reason."""
        if not spread or not math.isfinite(spread):
            return self.least
        return min(max(1 - math.floor(math.log10(abs(spread) * self.factor)), min(self.least, 1)), self.least + 1)

    def value(self, value: float | None, spread: float | None = None, *, unit: bool = True) -> str:
        """A value with its unit."""
        if value is None or not math.isfinite(value):
            return NONE
        text = f"{self.factor * value:,.{self.decimals(spread)}f}".replace("-", MINUS)
        return text + self._tail(self.name) if unit else text

    def delta(self, value: float | None, spread: float | None = None, *, unit: bool = True) -> str:
        """A difference: with its sign."""
        if value is None or not math.isfinite(value):
            return NONE
        text = f"{self.factor * value:+,.{self.decimals(spread)}f}".replace("-", MINUS)
        return text + self._tail(self.difference or self.name) if unit else text

    def span(self, entry: dict[str, Any], *, signed: bool = False) -> str:
        """The interval of an entry with `low` and `high`; "" where there is none."""
        low, high = entry.get("low"), entry.get("high")
        if low is None or high is None:
            return ""
        write = self.delta if signed else self.value
        return f"[{write(low, high - low, unit=False)}, {write(high, high - low, unit=False)}]"

    def _tail(self, name: str) -> str:
        return f"{THIN}{name}" if name else ""


def width(entry: dict[str, Any]) -> float | None:
    """The width of an entry's interval."""
    low, high = entry.get("low"), entry.get("high")
    return None if low is None or high is None else float(high) - float(low)
