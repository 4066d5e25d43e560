"""A text in the making, with the places of the names in it."""

from __future__ import annotations

from collections.abc import Mapping

from . import Row
from .relations import parts_of

Span = tuple[int, int]


class Page:
    """Pieces of text one after another. `mentions` are rows with entity, type, start and end."""

    def __init__(self) -> None:
        self._parts: list[str] = []
        self.length = 0
        self.mentions: list[Row] = []

    def add(self, text: str) -> Span:
        start = self.length
        self._parts.append(text)
        self.length += len(text)
        return start, self.length

    def mention(self, entity: int, type: str, name: str) -> Span:
        start, end = self.add(name)
        self.mentions.append({"entity": entity, "type": type, "start": start, "end": end})
        return start, end

    def fill(self, template: str, names: Mapping[str, tuple[int, str, str]], word: str = "") -> dict[str, Span]:
        """Add a template's text; its slots are (entity, type, name) of `names`, any other is `word`. Returns where the
        names stand."""
        spans = {}
        parts = parts_of(template)
        for place in range(0, len(parts) - 1, 2):
            self.add(parts[place])
            slot = parts[place + 1]
            if slot in names:
                spans[slot] = self.mention(*names[slot])
            else:
                self.add(word)
        self.add(parts[-1])
        return spans

    @property
    def text(self) -> str:
        return "".join(self._parts)
