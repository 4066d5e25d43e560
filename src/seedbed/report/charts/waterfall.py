"""A waterfall: what came in, what each step took away, what was left, in documents and in bytes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

from markupsafe import Markup

from ..numbers import MINUS, share, size, whole
from .svg import Drawing, cut, line, tag, text, text_width

_NARROW = 500
_ROW = 30.0


@dataclass(frozen=True)
class Bar:
    """A level (`total`), or what is taken from the level before: with documents (`drop`), or out of documents that stay
    (`edit`), which then are only counted. None is an amount that is not known.
    """

    label: str
    kind: Literal["total", "drop", "edit"]
    documents: int
    bytes: int | None
    note: str = ""  # for the pointer


def draw_waterfall(bars: Sequence[Bar], width: float) -> Drawing:
    """Two panels, documents and bytes: beside each other, on a phone below each other."""
    panels: list[tuple[str, list[int | None], Callable[[float | None], str]]] = [
        ("documents", [0 if bar.kind == "edit" else bar.documents for bar in bars], whole),
        ("bytes of text", [bar.bytes for bar in bars], size),
    ]
    height = 30 + _ROW * len(bars)
    if width < _NARROW:
        parts: list[Markup] = []
        for number, (title, values, write) in enumerate(panels):
            top = number * (height + 26)
            parts += _panel(bars, values, write, title, (118.0, width), top, names_to=118.0)
        return Drawing(2 * height + 26, parts)
    names = min(text_width(bar.label for bar in bars) + 14, 190.0)
    middle = names + (width - names) / 2
    parts = _panel(bars, panels[0][1], panels[0][2], panels[0][0], (names, middle - 14), 0, names_to=names)
    parts += _panel(bars, panels[1][1], panels[1][2], panels[1][0], (middle + 14, width), 0, names_to=0)
    return Drawing(height, parts)


def _panel(
    bars: Sequence[Bar],
    values: Sequence[int | None],
    write: Callable[[float | None], str],
    title: str,
    span: tuple[float, float],
    top: float,
    *,
    names_to: float,
) -> list[Markup]:
    """One panel; `names_to` is the room for names on its left, 0 for none."""
    start, end = span
    most = max((value for value in values if value is not None), default=1) or 1
    labels = [
        _label(bar, value, write, documents=title == "documents") for bar, value in zip(bars, values, strict=True)
    ]
    room = text_width(label for label, value in zip(labels, values, strict=True) if value is not None) + 10
    scale = (end - start - room) / most
    parts = [text(start, top + 12, title, "axis-title")]
    level = 0
    for number, (bar, value) in enumerate(zip(bars, values, strict=True)):
        y = top + 26 + _ROW * number
        if bar.kind == "total" and value is not None:
            level = value
        before = level
        if bar.kind != "total" and value is not None:
            level -= value
        if names_to:
            strong = "name strong" if bar.kind == "total" else "name"
            parts.append(text(0, y + 14, cut(bar.label, names_to - 8), strong))
        parts += _bar(bar, value, before, level, most, scale, start, y, labels[number])
        if number + 1 < len(bars):
            parts.append(line(start + level * scale, y + 20, start + level * scale, y + _ROW, "link"))
    return parts


def _label(bar: Bar, value: int | None, write: Callable[[float | None], str], *, documents: bool) -> str:
    if value is None:
        return "size not known"
    if bar.kind == "edit" and documents:
        return f"{write(bar.documents)} edited" if bar.documents else ""
    sign = "" if bar.kind == "total" else MINUS if value > 0 else "+" if value < 0 else ""
    return f"{sign}{write(abs(value))}"


def _bar(
    bar: Bar,
    value: int | None,
    before: int,
    after: int,
    most: int,
    scale: float,
    start: float,
    y: float,
    label: str,
) -> list[Markup]:
    """A level from zero; a loss between the level after it and the one before."""
    if value is None:
        return [text(start + before * scale + 6, y + 14, label, "value faint")]
    low, high = sorted((before, after)) if bar.kind != "total" else (0, value)
    shape = tag(
        "rect",
        tag("title", f"{bar.label}: {label} ({share(value, most)}){'. ' + bar.note if bar.note else ''}"),
        x=start + low * scale,
        y=y,
        width=max((high - low) * scale, 1.0 if value else 0.0),
        height=20,
        rx=1.5,
        class_=f"bar {bar.kind}",
    )
    return [shape, text(start + high * scale + 6, y + 14, label, "value" if value else "value faint")]
