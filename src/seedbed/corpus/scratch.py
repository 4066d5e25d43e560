"""Where a curation step puts what need not be in memory."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path

_PARENT: ContextVar[Path | None] = ContextVar("parent", default=None)


@contextmanager
def scratch_in(parent: Path) -> Iterator[None]:
    """Scratch folders that are asked for inside are made in this folder; elsewhere, in the system's for such files."""
    token = _PARENT.set(parent)
    try:
        yield
    finally:
        _PARENT.reset(token)


@contextmanager
def scratch() -> Iterator[Path]:
    """A new folder, which goes with all that is in it."""
    with tempfile.TemporaryDirectory(prefix="scratch-", dir=_PARENT.get()) as folder:
        yield Path(folder)
