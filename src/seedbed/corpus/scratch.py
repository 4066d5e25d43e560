"""Where a curation step puts what need not be in memory, and the rows of a frame by way of it."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pyarrow as pa
    from daft import DataFrame

_ROW_GROUP = 8 << 20  # bytes in memory
_ROWS = 4096
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


def streamed(frame: DataFrame) -> Iterator[pa.RecordBatch]:
    """The rows of a frame, batch by batch, in bounded memory. Daft writes them to files first: those that it hands to
    Python wait in memory, all of them if Python is slower."""
    with scratch() as folder:
        for path in _written(frame, folder):
            yield from _batches(path, None)
            path.unlink()


@contextmanager
def spooled(frame: DataFrame) -> Iterator[Spool]:
    """The rows of a frame as `streamed` gives them, for as many times as they are wanted: they are computed once."""
    with scratch() as folder:
        yield Spool(_written(frame, folder))


class Spool:
    """Rows in files."""

    def __init__(self, paths: list[Path]) -> None:
        self._paths = paths

    def __call__(self, *columns: str) -> Iterator[pa.RecordBatch]:
        """All of them, batch by batch; with names, these columns alone are read."""
        for path in self._paths:
            yield from _batches(path, list(columns) or None)


def _written(frame: DataFrame, folder: Path) -> list[Path]:
    from .engine import daft

    sizes = {"parquet_target_row_group_size": _ROW_GROUP, "parquet_target_filesize": 64 * _ROW_GROUP}
    with daft.execution_config_ctx(**sizes):
        written = frame.write_parquet(str(folder.resolve()), compression="none").to_pydict()
    return [folder / Path(name).name for name in written["path"]]


def _batches(path: Path, columns: list[str] | None) -> Iterator[pa.RecordBatch]:
    import pyarrow.parquet as pq

    with pq.ParquetFile(path) as file:
        yield from file.iter_batches(_ROWS, columns=columns)
