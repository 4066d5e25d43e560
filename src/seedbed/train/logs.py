"""Logs that grow with a run, and go on after a checkpoint as if what came after it had never been written."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from seedbed.core.files import storage_errors


class AppendLog:
    """A file that records are appended to; `path=None` (in all processes but the first) writes nothing."""

    def __init__(self, path: Path | None) -> None:
        self.path = path
        self._file: Any = None

    def open(self, offset: int, say: Callable[[str], None]) -> None:
        """Go on after `offset` bytes: what was logged after the checkpoint is cut off, for it comes again."""
        if self.path is None:
            return
        with storage_errors(self.path):
            self.path.parent.mkdir(parents=True, exist_ok=True)
            size = self.path.stat().st_size if self.path.exists() else 0
            if size < offset:
                say(f"{self.path.name} has lost lines: it has {size} bytes, and had {offset} at the checkpoint")
            self._file = open(self.path, "ab")
            self._file.truncate(min(size, offset))
            self._file.seek(0, os.SEEK_END)

    def append(self, record: bytes) -> None:
        """Hand a record to the system at once."""
        if self._file is not None:
            with storage_errors(self.path or ""):
                self._file.write(record)
                self._file.flush()

    def offset(self) -> int:
        """The length so far, made durable."""
        if self._file is None:
            return 0
        with storage_errors(self.path or ""):
            os.fsync(self._file.fileno())
            return int(self._file.tell())

    def close(self) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None
