"""What could not be read, as rows of `quarantine.jsonl`: all of it, and counted by kind."""

from __future__ import annotations

import json
import re
from collections import Counter
from pathlib import Path
from types import TracebackType

from seedbed.corpus.documents import Unreadable

_NUMBER = re.compile(r"\d+")
_MOST_KINDS = 1000  # beyond these all are one
_OTHERS = "others"


class Quarantine:
    """A row for each Unreadable: `file, line, reason`, and `count` if it stands for several records, which `kinds`
    counts, so that a flood of one hides no other.

    Two reasons are of one kind if they differ in numbers, or behind their first colon, only.
    """

    def __init__(self, path: Path) -> None:
        self.kinds: Counter[str] = Counter()
        self.examples: list[Unreadable] = []  # the first few, for messages
        self._file = open(path, "w", encoding="utf8")

    def add(self, row: Unreadable) -> None:
        if len(self.examples) < 3:
            self.examples.append(row)
        kind = _NUMBER.sub("N", row.reason.partition(":")[0])
        self.kinds[kind if kind in self.kinds or len(self.kinds) < _MOST_KINDS else _OTHERS] += row.count
        # ASCII: what is not UTF-8 in a path or message must not stop the quarantine.
        fields = {"file": row.file, "line": row.line, "reason": row.reason}
        self._file.write(json.dumps(fields | ({"count": row.count} if row.count > 1 else {})) + "\n")

    def __enter__(self) -> Quarantine:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()
