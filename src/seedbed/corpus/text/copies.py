"""Documents with the same key, such as their text or their address: of each key the first one, and those that go."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from .arrival import Arrival
from .bloom import Bloom
from .ngrams import Lookup

if TYPE_CHECKING:
    import pyarrow as pa
    from daft import DataFrame


class Copies(NamedTuple):
    """The documents (N) that go."""

    ids: list[str]
    first: list[str]  # of each the document that stays
    is_old_N: np.ndarray  # whether that one is of an earlier frame than the last


def find_copies(frames: Sequence[DataFrame], bloom: Bloom | None = None) -> Copies:
    """Of the last frame's documents those of which the key came in an earlier frame, or with a smaller id.

    A frame has the columns `id` and `key`, a string; what has no key must not be in it. Keys are the same if 128 bits
    of their hashes are. They are computed once and go through files, so that with a filter they can be read twice: for
    those that may come again, which are a few too many, and for the documents that have these, which alone are then
    compared. So neither the filter nor any order changes the result.

    Memory: about 100 bytes for each document, and its id; with a filter, its own, and this only for documents whose key
    comes again and for the few that the filter takes for such.
    """
    arrival, keys = Arrival(), [np.empty((0, 2), np.uint64)]
    with ExitStack() as files:
        for batches in _compared(frames, bloom, files):
            for batch in batches:
                arrival.add(batch.column("id"))
                keys.append(np.stack([_column(batch, name) for name in ("low", "high")], 1))
            arrival.end_frame()
    numbered = arrival.numbered()
    gone, first = repeats(np.concatenate(keys)[numbered.arrival_N])
    is_new = gone >= numbered.num_old
    gone, first = gone[is_new], first[is_new]
    return Copies(numbered.ids.take(gone).to_pylist(), numbered.ids.take(first).to_pylist(), first < numbered.num_old)


def repeats(keys_N2: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The rows that stand earlier, and for each the first one that is the same."""
    order_N = np.lexsort(keys_N2.T)  # equal ones stay in their order
    ordered_N2 = keys_N2[order_N]
    again_N = np.zeros(len(order_N), np.bool_)
    again_N[1:] = (ordered_N2[1:] == ordered_N2[:-1]).all(1)
    first_N = np.maximum.accumulate(np.where(again_N, 0, np.arange(len(order_N))))
    return order_N[again_N], order_N[first_N[again_N]]


def _compared(frames: Sequence[DataFrame], bloom: Bloom | None, files: ExitStack) -> Iterator[Iterator[pa.RecordBatch]]:
    """Of each frame the documents that have to be compared, by batches: `id`, `low`, `high`."""
    from seedbed.corpus.scratch import spooled, streamed

    if bloom is None:
        yield from (streamed(_hashed(frame)) for frame in frames)
        return
    spools = [files.enter_context(spooled(_hashed(frame))) for frame in frames]
    again = [np.empty(0, np.uint64)]
    for number, spool in enumerate(spools):
        for batch in spool("low"):
            low = _column(batch, "low")
            seen = bloom.add(low)
            if number == len(spools) - 1:  # what comes again in earlier frames alone is not asked for
                again.append(np.unique(low[seen]))
    maybe = Lookup(np.unique(np.concatenate(again)))
    for spool in spools:
        yield (batch.take(maybe.find(_column(batch, "low"))[0]) for batch in spool())


def _hashed(frame: DataFrame) -> DataFrame:
    """`id`, and the two halves of the key's hash."""
    from seedbed.corpus.engine import daft, functions

    halves = [functions.hash(daft.col("key"), seed=seed).alias(name) for seed, name in enumerate(("low", "high"))]
    return frame.select("id", *halves)


def _column(batch: pa.RecordBatch, name: str) -> np.ndarray:
    return np.asarray(batch.column(name), np.uint64)
