"""Curves over an axis, such as losses over tokens: bands from least to largest value, lines through means."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

from ..numbers import THIN, short, significant
from .scale import Scale, fitted, labels
from .svg import Drawing, apart, cut, line, path, tag, text, text_width
from .thin import Bucket, Curve

_NARROW = 500  # below it, names stand within the plot


@dataclass(frozen=True)
class Line:
    """One curve; `tone` is a class of the style sheet that gives color and dashes."""

    label: str
    curve: Curve
    tone: str
    marks: bool = False  # a dot at every bucket, for few points
    joined: bool = True  # by a line


@dataclass(frozen=True)
class Axes:
    """What stands at the axes; whether a pointer is told the values."""

    x: str
    y: str
    height: float = 300.0
    log_y: bool = False
    probes: bool = True


def draw_curves(lines: Sequence[Line], axes: Axes, width: float) -> Drawing:
    """The drawing for one width."""
    lines = [item for item in lines if item.curve]
    narrow = width < _NARROW
    top, bottom = (42.0, axes.height - 40.0) if narrow else (26.0, axes.height - 40.0)
    y = fitted([v for item in lines for b in item.curve.buckets for v in _extent(item, b)], bottom, top, log=axes.log_y)
    y_ticks = y.ticks(5 if axes.height < 200 else 6)
    y_labels = labels(y_ticks)
    left = text_width(y_labels) + 10
    right = width - (8 if narrow or len(lines) < 2 else min(text_width(item.label for item in lines), 170.0) + 16)
    high = max((bucket.x for item in lines for bucket in item.curve.buckets), default=0.0)
    x = Scale(0.0, high or 1.0, left, right)
    parts = [text(0, 12, axes.y + (", logarithmic" if y.log else ""), "axis-title")]
    parts += _grid(x, y, y_ticks, y_labels, axes.x, width)
    parts += [part for item in lines for part in _drawn(item, x, y)]
    if len(lines) > 1:
        parts += _names(lines, x, y, width, narrow=narrow)
    parts += _probes(lines, x, y, width, narrow=narrow) if axes.probes else []
    return Drawing(axes.height, parts)


def _extent(item: Line, bucket: Bucket) -> tuple[float, float]:
    return (bucket.mean, bucket.mean) if item.marks else (bucket.low, bucket.high)


def _grid(x: Scale, y: Scale, y_ticks: list[float], y_labels: list[str], title: str, width: float) -> list[Markup]:
    parts = []
    for value, label in zip(y_ticks, y_labels, strict=True):
        parts += [
            line(x.start, y(value), x.end, y(value), "grid"),
            text(x.start - 6, y(value) + 4, label, "tick", "end"),
        ]
    x_ticks = x.ticks(max(2, int((x.end - x.start) / 90)))
    for value, label in zip(x_ticks, labels(x_ticks), strict=True):
        anchor = "end" if x(value) > width - 16 else "middle"
        parts.append(line(x(value), y.start, x(value), y.start + 4, "axis"))
        parts.append(text(x(value), y.start + 17, label, "tick", anchor))
    parts.append(line(x.start, y.start, x.end, y.start, "axis"))
    parts.append(text(x.end, y.start + 34, title, "axis-title", "end"))
    return parts


def _drawn(item: Line, x: Scale, y: Scale) -> list[Markup]:
    buckets = item.curve.buckets
    points = [(x(bucket.x), y(bucket.mean)) for bucket in buckets]
    parts = []
    if not item.marks and any(bucket.high > bucket.low for bucket in buckets):
        edge = [(x(b.x), y(b.high)) for b in buckets] + [(x(b.x), y(b.low)) for b in reversed(buckets)]
        parts.append(tag("path", d=path(edge, closed=True), class_=f"band {item.tone}"))
    if item.joined and len(points) > 1:
        parts.append(tag("path", d=path(points), class_=f"line {item.tone}"))
    if item.marks or len(points) == 1:
        radius = 3.2 if len(points) <= 40 else 1.8
        parts += [tag("circle", cx=px, cy=py, r=radius, class_=f"dot {item.tone}") for px, py in points]
    return parts


def _names(lines: Sequence[Line], x: Scale, y: Scale, width: float, *, narrow: bool) -> list[Markup]:
    """Names at the ends of the curves; on a phone, in the corner that a falling loss leaves free."""
    if narrow:
        return [
            part
            for number, item in enumerate(lines)
            for part in (
                line(x.end - 18, y.end + 8 + 17 * number, x.end, y.end + 8 + 17 * number, f"line {item.tone}"),
                text(x.end - 24, y.end + 12 + 17 * number, cut(item.label, 200), f"name halo {item.tone}", "end"),
            )
        ]
    wanted = [y(item.curve.buckets[-1].mean) + 4 for item in lines]
    places = apart(wanted, 16, y.end + 4, y.start + 4)
    room = width - x.end - 10
    return [
        text(x.end + 8, place, cut(item.label, room), f"name {item.tone}")
        for item, place in zip(lines, places, strict=True)
    ]


def _probes(lines: Sequence[Line], x: Scale, y: Scale, width: float, *, narrow: bool) -> list[Markup]:
    """Invisible strips that show the values below the pointer (or the finger), by the style sheet alone."""
    count = min(22 if narrow else 44, max((len(item.curve.buckets) for item in lines), default=0))
    step = (x.end - x.start) / max(count, 1)
    parts = []
    for number in range(count):
        center = x.start + step * (number + 0.5)
        value = x.low + (center - x.start) / (x.end - x.start) * (x.high - x.low)
        found = [(item, bucket) for item in lines if (bucket := item.curve.at(value)) is not None]
        found = [(item, bucket) for item, bucket in found if bucket.x >= value or item.marks]
        if not found:
            continue
        place = short(found[0][1].x)
        words = [f"{item.label}{THIN}{THIN}{significant(bucket.mean, 4)}" for item, bucket in found]
        readout = "  ·  ".join([place, *words])
        shown = cut(readout, width - (0 if narrow else 230))
        parts.append(
            tag(
                "g",
                tag("rect", x=center - step / 2, y=y.end, width=step, height=y.start - y.end),
                tag(
                    "g",
                    line(x(found[0][1].x), y.end, x(found[0][1].x), y.start, "rule"),
                    *(tag("circle", cx=x(b.x), cy=y(b.mean), r=3, class_=f"dot {item.tone}") for item, b in found),
                    text(0 if narrow else width, 30 if narrow else 12, shown, "readout", None if narrow else "end"),
                    class_="tip",
                ),
                class_="probe",
            )
        )
    return parts
