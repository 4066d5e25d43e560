"""A splitter by rules: what a trained one is compared with, and how both are counted."""

from __future__ import annotations

import re
from collections.abc import Iterable

from seedbed.core.agreement import agreement
from seedbed.corpus.text.sentences import SHORT

# A mark that ends a sentence, closing quotes and brackets, and a space or the end; marks of scripts without spaces need
# none of these behind them.
_END = re.compile(r"""[.?!…؟۔।॥።]+["')\]}”’»]*(?=\s|$)|[。！？]+["'”’」』）]*""")  # noqa: RUF001
_WORD = re.compile(r"\S+$")
_SHORT = frozenset(SHORT.split())


def rule_ends(text: str) -> list[int]:
    """Where sentences end: after marks, but not after an initial (J.), an abbreviation with a period inside (U.S.) or
    one of a short English list; and at the end of the text. As the counts of sentences of a corpus have it."""
    found = []
    for match in _END.finditer(text):
        if match.group()[0] == "." and len(match.group().rstrip("\"')]}”’»")) == 1:  # noqa: RUF001
            word = _WORD.search(text, max(0, match.start() - 40), match.start())
            before = word.group().lstrip("\"'([{“‘«") if word else ""  # noqa: RUF001
            if (len(before) == 1 and before.isalpha()) or "." in before or f"{before}." in _SHORT:
                continue
        found.append(match.end())
    return sorted({*found, len(text.rstrip())}) if text.strip() else []


def f1_of(truth: Iterable[int], said: Iterable[int]) -> dict[str, float]:
    """Precision, recall and F1 of places that were said to be ends; `num` is how many there are."""
    wanted, named = set(truth), set(said)
    return {**agreement(len(wanted & named), len(wanted), len(named)), "num": len(wanted)}
