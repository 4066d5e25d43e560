"""Texts that are nearly the same."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from seedbed.core.errors import InputError
from seedbed.corpus import curation
from seedbed.corpus.artifact import Corpus

if TYPE_CHECKING:
    import pyarrow as pa
    from daft import DataFrame, Expression

    from seedbed.corpus.text.linking import Buckets, KeyFiles
    from seedbed.corpus.text.ngrams import Sets

PART_CHARACTERS = 1 << 27  # of documents that are compared at a time, the sets of which take about 200 MB
_BUFFERED = 256 << 20  # bytes of words that wait in memory to be written
_ROWS = 4096  # documents the n-grams of which are made at a time


class _Signed(NamedTuple):
    """The documents with words (N), as `arrival.Numbered`, and how long they are."""

    ids: pa.Array
    arrival_N: np.ndarray
    num_old: int
    characters_N: np.ndarray


class _Linked(NamedTuple):
    """Documents that go, the one that stays for each, and how similar the two are."""

    gone: np.ndarray
    kept: np.ndarray
    similarity: np.ndarray


class _Known:
    """Jaccard similarities of pairs of sets, each computed once: most of the pairs that the reasons name have been
    compared before."""

    def __init__(self, sets: Sets) -> None:
        self._sets = sets
        self._pairs, self._values = np.empty(0, np.int64), np.empty(0)

    def __call__(self, left: np.ndarray, right: np.ndarray) -> np.ndarray:
        from seedbed.corpus.text.ngrams import jaccard

        asked = left * len(self._sets.sizes) + right
        new = np.flatnonzero(~np.isin(asked, self._pairs))
        pairs = np.concatenate([self._pairs, asked[new]])
        values = np.concatenate([self._values, jaccard(self._sets, left[new], right[new])])
        self._pairs, first = np.unique(pairs, return_index=True)
        self._values = values[first]
        return np.asarray(self._values[np.searchsorted(self._pairs, asked)])


@curation.register("near_duplicates", papers=["311"], version=2)
class NearDuplicates:
    """Of documents that share most of their word n-grams the one with the smallest id stays.

    MinHash signatures (Broder, 1997) are cut into bands; documents that agree in a band (Leskovec, Rajaraman and
    Ullman, 2014, chapter 3) are compared by the exact Jaccard similarity of their n-gram sets, taken from the
    lower-cased text without ASCII punctuation. Pairs with at least `threshold` are linked; of every connected
    component the smallest id stays, and the reason names it with the similarity to it, which along a chain may be
    smaller than the threshold. A text with fewer than `ngram` words counts as one n-gram; one without words is left
    alone. Words are parted by white space: for a script that does not part them, this finds little.

    With `against`, a finished corpus, documents that are linked to one of its documents (of any split) go too, each
    with those that are linked to it.

    The cut is the one with the fewest candidates that finds a pair just at the threshold with probability 0.995; a
    pair above it is more certain. The result depends on nothing but ids and texts. `seedbed corpus why` shows why two
    documents belong together.

    Memory: about 60 bytes for each document and its id, and 8 for each band (of which there are 18 by default) in which
    another one agrees with it. The keys of the bands, and the words of documents that agree with another one, stand on
    disk. These documents are compared part by part, with one part's n-gram sets in memory; those that are connected by
    agreement are in one part, however large.
    """

    def __init__(
        self, threshold: float = 0.8, ngram: int = 5, num_hashes: int = 128, against: Corpus | None = None
    ) -> None:
        from seedbed.corpus.text.linking import cut

        if not 0 < threshold <= 1:
            raise InputError("threshold", "is a similarity above 0 and at most 1", value=threshold)
        if ngram < 1:
            raise InputError("ngram", "must be at least 1", value=ngram)
        if num_hashes < 16:
            raise InputError("num_hashes", "must be at least 16", value=num_hashes)
        self.threshold, self.ngram, self.against = threshold, ngram, against
        self.bands, self.rows = cut(threshold, num_hashes)

    def __call__(self, frame: DataFrame, /) -> DataFrame:
        from seedbed.corpus.scratch import scratch
        from seedbed.corpus.tagging import with_reasons
        from seedbed.corpus.text.linking import KeyFiles

        # The documents of an older corpus get the first numbers, so that they stay.
        frames = [self.against.all_documents(["id", "text"])] if self.against else []
        frames.append(frame)
        with scratch() as folder:
            keys = KeyFiles(folder, self.bands)
            signed = self._sign(frames, keys)
            found = list(self._linked(frames, signed, keys, folder))
        if not found:
            return with_reasons(frame, [], [])
        gone, kept, similarity = (np.concatenate(column) for column in zip(*found, strict=True))
        of = f" of {self.against.path.name}" if self.against else ""
        rows = zip(signed.ids.take(kept).to_pylist(), kept < signed.num_old, similarity, strict=True)
        reasons = [f"near duplicate of {id}{of if old else ''} (similarity {alike:.2f})" for id, old, alike in rows]
        return with_reasons(frame, signed.ids.take(gone).to_pylist(), reasons)

    def signatures(self, frame: DataFrame) -> DataFrame:
        """`id`, `_plain` and `_signature` of the documents with words."""
        from seedbed.corpus.engine import daft, functions
        from seedbed.corpus.tagging import plain

        text: Expression = daft.col("_plain")
        # A trailing blank, where the text ended in punctuation, would make one more word.
        plain_text = functions.strip(plain(daft.col("text"))).alias("_plain")
        texts = frame.select("id", plain_text).where(text != "")
        signature = functions.minhash(
            text, num_hashes=self.bands * self.rows, ngram_size=self.ngram, seed=1, hash_function="xxhash3_64"
        )
        return texts.with_column("_signature", signature)

    def matrix(self, column: Any) -> np.ndarray:
        """The signatures (N, H) of an Arrow array of them."""
        return np.asarray(column.flatten()).reshape(len(column), self.bands * self.rows)

    def _packed_keys(self) -> Expression:
        """`_keys` from `_signature`: a document's keys in all bands, as bytes, which are written and read in less time
        than its signature."""
        import pyarrow as pa

        from seedbed.corpus.engine import daft
        from seedbed.corpus.text.linking import band_keys

        size = 8 * self.bands

        @daft.func.batch(return_dtype=daft.DataType.fixed_size_binary(size), use_process=False)  # type: ignore[untyped-decorator]
        def pack(signatures: Any) -> Any:
            keys_NK = band_keys(self.matrix(signatures.to_arrow()), self.bands, self.rows)
            buffers = [None, pa.py_buffer(keys_NK)]
            return daft.Series.from_arrow(pa.FixedSizeBinaryArray.from_buffers(pa.binary(size), len(keys_NK), buffers))

        return pack(daft.col("_signature")).alias("_keys")

    def _unpacked(self, column: Any) -> np.ndarray:
        """The keys (N, K) of an Arrow array of `_packed_keys`."""
        keys_NK = np.frombuffer(column.buffers()[1], np.uint64).reshape(-1, self.bands)
        return keys_NK[column.offset : column.offset + len(column)]

    def sets(self, frame: DataFrame, ids: list[str]) -> Sets:
        """The n-gram sets of the given documents, in their order."""
        import pyarrow as pa

        numbers = pa.table({"id": pa.array(ids, pa.string()), "_number": np.arange(len(ids))})
        return self._sets(_words(frame, numbers).to_arrow_iter())

    def _sign(self, frames: Sequence[DataFrame], keys: KeyFiles) -> _Signed:
        """All documents with words; their keys go to the files."""
        from seedbed.corpus.engine import daft, functions
        from seedbed.corpus.scratch import streamed
        from seedbed.corpus.text.arrival import Arrival

        size = functions.length(daft.col("_plain")).alias("_characters")
        arrival, sizes = Arrival(), [np.empty(0, np.int64)]
        for frame in frames:
            for batch in streamed(self.signatures(frame).select("id", self._packed_keys(), size)):
                arrival.add(batch.column("id"))
                sizes.append(np.asarray(batch.column("_characters"), np.int64))
                keys.add(self._unpacked(batch.column("_keys")))
            arrival.end_frame()
        numbered = arrival.numbered()
        return _Signed(*numbered, np.concatenate(sizes)[numbered.arrival_N])

    def _linked(self, frames: Sequence[DataFrame], signed: _Signed, keys: KeyFiles, folder: Path) -> Iterator[_Linked]:
        """The documents that agree in some band are compared, part by part."""
        import pyarrow as pa

        from seedbed.corpus.text.linking import buckets, parts

        found = buckets(keys.in_order(signed.arrival_N))
        if signed.num_old and len(found.sizes):
            found = found.where(np.maximum.reduceat(found.members, found.starts) >= signed.num_old)
        if not len(found.sizes):
            return
        documents_D, rows = np.unique(found.members, return_inverse=True)
        found = found._replace(members=rows)
        part_D = parts(found, signed.characters_N[documents_D], PART_CHARACTERS)
        members = [np.flatnonzero(part_D == part) for part in range(part_D.max() + 1)]
        number_D = np.empty(len(part_D), np.int64)  # of each document in its part
        for own in members:
            number_D[own] = np.arange(len(own))
        places = pa.table({"id": signed.ids.take(documents_D), "_number": number_D, "_part": part_D})
        num_old = np.searchsorted(documents_D, signed.num_old)
        olds = [places[:num_old]] if len(frames) > 1 else []
        numbered = list(zip(frames, [*olds, places[num_old:]], strict=True))
        part_of_bucket = part_D[found.members[found.starts]]
        for part, (own, words) in enumerate(zip(members, _words_by_part(numbered, folder, len(members)), strict=True)):
            shared = found.where(part_of_bucket == part)
            shared = shared._replace(members=number_D[shared.members])
            yield self._part(shared, documents_D[own], signed.num_old, self._sets(words))

    def _part(self, found: Buckets, documents_D: np.ndarray, num_old: int, sets: Sets) -> _Linked:
        from seedbed.corpus.text.linking import components

        is_old, known = documents_D < num_old, _Known(sets)

        def similar(left: np.ndarray, right: np.ndarray) -> np.ndarray:
            """Sizes rule most pairs out, and two old documents need no link."""
            smaller, larger = np.sort([sets.sizes[left], sets.sizes[right]], axis=0)
            close = (smaller >= self.threshold * larger) & ~(is_old[left] & is_old[right])
            close[close] = known(left[close], right[close]) >= self.threshold
            return np.asarray(close)

        label = components(found, len(documents_D), similar)
        gone = np.flatnonzero((label != np.arange(len(label))) & ~is_old)
        kept = label[gone]
        return _Linked(documents_D[gone], documents_D[kept], known(kept, gone))

    def _sets(self, batches: Iterable[Any]) -> Sets:
        """Of batches with `_number` and `_words` the n-gram set of each document, in its place."""
        from seedbed.corpus.text.ngrams import placed, shingle_sets, word_arrays

        found = []
        for whole in batches:
            for first in range(0, len(whole), _ROWS):
                batch = whole.slice(first, _ROWS)
                words = word_arrays(batch.column("_words"))
                found.append((batch.column("_number").to_numpy(), shingle_sets(*words, self.ngram)))
        return placed(found)


def _words(frame: DataFrame, numbers: pa.Table) -> DataFrame:
    """The columns of `numbers` but the id, and the words of the documents with these ids, as hashes."""
    from seedbed.corpus.engine import daft
    from seedbed.corpus.tagging import plain
    from seedbed.corpus.text.ngrams import word_hashes

    others = [name for name in numbers.column_names if name != "id"]
    joined = frame.select("id", "text").join(daft.from_arrow(numbers), on="id")
    return joined.select(*others, word_hashes(plain(daft.col("text"))).alias("_words"))


def _words_by_part(frames: Sequence[tuple[DataFrame, pa.Table]], folder: Path, num_parts: int) -> Iterator[Any]:
    """Of each part its batches of words. Several go to files first: rows that Daft hands to Python wait in memory, and
    those that it writes do not."""
    from seedbed.corpus.engine import daft

    words = [_words(frame, numbers) for frame, numbers in frames if len(numbers)]
    if num_parts == 1:
        yield itertools.chain.from_iterable(part.to_arrow_iter() for part in words)
        return
    group = max(_BUFFERED // num_parts, 1 << 20)
    with daft.execution_config_ctx(parquet_target_row_group_size=group, parquet_target_filesize=4 * group):
        for part in words:
            part.write_parquet(str(folder.resolve()), compression="none", partition_cols=["_part"])
    for number in range(num_parts):
        yield _read_words(folder, number)


def _read_words(folder: Path, part: int) -> Iterator[Any]:
    import pyarrow.parquet as pq

    for path in (folder / f"_part={part}").iterdir():
        with pq.ParquetFile(path) as file:
            yield from file.iter_batches(_ROWS, columns=["_number", "_words"])
