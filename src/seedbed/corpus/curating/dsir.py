"""Importance resampling towards a target, by hashed n-grams."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from seedbed.core.counters import key
from seedbed.core.errors import InputError
from seedbed.core.source import Source
from seedbed.corpus import curation
from seedbed.corpus.artifact import Corpus
from seedbed.corpus.expressions import check_new
from seedbed.corpus.input.examples import CorpusOrFiles
from seedbed.corpus.input.texts import file_texts

if TYPE_CHECKING:
    from daft import DataFrame, Expression, Series

_TOKEN = r"\w+|[^\w\s]+"
_SMALL = 1e-8  # added to every probability, as the authors' code does
_TEXTS = 1000  # of the target that are counted at once


@curation.register("dsir", papers=["330"])
class Dsir:
    """Adds the column `name`, by which `best` selects a sample that is distributed as the target is: DSIR (Xie et al.,
    2023, Data Selection for Language Models via Importance Resampling, section 3).

    The paper's procedure, one by one. Features: a text in small letters is parted into runs of letters and digits and
    runs of other signs (`\\w+|[^\\w\\s]+`); its 1-grams to `ngram`-grams (2 in the paper) are hashed into `buckets`
    (10,000) and counted. Models: the target's and the raw corpus's texts are each a bag of features, the probability
    of a bucket its share of all counts, plus 1e-8. Weight: of a document z with counts c, log p(z) / q(z) = sum over
    buckets of c * (log target - log raw). Resampling without replacement: to each log weight a Gumbel number is added,
    and the largest stay, here by `best: {by: dsir, share: 0.1}`, or with `per: domain` as many of each bucket of an
    attribute (attribute buckets, Parmar et al., 2024). Without `noise` the column is the log weight itself, for
    selection by rank, which section 4 of the paper compares with.

    The Gumbel number depends on a document's id and `seed` alone. All raw documents are counted where the authors'
    code may stop early, and n-grams are hashed by another function. As in the paper, weights are sums, so that long
    documents have the largest and the smallest. A target is a corpus (`split` counts) or files, of whose records
    `fields` count. Memory: 80 kB for each batch of Daft's, and nothing that grows with documents.
    """

    def __init__(
        self,
        target: CorpusOrFiles,
        name: str = "dsir",
        ngram: int = 2,
        buckets: int = 10_000,
        noise: bool = True,
        split: str = "train",
        fields: list[str] | None = None,
        seed: int = 0,
    ) -> None:
        if ngram < 1:
            raise InputError("ngram", "must be at least 1", value=ngram)
        if buckets < 2:
            raise InputError("buckets", "must be at least 2", value=buckets)
        check_new(name, key="name")
        self.target = target if isinstance(target, Corpus) else Source.parse(target)
        self.name, self.ngram, self.buckets, self.noise, self.seed = name, ngram, buckets, noise, seed
        self.split, self.fields = split, list(fields or ["text"])

    def __call__(self, frame: DataFrame, /) -> DataFrame:
        from seedbed.corpus.engine import daft

        difference_K = np.log(self._shares(self._target_counts())) - np.log(self._shares(self._counts(frame)))

        @daft.func.batch(return_dtype=daft.DataType.float64(), use_process=False)  # type: ignore[untyped-decorator]
        def weights(ids: Series, words: Series) -> list[float]:
            documents, features = self._features(words)
            # Unlike differences of a running sum, this adds up a document's values as if it were alone.
            sums = np.bincount(documents, weights=difference_K[features], minlength=len(ids))
            return list((sums + self._gumbel(ids.to_pylist())).tolist())

        return frame.with_column(self.name, weights(daft.col("id"), _words()))

    def _gumbel(self, ids: list[str]) -> np.ndarray:
        if not self.noise:
            return np.zeros(len(ids))
        uniform = np.array([(key(self.seed, "dsir", id) + 0.5) * 2.0**-64 for id in ids])
        return -np.log(-np.log(np.clip(uniform, 2.0**-65, 1 - 2.0**-53)))

    def _counts(self, frame: DataFrame) -> np.ndarray:
        """How often each bucket comes in all documents."""
        import pyarrow as pa

        from seedbed.corpus.engine import daft

        # A batch gives one row of counts, so that no words come here. They are whole, and add up in any order.
        @daft.func.batch(return_dtype=daft.DataType.list(daft.DataType.int64()), use_process=False)  # type: ignore[untyped-decorator]
        def counted(words: Series) -> Any:
            features = self._features(words)[1]
            rows = [np.bincount(features, minlength=self.buckets), *[None] * (len(words) - 1)]
            return pa.array(rows[: len(words)], pa.large_list(pa.int64()))

        counts = frame.select(counted(_words()).alias("_counts"))
        rows = counts.where(daft.col("_counts").not_null()).to_pydict()["_counts"]
        return np.sum(np.array(rows, np.int64).reshape(-1, self.buckets), axis=0)

    def _features(self, words: Series) -> tuple[np.ndarray, np.ndarray]:
        """For every n-gram of a batch, its document's number and its bucket."""
        from seedbed.corpus.text.ngrams import ngram_hashes, word_arrays

        hashes, lengths = word_arrays(words.to_arrow())
        documents, features = [], []
        for n in range(1, self.ngram + 1):
            found, offsets = ngram_hashes(hashes, lengths, n)
            documents.append(np.repeat(np.arange(len(lengths)), np.diff(offsets)))
            features.append((found % np.uint64(self.buckets)).astype(np.int64))
        return np.concatenate(documents), np.concatenate(features)

    def _target_counts(self) -> np.ndarray:
        import pyarrow as pa

        from seedbed.corpus.engine import daft

        counts = np.zeros(self.buckets, np.int64)
        waiting: list[str] = []
        for text in self._texts():
            waiting.append(text)
            if len(waiting) == _TEXTS:
                counts += self._counts(daft.from_arrow(pa.table({"text": pa.array(waiting, pa.large_string())})))
                waiting = []
        counts += self._counts(daft.from_arrow(pa.table({"text": pa.array(waiting, pa.large_string())})))
        if not counts.any():
            raise InputError("target", "holds no words", value=str(self.target))
        return counts

    def _texts(self) -> Iterator[str]:
        if isinstance(self.target, Corpus):
            yield from (document["text"] for document in self.target.documents(self.split, ["text"]))
        else:
            yield from (text for _, text in file_texts(self.target, self.fields, key="target"))

    @staticmethod
    def _shares(counts: np.ndarray) -> np.ndarray:
        return counts / max(int(counts.sum()), 1) + _SMALL


def _words() -> Expression:
    """The hashes of a text's words and runs of signs."""
    from seedbed.corpus.engine import daft, functions

    words = functions.regexp_extract_all(functions.lower(daft.col("text")), _TOKEN)
    return functions.list_map(words, functions.hash(daft.element(), hash_function="xxhash3_64"))
