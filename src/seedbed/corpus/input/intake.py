"""Everything the readers give, onto disk: documents as sorted runs, the unreadable as quarantine."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import xxhash

from seedbed.core.errors import InputError
from seedbed.corpus.documents import Document, Reader, Unreadable
from seedbed.corpus.tables import GROUP_BYTES, Row, RunWriter, row_of, table_of

from .decode import LIMITS
from .quarantine import Quarantine

_SHOWN = 300  # characters of a name in a message


class Intake:
    """Reads, counts and writes. Ids that were taken already get `~2`, `~3` ... in the order of reading.

    Memory: 64 bits of each id's hash are kept (about 70 bytes a document in a Python set); two different ids with
    one hash would only cost the second a suffix.
    """

    def __init__(self, folder: Path, quarantine: Path, longest: int = LIMITS.record) -> None:
        self.runs, self.longest = RunWriter(folder), longest
        self.renamed = 0
        self.kinds: Counter[str] = Counter()  # of what is unreadable
        self.examples: list[Unreadable] = []  # of the same
        self._quarantine_path = quarantine
        self._taken: set[int] = set()
        self._repeats: dict[int, int] = {}
        self._waiting: list[Row] = []
        self._waiting_bytes = 0

    def read(self, readers: Sequence[Reader], key: Callable[[int, Reader], str]) -> list[Path]:
        """Returns the runs. `key` names a reader in messages."""
        with Quarantine(self._quarantine_path) as quarantine:
            for number, reader in enumerate(readers):
                try:
                    for item in reader:
                        row = item if isinstance(item, Unreadable) else self._take(item)
                        if row is not None:
                            quarantine.add(row)
                except InputError as error:
                    raise error.at(key(number, reader)) from None
        self.kinds, self.examples = quarantine.kinds, quarantine.examples
        self._write()
        return self.runs.close()

    @property
    def unreadable(self) -> int:
        return self.kinds.total()

    @property
    def quarantined(self) -> dict[str, Any]:
        """For the corpus's counts."""
        return {"documents": self.unreadable, "kinds": dict(self.kinds.most_common())}

    @property
    def share_unreadable(self) -> float:
        total = self.unreadable + self.runs.documents
        return self.unreadable / total if total else 0.0

    def _take(self, document: Document) -> Unreadable | None:
        try:
            row = row_of(document)
            size = sum([len(value.encode()) for value in row])
        except UnicodeEncodeError:
            return _refused(document, "half of a surrogate pair, which is no character")
        if size > self.longest:
            return _refused(document, f"a document of more than {self.longest} bytes")
        self._waiting.append((self._unique(document.id), *row[1:]))
        self._waiting_bytes += size
        if self._waiting_bytes >= GROUP_BYTES:
            self._write()
        return None

    def _unique(self, id: str) -> str:
        hashed = xxhash.xxh3_64_intdigest(id.encode())
        if hashed not in self._taken:
            self._taken.add(hashed)
            return id
        self.renamed += 1
        number = self._repeats.get(hashed, 1)
        while True:
            number += 1
            name = f"{id}~{number}"
            if (other := xxhash.xxh3_64_intdigest(name.encode())) not in self._taken:
                break
        self._repeats[hashed] = number
        self._taken.add(other)
        return name

    def _write(self) -> None:
        if self._waiting:
            self.runs.add(table_of(self._waiting))
            self._waiting, self._waiting_bytes = [], 0


def _refused(document: Document, reason: str) -> Unreadable:
    """By its place, if it has one; its id and source, which may be as long as what is refused, are cut."""
    file, _, line = document.place.rpartition(":")
    if not file:
        file, line = document.source, "0"
    return Unreadable(file[:_SHOWN], int(line), f"{reason}: {document.id[:_SHOWN]!a}")
