"""Texts that are nearly the same."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from seedbed.core.errors import InputError
from seedbed.corpus import curation
from seedbed.corpus.artifact import Corpus

if TYPE_CHECKING:
    from daft import DataFrame, Expression

    from seedbed.corpus.text.ngrams import Sets


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
    pair above it is more certain. The result depends on nothing but ids and texts. Memory: 8 bytes for each
    document and band (of which there are 18 by default), and 8 for each n-gram of those documents that share a band
    with another one. `seedbed corpus why` shows why two documents belong together.
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
        from seedbed.corpus.tagging import with_reasons
        from seedbed.corpus.text.linking import buckets, components
        from seedbed.corpus.text.ngrams import jaccard, joined

        # The documents of an older corpus get the first numbers, so that they stay.
        frames = [self.against.all_documents(["id", "text"])] if self.against else []
        frames.append(frame)
        banded = [self._banded(each) for each in frames]
        ids = [id for found, _ in banded for id in found]
        num_old = len(ids) - len(banded[-1][0])
        found = buckets(np.concatenate([keys for _, keys in banded]))
        del banded
        if num_old and len(found.sizes):
            found = found.where(np.maximum.reduceat(found.members, found.starts) >= num_old)
        documents, rows = np.unique(found.members, return_inverse=True)
        parts = np.split(documents, [np.searchsorted(documents, num_old)])[-len(frames) :]
        sets = joined([self.sets(each, [ids[row] for row in part]) for each, part in zip(frames, parts, strict=True)])

        def similar(left: np.ndarray, right: np.ndarray) -> np.ndarray:
            return self._similar(sets, left, right, documents < num_old)

        label = components(found._replace(members=rows), len(documents), similar)
        gone = np.flatnonzero((label != np.arange(len(label))) & (documents >= num_old))
        kept = label[gone]
        reasons = [
            f"near duplicate of {ids[documents[stays]]}{self._of(documents[stays] < num_old)} (similarity {alike:.2f})"
            for stays, alike in zip(kept, jaccard(sets, kept, gone), strict=True)
        ]
        return with_reasons(frame, [ids[document] for document in documents[gone]], reasons)

    def signatures(self, frame: DataFrame) -> DataFrame:
        """`id`, `_plain` and `_signature` of the documents with words."""
        from seedbed.corpus.engine import daft, functions
        from seedbed.corpus.tagging import plain

        text: Expression = daft.col("_plain")
        others = [name for name in frame.column_names if name in ("id", "_number")]
        # A trailing blank, where the text ended in punctuation, would make one more word.
        plain_text = functions.strip(plain(daft.col("text"))).alias("_plain")
        texts = frame.select(*others, plain_text).where(text != "")
        signature = functions.minhash(
            text, num_hashes=self.bands * self.rows, ngram_size=self.ngram, seed=1, hash_function="xxhash3_64"
        )
        return texts.with_column("_signature", signature)

    def matrix(self, column: Any) -> np.ndarray:
        """The signatures (N, H) of an Arrow array of them."""
        return np.asarray(column.flatten()).reshape(len(column), self.bands * self.rows)

    def _banded(self, frame: DataFrame) -> tuple[list[str], np.ndarray]:
        """The ids of all documents with words, ascending, and their keys in every band."""
        from seedbed.corpus.text.linking import band_keys

        ids: list[str] = []
        keys = [np.empty((0, self.bands), np.uint64)]
        for batch in self.signatures(frame).select("id", "_signature").to_arrow_iter():
            ids += batch.column("id").to_pylist()
            keys.append(band_keys(self.matrix(batch.column("_signature")), self.bands, self.rows))
        order = sorted(range(len(ids)), key=ids.__getitem__)
        return [ids[row] for row in order], np.concatenate(keys)[order]

    def sets(self, frame: DataFrame, ids: list[str]) -> Sets:
        """The n-gram sets of the given documents, in their order."""
        import pyarrow as pa

        from seedbed.corpus.engine import daft
        from seedbed.corpus.tagging import plain
        from seedbed.corpus.text.ngrams import joined, placed, shingle_sets, word_arrays, word_hashes

        if not ids:
            return joined([])
        numbers = daft.from_arrow(pa.table({"id": ids, "_number": np.arange(len(ids))}))
        words = word_hashes(plain(daft.col("text"))).alias("_words")
        parts = []
        for batch in frame.select("id", "text").join(numbers, on="id").select("_number", words).to_arrow_iter():
            places = batch.column("_number").to_numpy()
            parts.append((places, shingle_sets(*word_arrays(batch.column("_words")), self.ngram)))
        return placed(parts)

    def _similar(self, sets: Sets, left: np.ndarray, right: np.ndarray, is_old: np.ndarray) -> np.ndarray:
        """The pairs that are linked. Sizes rule most others out, and two old documents need no link."""
        from seedbed.corpus.text.ngrams import jaccard

        sizes = sets.sizes
        smaller, larger = np.minimum(sizes[left], sizes[right]), np.maximum(sizes[left], sizes[right])
        close = (smaller >= self.threshold * larger) & ~(is_old[left] & is_old[right])
        close[close] = jaccard(sets, left[close], right[close]) >= self.threshold
        return close

    def _of(self, is_old: bool) -> str:
        return f" of {self.against.path.name}" if self.against and is_old else ""
