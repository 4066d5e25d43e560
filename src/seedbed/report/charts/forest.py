"""A forest plot: a row for each system or arm, its mean as a mark, its interval as a line."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from markupsafe import Markup

from .scale import Scale, fitted, labels
from .svg import Drawing, cut, line, tag, text, text_width

_NARROW = 500


@dataclass(frozen=True)
class Row:
    """One row; `text` is what stands at its end, `title` what a pointer is told."""

    label: str
    mean: float
    low: float | None
    high: float | None
    text: str
    tone: str = "context"
    strong: bool = False
    title: str = ""
    points: Sequence[float] = field(default_factory=tuple)  # single seeds


@dataclass(frozen=True)
class Axis:
    """`factor` turns values into what the ticks say (100 for percent). `better` is "higher", "lower" or ""."""

    title: str
    factor: float = 1.0
    better: str = ""
    zero: bool = False  # draw the line at zero, and have it in view


def draw_forest(rows: Sequence[Row], axis: Axis, width: float) -> Drawing:
    """The drawing for one width."""
    narrow = width < _NARROW
    height = 42.0 if narrow else 28.0
    name_width = 0.0 if narrow else min(text_width(row.label for row in rows) + 18, 240.0)
    text_room = 0.0 if narrow else text_width(row.text for row in rows) + 14
    values = [v * axis.factor for row in rows for v in (row.mean, row.low, row.high, *row.points) if v is not None]
    x = fitted([*values, *([0.0] if axis.zero else [])], name_width + 6, width - text_room - 6, pad=0.06)
    bottom = 8 + height * len(rows)
    ticks = x.ticks(4 if narrow else 6)
    parts = [line(x(value), 4, x(value), bottom, "grid") for value in ticks]
    if axis.zero:
        parts.append(line(x(0.0), 2, x(0.0), bottom + 2, "zero"))
    for number, row in enumerate(rows):
        parts += _row(row, axis, x, 8 + height * number, width, narrow=narrow)
    parts.append(line(x.start, bottom, x.end, bottom, "axis"))
    for value, label in zip(ticks, labels(ticks), strict=True):
        parts.append(text(x(value), bottom + 16, label, "tick", "middle"))
    parts += _title(axis, x, bottom + 34)
    return Drawing(bottom + 42, parts)


def _row(row: Row, axis: Axis, x: Scale, top: float, width: float, *, narrow: bool) -> list[Markup]:
    center = top + (26 if narrow else 14)
    words = top + (13 if narrow else 18)
    style = ("name strong" if row.strong else "name") + (" halo" if narrow else "")
    label_room = width - text_width([row.text]) - 12 if narrow else x.start - 14
    parts = [
        text(0, words, cut(row.label, label_room), f"{style} {row.tone}"),
        text(width, words, row.text, ("value strong" if row.strong else "value") + (" halo" if narrow else ""), "end"),
    ]
    marks = [tag("circle", cx=x(v * axis.factor), cy=center, r=2.4, class_=f"seed {row.tone}") for v in row.points]
    if row.low is not None and row.high is not None:
        ends = x(row.low * axis.factor), x(row.high * axis.factor)
        marks.append(line(ends[0], center, ends[1], center, f"span {row.tone}"))
        marks += [line(end, center - 4, end, center + 4, f"span {row.tone}") for end in ends]
    place = x(row.mean * axis.factor)
    if row.strong:
        marks.append(tag("circle", cx=place, cy=center, r=5, class_=f"mark {row.tone}"))
    else:
        marks.append(tag("rect", x=place - 3.6, y=center - 3.6, width=7.2, height=7.2, class_=f"mark {row.tone}"))
    hit = tag("rect", x=0, y=top, width=width, height=28.0 if not narrow else 42.0, class_="hit")
    return [*parts, tag("g", tag("title", row.title or f"{row.label}: {row.text}"), *marks, hit)]


def _title(axis: Axis, x: Scale, y: float) -> list[Markup]:
    """The axis' title, and an arrow to where it is better."""
    if axis.better == "lower":
        return [text(x.start, y, "← better", "better"), text(x.end, y, axis.title, "axis-title", "end")]
    if axis.better == "higher":
        return [text(x.start, y, axis.title, "axis-title"), text(x.end, y, "better →", "better", "end")]
    return [text(x.start, y, axis.title, "axis-title")]
