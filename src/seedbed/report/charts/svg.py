"""A little of SVG: escaped elements, and a figure with a wide and a narrow drawing."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import xxhash
from markupsafe import Markup, escape

WIDE, NARROW = 820, 350
CHAR = 6.7  # width of a character of the charts' 12-pixel type, on average and generously


@dataclass(frozen=True)
class Drawing:
    """The height that a drawing took, and its elements."""

    height: float
    parts: Sequence[Markup]


def tag(name: str, *children: Any, **attributes: Any) -> Markup:
    """An element: children and values are escaped unless they are markup; `class_` and `stroke_width` lose and turn
    their underscores; numbers keep one decimal; None leaves an attribute out."""
    inside = Markup("").join(
        Markup(' {}="{}"').format(Markup(key.rstrip("_").replace("_", "-")), _written(value))
        for key, value in attributes.items()
        if value is not None
    )
    body = Markup("").join(escape(child) for child in children)
    return Markup("<{0}{1}>{2}</{0}>").format(Markup(name), inside, body)


def _written(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.1f}".removesuffix(".0")
    return str(value)


def line(x1: float, y1: float, x2: float, y2: float, class_: str) -> Markup:
    return tag("line", x1=x1, y1=y1, x2=x2, y2=y2, class_=class_)


def text(x: float, y: float, content: str, class_: str = "", anchor: str | None = None) -> Markup:
    return tag("text", content, x=x, y=y, class_=class_ or None, text_anchor=anchor)


def path(points: Iterable[tuple[float, float]], *, closed: bool = False) -> str:
    """The data of a path through points."""
    pairs = [f"{_written(float(x))} {_written(float(y))}" for x, y in points]
    return "M" + "L".join(pairs) + ("Z" if closed else "")


def text_width(texts: Iterable[str]) -> float:
    """About the width of the longest text, in pixels."""
    return max((len(item) for item in texts), default=0) * CHAR


def cut(content: str, width: float, *, head: float = 0.67) -> str:
    """A text that fits into about `width` pixels; else an ellipsis, with so large a part of the room before it."""
    room = max(int(width / CHAR), 3)
    if len(content) <= room:
        return content
    before = int((room - 1) * head)
    return f"{content[:before]}…{content[len(content) - (room - 1 - before) :]}"


def apart(places: Sequence[float], gap: float, low: float, high: float) -> list[float]:
    """Places moved as little as need be, so that they lie `gap` apart within [low, high], their order kept."""
    order = sorted(range(len(places)), key=lambda index: places[index])
    found = list(places)
    floor = low
    for index in order:
        floor = found[index] = max(found[index], floor)
        floor += gap
    ceiling = high
    for index in reversed(order):
        ceiling = found[index] = min(found[index], ceiling)
        ceiling -= gap
    return found


def figure(
    draw: Callable[[float], Drawing], title: str, description: str, *, caption: str = "", wide: int = WIDE
) -> Markup:
    """A figure that reads on a desk and on a phone; `title` and `description` are for those who cannot see it."""
    kinds = {"wide": wide, "narrow": NARROW}
    body = Markup("").join(_svg(draw, width, kind, title, description) for kind, width in kinds.items())
    return tag("figure", body, tag("figcaption", caption) if caption else "", class_="chart")


def _svg(draw: Callable[[float], Drawing], width: int, kind: str, title: str, description: str) -> Markup:
    drawn = draw(float(width))
    name = "c" + xxhash.xxh3_64_hexdigest("".join([title, kind, *drawn.parts]).encode())
    return tag(
        "svg",
        tag("title", title, id=f"{name}t"),
        tag("desc", description, id=f"{name}d"),
        *drawn.parts,
        viewBox=f"0 0 {width} {_written(float(drawn.height))}",
        width=width,
        height=float(drawn.height),
        class_=kind,
        role="img",
        aria_labelledby=f"{name}t {name}d",
    )
