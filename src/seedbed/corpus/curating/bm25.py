"""The documents that a task's texts would find: retrieval from a general corpus by BM25.

Shapes: Q queries, D documents of a block, U different terms of the queries, E entries (a term in a document), P
postings (a term in a query).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

from seedbed.core.counters import key
from seedbed.core.errors import InputError
from seedbed.core.source import Source
from seedbed.corpus import curation
from seedbed.corpus.input.texts import file_texts, training_files
from seedbed.corpus.labels import LabeledData

if TYPE_CHECKING:
    from daft import DataFrame, Series

_BLOCK = 1 << 21  # products that are held at a time
_WAITING = 1 << 20  # documents that may yet be among a query's best, over all queries


@curation.register("bm25", papers=["027"])
class Bm25:
    """Keeps the documents that are among the `top` best for at least one query, each once (TLM, Yao et al., 2022: every
    text of a labeled task is a query to a general corpus).

    `queries` are records (JSON Lines, Parquet or CSV) whose `fields` hold the texts; of files called test..., dev... or
    valid... none is read, so that no test text chooses what is trained on. Words are compared in lower case without
    ASCII punctuation, and a word that a query has twice counts twice. The score is that of Lucene, which stands
    behind the search engine that the paper used:

        sum over a query's words of  idf * tf / (tf + k1 * (1 - b + b * length / mean length)),
        idf = ln(1 + (N - df + 0.5) / (df + 0.5))

    with N documents, df of them with the word, tf times in this one (Robertson and Zaragoza, 2009, with an idf that is
    never negative and without the constant factor k1 + 1). Of equal scores the smaller hash of the id wins; a
    document with a score of zero is never kept. Not implemented: the paper's keywords (RAKE) in place of long queries.

    The corpus is read twice, once for df and the mean length. Memory: 16 bytes for each different word of each query,
    24 for each of the `top` documents of each query, and some 150 MB.
    """

    def __init__(
        self,
        queries: LabeledData,
        top: int = 50,
        k1: float = 1.2,
        b: float = 0.75,
        fields: list[str] | None = None,
    ) -> None:
        if top < 1:
            raise InputError("top", "must be at least 1", value=top)
        if k1 < 0:
            raise InputError("k1", "must not be negative", value=k1)
        if not 0 <= b <= 1:
            raise InputError("b", "lies between 0 and 1", value=b)
        self.queries, self.top, self.k1, self.b = queries, top, k1, b
        self.fields = list(fields or ["text"])

    def __call__(self, frame: DataFrame, /) -> DataFrame:
        from seedbed.corpus.engine import daft

        kept = self._best(frame)
        reason = f"not among the {self.top} best documents of any query"

        @daft.func.batch(return_dtype=daft.DataType.string(), use_process=False)  # type: ignore[untyped-decorator]
        def verdict(ids: Series) -> list[str | None]:
            return [None if number in kept else reason for number in map(_number, ids.to_pylist())]

        return frame.with_column("reason", verdict(daft.col("id")))

    def _best(self, frame: DataFrame) -> set[int]:
        """The numbers of the documents that stay."""
        queries = _Queries(list(self._texts()))
        frequency_U, documents, words = np.zeros(len(queries.terms_U), np.int64), 0, 0
        for _, hashes, lengths in _words(frame):
            _, term_E, _ = queries.entries(hashes, lengths)
            frequency_U += np.bincount(term_E, minlength=len(frequency_U))
            documents, words = documents + len(lengths), words + int(lengths.sum())
        idf_U = np.log1p((documents - frequency_U + 0.5) / (frequency_U + 0.5))
        best = _Best(queries.number, self.top)
        for ids, hashes, lengths in _words(frame):
            document_E, term_E, count_E = queries.entries(hashes, lengths)
            length_E = lengths[document_E] / (words / max(documents, 1))
            weight_E = idf_U[term_E] * count_E / (count_E + self.k1 * (1 - self.b + self.b * length_E))
            numbers = np.array([_number(id) for id in ids], np.uint64)
            for block, score_DQ in queries.scores(document_E, term_E, weight_E, len(lengths)):
                best.offer(numbers[block], score_DQ)
        return best.numbers()

    def _texts(self) -> Iterator[str]:
        for path in training_files(self.queries, key="queries"):
            for _, text in file_texts(Source(path), self.fields, key="queries"):
                yield text


def _number(id: str) -> int:
    return key(0, "bm25", id)


def _words(frame: DataFrame) -> Iterator[tuple[list[str], np.ndarray, np.ndarray]]:
    """Ids, the hashes of all words one after the other, and the number of words of each document."""
    from seedbed.corpus.engine import daft
    from seedbed.corpus.scratch import streamed
    from seedbed.corpus.tagging import plain
    from seedbed.corpus.text.ngrams import word_arrays, word_hashes

    for batch in streamed(frame.select("id", word_hashes(plain(daft.col("text"))).alias("_words"))):
        hashes, lengths = word_arrays(batch.column("_words"))
        yield batch.column("id").to_pylist(), hashes, lengths


class _Queries:
    """The queries' terms, sorted by hash, and for each of them the queries that have it."""

    def __init__(self, texts: list[str]) -> None:
        from seedbed.corpus.text.ngrams import text_words

        hashes, lengths = text_words(texts)
        self.number = len(texts)
        self.terms_U, term = np.unique(hashes, return_inverse=True)
        if not len(self.terms_U):
            raise InputError("queries", f"the {len(texts)} texts hold no word")
        query = np.repeat(np.arange(self.number), lengths)
        posting_P, self._count_P = np.unique(term * self.number + query, return_counts=True)
        self._query_P = posting_P % self.number
        self._size_U = np.bincount(posting_P // self.number, minlength=len(self.terms_U))
        self._start_U = np.cumsum(self._size_U) - self._size_U

    def entries(self, hashes: np.ndarray, lengths: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """(document, term, count) for every term of the queries in every document, sorted by both."""
        place = np.minimum(np.searchsorted(self.terms_U, hashes), len(self.terms_U) - 1)
        known = self.terms_U[place] == hashes
        documents = np.repeat(np.arange(len(lengths)), lengths)[known]
        pair_E, count_E = np.unique(documents * len(self.terms_U) + place[known], return_counts=True)
        return pair_E // len(self.terms_U), pair_E % len(self.terms_U), count_E

    def scores(
        self, document_E: np.ndarray, term_E: np.ndarray, weight_E: np.ndarray, number: int
    ) -> Iterator[tuple[slice, np.ndarray]]:
        """The scores of some documents for all queries (D, Q), block by block. How they are cut into blocks does
        not change the order of additions."""
        size_E = self._size_U[term_E]
        cost = np.bincount(document_E, weights=size_E, minlength=number).astype(np.int64) + self.number
        block = (np.cumsum(cost) - cost) // _BLOCK
        for first in np.flatnonzero(np.diff(block, prepend=-1)).tolist():
            stop = int(np.searchsorted(block, block[first], side="right"))
            inside = slice(*np.searchsorted(document_E, [first, stop]))
            own_E = size_E[inside]
            ends_E = np.cumsum(own_E)
            within = np.arange(ends_E[-1] if len(ends_E) else 0) - np.repeat(ends_E - own_E, own_E)
            posting = np.repeat(self._start_U[term_E[inside]], own_E) + within
            cell = np.repeat((document_E[inside] - first) * self.number, own_E) + self._query_P[posting]
            products = np.repeat(weight_E[inside], own_E) * self._count_P[posting]
            flat = np.bincount(cell, weights=products, minlength=(stop - first) * self.number)
            yield slice(first, stop), flat.reshape(stop - first, self.number)


class _Best:
    """The best documents of every query so far, whatever the order they come in."""

    def __init__(self, queries: int, top: int) -> None:
        self.top = top
        self._least_Q = np.full(queries, np.nextafter(0.0, 1.0))  # a score must reach it
        self._queries = [np.empty(0, np.int64)]
        self._scores = [np.empty(0)]
        self._numbers = [np.empty(0, np.uint64)]
        self._waiting = 0

    def offer(self, numbers_D: np.ndarray, score_DQ: np.ndarray) -> None:
        """Take what may be among the best."""
        document, query = np.nonzero(score_DQ >= self._least_Q)
        self._queries.append(query)
        self._scores.append(score_DQ[document, query])
        self._numbers.append(numbers_D[document])
        self._waiting += len(query)
        if self._waiting > _WAITING:
            self._prune()

    def numbers(self) -> set[int]:
        """The documents that are among the best of some query."""
        self._prune()
        return set(self._numbers[0].tolist())

    def _prune(self) -> None:
        query, score = np.concatenate(self._queries), np.concatenate(self._scores)
        number = np.concatenate(self._numbers)
        order = np.lexsort((number, -score, query))
        query, score, number = query[order], score[order], number[order]
        rank = np.arange(len(query)) - np.searchsorted(query, query)
        last = rank == self.top - 1
        self._least_Q[query[last]] = score[last]
        stays = rank < self.top
        self._queries, self._scores, self._numbers = [query[stays]], [score[stays]], [number[stays]]
        self._waiting = 0
