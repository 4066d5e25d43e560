"""A part of the documents, drawn by hash."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from seedbed.core.counters import key
from seedbed.core.errors import InputError
from seedbed.corpus import curation

if TYPE_CHECKING:
    from daft import DataFrame, Series


@curation.register("sample", version=2)
class Sample:
    """Keeps a share of the documents, or as few as reach a number of documents or of bytes; exactly one is given.

    Every document has a number that depends on its id and `seed` alone, and those with the smallest numbers stay. So
    of two samples with one seed the smaller is a part of the larger, whatever each of them is measured in. And so
    documents that a sample with this seed has left stay before all others: a corpus that is put together of such
    samples wants another seed. `bytes` (of UTF-8 text) are exceeded by a part of one document at most; where there is
    less than asked for, all stay. Memory: 16 bytes a document.
    """

    def __init__(
        self, share: float | None = None, documents: int | None = None, bytes: int | None = None, seed: int = 0
    ) -> None:
        measures = {"share": share, "documents": documents, "bytes": bytes}
        given = [(name, value) for name, value in measures.items() if value is not None]
        if len(given) != 1:
            raise InputError("", "wants exactly one measure", value=dict(given), allowed=list(measures))
        ((name, value),) = given
        if value <= 0 or (name == "share" and value > 1):
            raise InputError(name, "is above 0" + " and at most 1" * (name == "share"), value=value)
        self.share, self.documents, self.bytes, self.seed = share, documents, bytes, seed
        self._reason = f"not in the sample ({name}: {value})"

    def __call__(self, frame: DataFrame, /) -> DataFrame:
        from seedbed.corpus.engine import daft

        last = self._last(frame)

        @daft.func.batch(return_dtype=daft.DataType.string(), use_process=False)  # type: ignore[untyped-decorator]
        def verdict(ids: Series) -> list[str | None]:
            return [None if self._number(id) <= last else self._reason for id in ids.to_pylist()]

        return frame.with_column("reason", verdict(daft.col("id")))

    def _number(self, id: str) -> int:
        return key(self.seed, "sample", id)

    def _last(self, frame: DataFrame) -> int:
        """The largest number that stays."""
        from seedbed.corpus.engine import daft, functions

        numbers, sizes = [np.empty(0, np.uint64)], [np.empty(0, np.int64)]
        text = functions.length_bytes(daft.col("text")).alias("_bytes")
        for batch in frame.select("id", text).to_arrow_iter():
            numbers.append(np.array([self._number(id) for id in batch.column("id").to_pylist()], np.uint64))
            sizes.append(np.asarray(batch.column("_bytes")).astype(np.int64))
        number_N, size_N = np.concatenate(numbers), np.concatenate(sizes)
        if not len(number_N):
            return -1
        order = np.argsort(number_N)
        place = (self.documents or 0) - 1
        if self.share is not None:
            place = round(self.share * len(order)) - 1
            if place < 0:
                return -1
        if self.bytes is not None:
            place = int(np.searchsorted(np.cumsum(size_N[order]), self.bytes))
        return int(number_N[order[min(place, len(order) - 1)]])
