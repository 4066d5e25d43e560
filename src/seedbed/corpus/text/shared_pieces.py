"""What stands in earlier texts too: found, and pieces taken out of all texts but the first.

The first is the one of the smallest id, so nothing depends on the order in which documents come. They are read twice:
for the hashes of all pieces, of which a Bloom filter may tell which ones can come again, and for taking out.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from seedbed.core.errors import InputError

from .arrival import Arrival
from .bloom import Bloom, filter_for
from .characters import Spans, Texts, chunks
from .cuts import Passage, Row, row, row_without, with_cuts
from .ngrams import Lookup

if TYPE_CHECKING:
    import pyarrow as pa
    from daft import DataFrame, Series

# Of some texts: a hash of everything that may come again, text after text, 0 for what is not compared; how many a text.
Hashing = Callable[[list[str]], tuple[np.ndarray, np.ndarray]]


@dataclass(frozen=True)
class Cut:
    """How texts are cut into pieces, and which are compared: those of at least `min_chars` characters without the white
    space around them.
    """

    name: str
    pieces: Callable[[Texts], Spans]
    min_chars: int

    def hashed(self, texts: Texts) -> tuple[Spans, np.ndarray]:
        """The pieces of some texts, and their hashes, 0 if not compared."""
        pieces = self.pieces(texts)
        bare = Spans(*texts.trimmed(pieces), pieces.offsets)
        return pieces, np.where(bare.lengths >= self.min_chars, texts.hashes(bare), np.uint64(0))

    def hashes(self, texts: list[str]) -> tuple[np.ndarray, np.ndarray]:
        """The hashes of the pieces of all texts, and the number of pieces of each."""
        parts = [self.hashed(chunk) for chunk in chunks(texts)]
        hashes = np.concatenate([np.empty(0, np.uint64), *[hashes for _, hashes in parts]])
        return hashes, np.concatenate([np.empty(0, np.int64), *[pieces.counts for pieces, _ in parts]])


class Repeated:
    """Hashes (ascending) of what comes more than once, and the id of the first document that has each."""

    def __init__(self, hashes: np.ndarray, first: list[str]) -> None:
        self.first, self._lookup = first, Lookup(hashes)

    def places(self, hashes: np.ndarray) -> np.ndarray:
        """The row of each hash, -1 for those that come once."""
        rows = np.full(len(hashes), -1)
        places, found = self._lookup.find(hashes)
        rows[places] = found
        return rows


class WithoutRepeats:
    """A curation step: each repeated piece stays in its first document only; a document of which nothing stays goes."""

    def __init__(self, cut: Cut, expected: int | None, false_positives: float) -> None:
        if cut.min_chars < 1:
            raise InputError("min_chars", "must be at least 1", value=cut.min_chars)
        self.cut, self.expected, self.false_positives = cut, expected, false_positives
        self.notes: list[str] = []
        filter_for(expected, false_positives)  # so that bad parameters are told before anything runs

    def __call__(self, frame: DataFrame, /) -> DataFrame:
        bloom = filter_for(self.expected, self.false_positives)
        repeated = find_repeated(frame, self.cut.hashes, bloom)
        self.notes = bloom.notes() if bloom else []
        return with_cuts(frame, lambda ids, texts: _cut(ids, texts, self.cut, repeated))


def find_repeated(frame: DataFrame, hashing: Hashing, bloom: Bloom | None) -> Repeated:
    """What comes more than once in all texts.

    Memory: 25 bytes for each piece, and the ids of the documents; with a filter, its own, 25 bytes for each piece that
    may come again, and the ids of the documents that have one. Hashes are computed once and read twice.
    """
    arrival = Arrival()
    all_hashes, all_numbers, num_documents = [np.empty(0, np.uint64)], [np.empty(0, np.int64)], 0
    with ExitStack() as files:
        for ids, hashes, numbers in _compared(frame, hashing, bloom, files):
            having, rows = np.unique(numbers, return_inverse=True)
            arrival.add(ids.take(having))
            all_hashes.append(hashes)
            all_numbers.append(rows + num_documents)
            num_documents += len(having)
    arrival.end_frame()
    hashes = np.concatenate(all_hashes)
    del all_hashes
    numbers = np.concatenate(all_numbers)
    del all_numbers
    ordered = np.sort(hashes)
    several = np.unique(ordered[1:][ordered[1:] == ordered[:-1]])
    places, rows = Lookup(several).find(hashes)
    numbered = arrival.numbered()
    rank = np.empty(num_documents, np.int64)
    rank[numbered.arrival_N] = np.arange(num_documents)
    first = np.full(len(several), num_documents)
    np.minimum.at(first, rows, rank[numbers[places]])
    having, rows = np.unique(first, return_inverse=True)  # so that no id is in memory for each of its pieces
    names = numbered.ids.take(having).to_pylist()
    return Repeated(several, [names[row] for row in rows.tolist()])


Hashed = tuple[Any, np.ndarray, np.ndarray]  # ids (Arrow), pieces' hashes, and the number of each piece's document


def _compared(frame: DataFrame, hashing: Hashing, bloom: Bloom | None, files: ExitStack) -> Iterator[Hashed]:
    """By batches, the pieces that have to be compared: all, or those that may come again."""
    from seedbed.corpus.scratch import spooled, streamed

    lists = _hash_lists(frame, hashing)
    if bloom is None:
        yield from map(_pieces, streamed(lists))
        return
    spool = files.enter_context(spooled(lists))
    found = [np.empty(0, np.uint64)]
    for _, hashes, _ in map(_pieces, spool()):
        found.append(np.unique(hashes[bloom.add(hashes)]))
    maybe = Lookup(np.unique(np.concatenate(found)))
    for ids, hashes, numbers in map(_pieces, spool()):
        chosen = maybe.find(hashes)[0]
        yield ids, hashes[chosen], numbers[chosen]


def _hash_lists(frame: DataFrame, hashing: Hashing) -> DataFrame:
    """Ids, and of each document the hashes of all pieces."""
    from seedbed.corpus.engine import daft

    @daft.func.batch(return_dtype=daft.DataType.list(daft.DataType.uint64()), use_process=False)  # type: ignore[untyped-decorator]
    def hashes_of(texts: Series) -> Any:
        import pyarrow as pa

        hashes, counts = hashing(texts.to_pylist())
        offsets = np.concatenate([[0], np.cumsum(counts)])
        return daft.Series.from_arrow(pa.LargeListArray.from_arrays(offsets, pa.array(hashes)))

    return frame.select("id", hashes_of(daft.col("text")).alias("_hashes"))


def _pieces(batch: pa.RecordBatch) -> Hashed:
    """Those of one batch that are compared."""
    lists = batch.column("_hashes")
    hashes = np.asarray(lists.flatten()).astype(np.uint64)
    numbers = np.repeat(np.arange(len(lists)), np.asarray(lists.value_lengths()).astype(np.int64))
    compared = hashes != 0
    return batch.column("id"), hashes[compared], numbers[compared]


def _cut(ids: list[str], texts: list[str], cut: Cut, repeated: Repeated) -> Iterator[Row]:
    names = iter(ids)
    for chunk in chunks(texts):
        pieces, hashes = cut.hashed(chunk)
        places = repeated.places(hashes)
        touched = pieces.totals(places >= 0) > 0
        for number, text in enumerate(chunk.texts):
            id = next(names)
            if touched[number]:
                own = slice(*pieces.offsets[number : number + 2])
                bounds = (chunk.starts_D[number], pieces.starts[own], pieces.ends[own])
                yield row_without(text, list(_gone(id, *bounds, places[own].tolist(), cut.name, repeated)))
            else:
                yield row(text, text, [])


def _gone(
    id: str, origin: int, starts: np.ndarray, ends: np.ndarray, places: list[int], name: str, repeated: Repeated
) -> Iterator[Passage]:
    """The pieces of one document that stand earlier."""
    seen = set()
    begins, stops = (starts - origin).tolist(), (ends - origin).tolist()
    for number, place in enumerate(places):
        if place < 0:
            continue
        first = repeated.first[place]
        if first != id or place in seen:
            after = begins[number + 1] if number + 1 < len(begins) else None
            yield Passage(
                begins[number], stops[number], after, f"{name} of {first}" if first != id else f"{name} again"
            )
        seen.add(place)
