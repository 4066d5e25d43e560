"""What stands in earlier texts too: found, and pieces taken out of all texts but the first.

The first is the one of the smallest id, so nothing depends on the order in which documents come. They are read two or
three times: for the hashes of all pieces, by a Bloom filter for those that may come again, and for taking out.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from seedbed.core.errors import InputError

from .bloom import Bloom
from .characters import Spans, Texts, chunks
from .cuts import Passage, Row, row, row_without, with_cuts
from .ngrams import Lookup

if TYPE_CHECKING:
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
        self._bloom()  # so that bad parameters are told before anything runs

    def __call__(self, frame: DataFrame, /) -> DataFrame:
        repeated = find_repeated(frame, self.cut.hashes, self._bloom())
        return with_cuts(frame, lambda ids, texts: _cut(ids, texts, self.cut, repeated))

    def _bloom(self) -> Bloom | None:
        return None if self.expected is None else Bloom(self.expected, self.false_positives)


def find_repeated(frame: DataFrame, hashing: Hashing, bloom: Bloom | None) -> Repeated:
    """What comes more than once in all texts.

    Memory: 25 bytes for each piece; with a filter, its own, and 25 for each piece that may come again.
    """
    maybe = None
    if bloom is not None:
        found = [np.empty(0, np.uint64)]
        for _, hashes, _ in _hashed(frame, hashing):
            found.append(np.unique(hashes[bloom.add(hashes)]))
        maybe = Lookup(np.unique(np.concatenate(found)))
    ids: list[str] = []
    all_hashes, all_numbers = [np.empty(0, np.uint64)], [np.empty(0, np.int64)]
    for names, hashes, numbers in _hashed(frame, hashing):
        chosen = slice(None) if maybe is None else maybe.find(hashes)[0]
        all_hashes.append(hashes[chosen])
        all_numbers.append(numbers[chosen] + len(ids))
        ids += names
    hashes = np.concatenate(all_hashes)
    del all_hashes
    numbers = np.concatenate(all_numbers)
    del all_numbers
    ordered = np.sort(hashes)
    several = np.unique(ordered[1:][ordered[1:] == ordered[:-1]])
    places, rows = Lookup(several).find(hashes)
    order = sorted(range(len(ids)), key=ids.__getitem__)
    rank = np.empty(len(ids), np.int64)
    rank[order] = np.arange(len(ids))
    first = np.full(len(several), len(ids))
    np.minimum.at(first, rows, rank[numbers[places]])
    return Repeated(several, [ids[order[number]] for number in first.tolist()])


def _hashed(frame: DataFrame, hashing: Hashing) -> Iterator[tuple[list[str], np.ndarray, np.ndarray]]:
    """By batches: ids, the hashes of all pieces that are compared, and the number of each piece's document."""
    from seedbed.corpus.engine import daft
    from seedbed.corpus.scratch import streamed

    @daft.func.batch(return_dtype=daft.DataType.list(daft.DataType.uint64()), use_process=False)  # type: ignore[untyped-decorator]
    def hashes_of(texts: Series) -> Any:
        import pyarrow as pa

        hashes, counts = hashing(texts.to_pylist())
        offsets = np.concatenate([[0], np.cumsum(counts)])
        return daft.Series.from_arrow(pa.LargeListArray.from_arrays(offsets, pa.array(hashes)))

    for batch in streamed(frame.select("id", hashes_of(daft.col("text")).alias("_hashes"))):
        lists = batch.column("_hashes")
        hashes = np.asarray(lists.flatten()).astype(np.uint64)
        numbers = np.repeat(np.arange(len(lists)), np.asarray(lists.value_lengths()).astype(np.int64))
        compared = hashes != 0
        yield batch.column("id").to_pylist(), hashes[compared], numbers[compared]


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
