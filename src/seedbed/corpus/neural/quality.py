"""How well an extractor's texts agree with what is known of pages."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from .alignment import strings_kept, word_f1
from .labeled import LabeledPage


@dataclass
class Quality:
    """Takes pages one by one. Words are compared on pages with an article, strings on those that have them."""

    articles: list[dict[str, float]] = field(default_factory=list)
    right: int = 0
    strings: int = 0

    def add(self, page: LabeledPage, text: str) -> dict[str, float]:
        """Counts a page, and says of it alone what its counts are."""
        own: dict[str, float] = {}
        if page.article is not None:
            self.articles.append(word_f1(text, page.article))
            own.update(self.articles[-1])
        if page.must_have or page.must_not:
            right, strings = strings_kept(text, page.must_have, page.must_not)
            self.right, self.strings = self.right + right, self.strings + strings
            own.update(right=right, strings=strings)
        return own

    def counts(self) -> dict[str, Any]:
        """`words`: precision, recall and F1, means over pages; `strings`: the share treated rightly."""
        found: dict[str, Any] = {}
        if self.articles:
            size = len(self.articles)
            means = {name: sum(row[name] for row in self.articles) / size for name in ("precision", "recall", "f1")}
            found["words"] = {**means, "pages": size}
        if self.strings:
            found["strings"] = {"right": self.right / self.strings, "num": self.strings}
        return found
