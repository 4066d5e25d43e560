"""What the tests of reports share: how a page is read, and what holds for every page."""

from __future__ import annotations

from html.parser import HTMLParser
from typing import Any

ATTACK = "<script>alert('x')</script>"
VOID = {"meta", "link", "br", "img", "hr", "input"}


class Outline(HTMLParser):
    """What a page consists of; `problems` are tags that do not match."""

    def __init__(self, html: str) -> None:
        super().__init__(convert_charrefs=True)
        self.open: list[str] = []
        self.problems: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.ids: list[str] = []
        self.words: list[str] = []
        self.feed(html)
        self.close()
        self.problems += [f"<{tag}> is left open" for tag in self.open]

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        self.ids += [value for name, value in attrs if name == "id" and value]
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        if not self.open or self.open.pop() != tag:
            self.problems.append(f"</{tag}> at {self.getpos()}")

    def handle_data(self, data: str) -> None:
        if not self.open or self.open[-1] not in ("style", "script"):
            self.words.append(data)

    @property
    def text(self) -> str:
        return " ".join("".join(self.words).replace("\u202f", " ").split())


def check_page(html: str) -> Outline:
    """What holds for every page: whole, self-contained, harmless, in two themes."""
    outline = Outline(html)
    assert not outline.problems, outline.problems[:5]
    assert len(outline.ids) == len(set(outline.ids))
    for tag, attributes in outline.tags:
        for name in ("src", "href", "srcset", "data", "action", "xlink:href"):
            target = attributes.get(name)
            assert target is None or target.startswith(("#", "data:")), (tag, target)
            if target and target.startswith("#"):
                assert target[1:] in outline.ids, target
    assert "@import" not in html and "url(" not in html
    assert [tag for tag, _ in outline.tags].count("script") == 1
    assert "default-src 'none'" in html
    assert '[data-theme="dark"]' in html and "prefers-color-scheme: dark" in html and "@media print" in html
    assert len(html.encode()) < 2_000_000
    for tag, attributes in outline.tags:
        if tag == "svg" and attributes.get("role") == "img":
            assert all(part in outline.ids for part in str(attributes["aria-labelledby"]).split())
    return outline


def entry(mean: float, half: float | None) -> dict[str, Any]:
    low, high = (None, None) if half is None else (mean - half, mean + half)
    return {"mean": mean, "low": low, "high": high, "interval": "Student's t over 3 seeds", "num": 3}
