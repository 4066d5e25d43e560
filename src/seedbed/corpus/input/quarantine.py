"""What could not be read, as rows of `quarantine.jsonl`: as many as a person may look at, and all of them counted."""

from __future__ import annotations

import json
import re
from collections import Counter
from pathlib import Path
from types import TracebackType

from seedbed.corpus.documents import Unreadable

_NUMBER = re.compile(r"\d+")
_MOST_KINDS = 1000  # beyond these all are one


class Quarantine:
    """A row for each Unreadable, `file, line, reason`, up to `each` of one kind of reason; those beyond, one row with
    the first one's place and `count`. So ten million broken records of one kind are ten thousand and one rows. One that
    stands for many records has their `count` too.

    Two reasons are of one kind if they differ in numbers, or behind their first colon, only.
    """

    def __init__(self, path: Path, each: int = 10_000) -> None:
        self.each = each
        self.records = 0
        self.examples: list[Unreadable] = []  # the first few, for messages
        self._file = open(path, "w", encoding="utf8")
        self._rows: Counter[str] = Counter()  # written of each kind
        self._beyond: dict[str, Unreadable] = {}
        self._beyond_counts: Counter[str] = Counter()

    def add(self, row: Unreadable) -> None:
        self.records += row.count
        if len(self.examples) < 3:
            self.examples.append(row)
        kind = _NUMBER.sub("N", row.reason.partition(":")[0])
        if kind not in self._rows and len(self._rows) >= _MOST_KINDS:
            kind = ""
        if self._rows[kind] < self.each:
            self._rows[kind] += 1
            self._write(row, row.count if row.count > 1 else 0)
        else:
            self._beyond.setdefault(kind, row)
            self._beyond_counts[kind] += row.count

    def __enter__(self) -> Quarantine:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for reason, row in self._beyond.items():
            self._write(row, self._beyond_counts[reason])
        self._file.close()

    def _write(self, row: Unreadable, count: int = 0) -> None:
        fields = {"file": row.file, "line": row.line, "reason": row.reason} | ({"count": count} if count else {})
        # ASCII: what is not UTF-8 in a path or message must not stop the quarantine.
        self._file.write(json.dumps(fields) + "\n")
