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
    import pyarrow.parquet as pq

    from .engine import daft

    with scratch() as folder:
        sizes = {"parquet_target_row_group_size": _ROW_GROUP, "parquet_target_filesize": 64 * _ROW_GROUP}
        with daft.execution_config_ctx(**sizes):
            written = frame.write_parquet(str(folder.resolve()), compression="none").to_pydict()
        for name in written["path"]:
            path = folder / Path(name).name
            with pq.ParquetFile(path) as file:
                yield from file.iter_batches(_ROWS)
            path.unlink()
