"""Which strings are normalized to what: learned from annotated documents, found again in others.

It is learned if `least` documents have it, and, where they disagree, as most of them do. A string that becomes nothing
stands for all that differ from it in the digits only (`<a href="/p?id=17">`); others do not (`&#233;`).
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from .programs import Normalize

_RARE = 5  # times as rare
_DIGITS = re.compile(r"\d+")


@dataclass
class Lexicon:
    """From strings to what they become; in those that become nothing numbers are written as `0`."""

    targets: dict[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, documents: Sequence[Sequence[Normalize]], least: int) -> Lexicon:
        """From the statements of each document."""
        seen: Counter[tuple[str, str]] = Counter()
        for statements in documents:
            seen.update({(_any_number(item.source, item.target), item.target) for item in statements})
        totals: Counter[str] = Counter()
        for (source, _), count in seen.items():
            totals[source] += count
        known = {s: (target, count) for (s, target), count in seen.items() if count >= least and 2 * count > totals[s]}
        return cls(_shortest(known))

    def __post_init__(self) -> None:
        # The longest first, so that of two that begin at one place the longer one is found.
        parts = [
            _DIGITS.sub(r"\\d+", re.escape(source)) if not self.targets[source] else re.escape(source)
            for source in sorted(self.targets, key=lambda source: (-len(source), source))
        ]
        self._pattern = re.compile("|".join(parts)) if parts else None

    def find(self, line: str) -> list[Normalize]:
        """The statements for what stands in a line, each once."""
        if self._pattern is None:
            return []
        sources = dict.fromkeys(match[0] for match in self._pattern.finditer(line))
        return [Normalize(source, self.targets.get(source, "")) for source in sources]


def _shortest(known: Mapping[str, tuple[str, int]]) -> dict[str, str]:
    """Without the strings that shorter ones in them make what they should be, or that are rare beside such a one: what
    stood beside a fault by chance is no part of it."""
    found: dict[str, str] = {}
    for source in sorted(known, key=lambda source: (len(source), source)):
        target, count = known[source]
        inside = [shorter for shorter in found if shorter in source]
        made = source
        for statement in Lexicon(found).find(source):
            made = made.replace(statement.source, statement.target)
        if made != target and all(known[shorter][1] < _RARE * count for shorter in inside):
            found[source] = target
    return found


def _any_number(source: str, target: str) -> str:
    return source if target else _DIGITS.sub("0", source)
