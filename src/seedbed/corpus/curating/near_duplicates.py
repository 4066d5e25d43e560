"""Texts that are nearly the same."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from seedbed.core.errors import InputError
from seedbed.corpus import curation

if TYPE_CHECKING:
    from daft import DataFrame, Expression


@curation.register("near_duplicates")
class NearDuplicates:
    """Of documents that share most of their word n-grams the one with the smallest id stays.

    MinHash signatures (Broder, 1997) are cut into bands; documents that agree in a band (Leskovec, Rajaraman and
    Ullman, 2014, chapter 3) are compared by the exact Jaccard similarity of their n-gram sets, taken from the
    lower-cased text without ASCII punctuation. Pairs with at least `threshold` are linked; of every connected
    component the smallest id stays, and the reason names it with the similarity to it, which along a chain may be
    smaller than the threshold. A text with fewer than `ngram` words counts as one n-gram; one without words is left
    alone. Words are parted by white space: for a script that does not part them, this finds little.

    The cut is the one with the fewest candidates that finds a pair just at the threshold with probability 0.995; a
    pair above it is more certain. The result depends on nothing but ids and texts. Memory: 8 bytes for each
    document and band (of which there are 21 by default), and the n-gram sets of those documents that share a band
    with another one.
    """

    def __init__(self, threshold: float = 0.8, ngram: int = 5, num_hashes: int = 128) -> None:
        from seedbed.corpus.linking import cut

        if not 0 < threshold <= 1:
            raise InputError("threshold", "is a similarity above 0 and at most 1", value=threshold)
        if ngram < 1:
            raise InputError("ngram", "must be at least 1", value=ngram)
        if num_hashes < 16:
            raise InputError("num_hashes", "must be at least 16", value=num_hashes)
        self.threshold, self.ngram, self.num_hashes = threshold, ngram, num_hashes
        self.bands, self.rows = cut(threshold, num_hashes)

    def __call__(self, frame: DataFrame, /) -> DataFrame:
        from seedbed.corpus.linking import Components, buckets
        from seedbed.corpus.tagging import with_reasons

        ids, keys = self._banded(frame)
        found = list(buckets(keys))
        del keys
        documents = np.unique(np.concatenate([np.empty(0, np.int64), *found]))
        sets, signatures = self._candidates(frame, [ids[document] for document in documents])
        components = Components(documents, sets, signatures, self.threshold)
        for bucket in found:
            components.link(bucket)
        dropped, reasons = [], []
        for kept, *others in components.groups():
            for other in others:
                similarity = components.similarity(kept, other)
                dropped.append(ids[documents[other]])
                reasons.append(f"near duplicate of {ids[documents[kept]]} (similarity {similarity:.2f})")
        return with_reasons(frame, dropped, reasons)

    def _banded(self, frame: DataFrame) -> tuple[list[str], np.ndarray]:
        """The ids of all documents with words, ascending, and their keys in every band."""
        from seedbed.corpus.linking import band_keys

        ids: list[str] = []
        keys = [np.empty((0, self.bands), np.uint64)]
        for batch in self._signed(frame).select("id", "_signature").to_arrow_iter():
            ids += batch.column("id").to_pylist()
            keys.append(band_keys(self._matrix(batch), self.bands, self.rows))
        order = sorted(range(len(ids)), key=ids.__getitem__)
        return [ids[row] for row in order], np.concatenate(keys)[order]

    def _candidates(self, frame: DataFrame, ids: list[str]) -> tuple[list[np.ndarray], np.ndarray]:
        """The n-gram sets and signatures of the given documents, in their order."""
        import pyarrow as pa

        from seedbed.corpus.engine import daft
        from seedbed.corpus.ngrams import shingle_sets, word_arrays, word_hashes

        sets: list[np.ndarray] = [np.empty(0, np.uint64)] * len(ids)
        signatures = np.empty((len(ids), self.num_hashes), np.uint32)
        if not ids:
            return sets, signatures
        numbers = daft.from_arrow(pa.table({"id": ids, "_number": np.arange(len(ids))}))
        signed = self._signed(frame.join(numbers, on="id"))
        for batch in signed.with_column("_words", word_hashes(daft.col("_plain"))).to_arrow_iter():
            places = batch.column("_number").to_numpy()
            signatures[places] = self._matrix(batch)
            found = shingle_sets(*word_arrays(batch.column("_words")), self.ngram)
            for place, shingles in zip(places, found, strict=True):
                sets[place] = shingles
        assert all(len(row) for row in sets)
        return sets, signatures

    def _signed(self, frame: DataFrame) -> DataFrame:
        from seedbed.corpus.engine import daft, functions
        from seedbed.corpus.tagging import plain

        text: Expression = daft.col("_plain")
        others = [name for name in frame.column_names if name in ("id", "_number")]
        texts = frame.select(*others, plain(daft.col("text")).alias("_plain")).where(text != "")
        signature = functions.minhash(
            text, num_hashes=self.num_hashes, ngram_size=self.ngram, seed=1, hash_function="xxhash3_64"
        )
        return texts.with_column("_signature", signature)

    def _matrix(self, batch: Any) -> np.ndarray:
        column = batch.column("_signature")
        return np.asarray(column.flatten()).reshape(len(column), self.num_hashes)
