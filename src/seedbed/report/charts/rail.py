"""Lineage as rows with a rail: every artifact a row, lines from what it was made from, as in a history of commits."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

from .svg import Drawing, cut, line, tag, text, text_width

_NARROW = 500
_LANE = 15.0


@dataclass(frozen=True)
class Stop:
    """One row. `inputs` are the rows, by number, that it was made from; they stand above it."""

    label: str
    how: str  # what made it; left out on a phone
    about: str
    facts: Sequence[str]  # columns on the right
    inputs: Sequence[int]
    tone: str
    title: str = ""


def lanes(stops: Sequence[Stop]) -> list[int]:
    """For each row the lane of its line, which runs from it down to the last row that it goes into. Lines that are
    there at the same time have different lanes; one that ends in a row may go on as that row's own."""
    last = list(range(len(stops)))
    for number, stop in enumerate(stops):
        for source in stop.inputs:
            assert source < number, f"{stop.label} stands before what it was made from"
            last[source] = number
    found: list[int] = []
    for number in range(len(stops)):
        taken = {found[other] for other in range(number) if last[other] > number}
        found.append(next(lane for lane in range(len(stops) + 1) if lane not in taken))
    return found


def draw_rail(stops: Sequence[Stop], width: float) -> Drawing:
    """The drawing for one width; on a phone the facts stand in the second line."""
    narrow = width < _NARROW
    height = 44.0
    places = lanes(stops)
    left = (max(places, default=0) + 1) * _LANE + 12
    columns = [text_width(stop.facts[c] for stop in stops) + 22 for c in range(len(stops[0].facts))] if stops else []
    parts: list[Markup] = []
    for number, stop in enumerate(stops):
        y = _middle(number, height)
        for source in sorted(set(stop.inputs)):
            parts.append(_edge(_x(places[source]), _middle(source, height), _x(places[number]), y, stops[source].tone))
    for number, stop in enumerate(stops):
        y = _middle(number, height)
        dot = tag("circle", cx=_x(places[number]), cy=y, r=5, class_=f"stop {stop.tone}")
        parts.append(tag("g", tag("title", stop.title or stop.label), dot))
        room = width - left - (0 if narrow else sum(columns))
        parts.append(text(left, y - 2, cut(stop.label, room), "name strong"))
        said = [*stop.facts, stop.about] if narrow else [stop.how, stop.about]
        below = " · ".join(part for part in said if part)
        parts.append(text(left, y + 14, cut(below, room * 1.06, head=1.0), "small"))
        if not narrow:
            x = width
            for fact, column in zip(reversed(stop.facts), reversed(columns), strict=True):
                parts.append(text(x, y + 4, fact, "value", "end"))
                x -= column
            if number:
                parts.append(line(left, number * height, width, number * height, "grid"))
    return Drawing(height * len(stops) + 4, parts)


def _x(lane: int) -> float:
    return 8 + lane * _LANE


def _middle(number: int, height: float) -> float:
    return height * number + height / 2


def _edge(x1: float, y1: float, x2: float, y2: float, tone: str) -> Markup:
    """Down its own lane, and over to the other in the last stretch."""
    bend = y2 - 22
    d = f"M{x1:.1f} {y1:.1f}L{x1:.1f} {bend:.1f}C{x1:.1f} {y2:.1f} {x2:.1f} {bend:.1f} {x2:.1f} {y2:.1f}"
    return tag("path", d=d, class_=f"edge {tone}")
