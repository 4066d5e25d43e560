"""One pass over a file, for evaluation."""

from __future__ import annotations

from collections.abc import Iterator

from .artifact import TokenFile
from .batch import Batch
from .order import in_order
from .rows import Packer, Row, assemble

_OPEN_ROWS = 64


def one_pass(file: TokenFile, length: int, pad: int, rows_per_batch: int, source: str = "") -> Iterator[Batch]:
    """Batches of packed rows that hold every token of a file exactly once, always in the same order.

    Documents are cut into chunks of at most `length` tokens, each a segment of its own, and packed by best fit
    without cutting them again. Rows are `length` wide and numbered from 0; the last batch may have fewer of them.
    """
    assert rows_per_batch > 0
    packer = Packer(length, split=False, num_open=_OPEN_ROWS)
    given = 0

    def batch(rows: list[Row]) -> Batch:
        return assemble(rows, [file], (source,), width=length, pad=pad, first_row=given)

    for piece in in_order(file, length):
        packer.add(piece)
        while len(packer.ready) >= rows_per_batch:
            rows, packer.ready = packer.ready[:rows_per_batch], packer.ready[rows_per_batch:]
            yield batch(rows)
            given += len(rows)
    packer.flush()
    for start in range(0, len(packer.ready), rows_per_batch):
        rows = packer.ready[start : start + rows_per_batch]
        yield batch(rows)
        given += len(rows)
