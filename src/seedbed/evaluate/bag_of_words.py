"""Words without order: TF-IDF vectors and BM25, the baselines that a model of texts has to beat.

TF-IDF as scikit-learn's `TfidfVectorizer(sublinear_tf=True, ngram_range=(1, ngrams))` computes it: (1 + ln tf)
(1 + ln((1 + N) / (1 + df))), rows of norm 1. BM25 as in Robertson and Zaragoza (2009), with Lucene's
idf = ln(1 + (N - df + 0.5) / (df + 0.5)). A word is a run of letters, digits and underscores, lower-cased; for
identifiers the parts of snake_case and camelCase count too (`parts=True`).
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

_WORD = re.compile(r"\w+")
_PART = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[0-9]+|[^\W\dA-Za-z_]+")


@dataclass(frozen=True)
class Sparse:
    """Rows of (column, value) pairs: row n is the slice starts[n]:starts[n + 1]."""

    starts: np.ndarray
    columns: np.ndarray
    values: np.ndarray
    width: int

    def dense(self) -> np.ndarray:
        found = np.zeros((len(self.starts) - 1, self.width), dtype=np.float32)
        found[np.repeat(np.arange(len(found)), np.diff(self.starts)), self.columns] = self.values
        return found


def words(text: str, *, ngrams: int = 1, parts: bool = False) -> list[str]:
    """Lower-cased words; with their parts where these differ; and n-grams of words up to `ngrams`."""
    found = _WORD.findall(text)
    if parts:
        found = [piece for word in found for piece in {word: None, **dict.fromkeys(_PART.findall(word))}]
    found = [word.lower() for word in found]
    longer = [" ".join(found[i : i + n]) for n in range(2, ngrams + 1) for i in range(len(found) - n + 1)]
    return found + longer


class TfIdf:
    """Fitted on a list of texts."""

    def __init__(self, texts: Sequence[str], *, ngrams: int = 1, parts: bool = False, min_documents: int = 1) -> None:
        self.ngrams, self.parts = ngrams, parts
        frequency = Counter(word for text in texts for word in set(self._words(text)))
        known = sorted(word for word, count in frequency.items() if count >= min_documents)
        self.columns = {word: index for index, word in enumerate(known)}
        self.idf_F = 1 + np.log((1 + len(texts)) / (1 + np.array([frequency[word] for word in known], dtype=float)))

    def _words(self, text: str) -> list[str]:
        return words(text, ngrams=self.ngrams, parts=self.parts)

    def vectors(self, texts: Sequence[str]) -> Sparse:
        """Rows of norm 1 (or empty)."""
        starts, columns, values = [0], [], []
        for text in texts:
            counts = Counter(self.columns[word] for word in self._words(text) if word in self.columns)
            chosen = np.array(sorted(counts), dtype=np.int64)
            weights = (1 + np.log([counts[column] for column in chosen])) * self.idf_F[chosen]
            norm = float(np.sqrt((weights**2).sum()))
            columns.append(chosen)
            values.append(weights / norm if norm else weights)
            starts.append(starts[-1] + len(chosen))
        return Sparse(
            np.array(starts),
            np.concatenate([*columns, np.zeros(0, np.int64)]),
            np.concatenate([*values, np.zeros(0)]),
            len(self.columns),
        )


def tfidf_scores(queries: Sequence[str], documents: Sequence[str], *, parts: bool = False) -> np.ndarray:
    """Cosine similarities (queries, documents) of TF-IDF vectors, fitted on the documents."""
    fitted = TfIdf(documents, parts=parts)
    return _cross(fitted.vectors(queries), fitted.vectors(documents))


def bm25_scores(
    queries: Sequence[str], documents: Sequence[str], *, k1: float = 1.2, b: float = 0.75, parts: bool = False
) -> np.ndarray:
    """BM25 scores (queries, documents)."""
    counts = [Counter(words(text, parts=parts)) for text in documents]
    known = {word: index for index, word in enumerate(sorted({word for row in counts for word in row}))}
    lengths = np.array([sum(row.values()) for row in counts], dtype=np.float64)
    average = max(lengths.mean(), 1e-9)
    frequency = Counter(known[word] for row in counts for word in row)
    df_F = np.array([frequency[column] for column in range(len(known))], dtype=np.float64)
    idf_F = np.log(1 + (len(documents) - df_F + 0.5) / (df_F + 0.5))
    columns = [np.array([known[word] for word in row], dtype=np.int64) for row in counts]
    tf = [np.array(list(row.values()), dtype=np.float64) for row in counts]
    values = [
        idf_F[place] * n * (k1 + 1) / (n + k1 * (1 - b + b * length / average))
        for place, n, length in zip(columns, tf, lengths, strict=True)
    ]
    starts = np.cumsum([0, *map(len, columns)])
    right = Sparse(
        starts, np.concatenate([*columns, np.zeros(0, np.int64)]), np.concatenate([*values, np.zeros(0)]), len(known)
    )
    asked = [Counter(known[word] for word in words(text, parts=parts) if word in known) for text in queries]
    left = Sparse(
        np.cumsum([0, *map(len, asked)]),
        np.array([column for row in asked for column in row], dtype=np.int64),
        np.array([count for row in asked for count in row.values()], dtype=np.float64),
        len(known),
    )
    return _cross(left, right)


def _cross(left: Sparse, right: Sparse) -> np.ndarray:
    """left @ right.T, through the words' lists of documents."""
    order = np.argsort(right.columns, kind="stable")
    documents = np.repeat(np.arange(len(right.starts) - 1), np.diff(right.starts))[order]
    values = right.values[order]
    first = np.searchsorted(right.columns[order], np.arange(right.width + 1))
    scores = np.zeros((len(left.starts) - 1, len(right.starts) - 1))
    for query in range(len(scores)):
        for place in range(left.starts[query], left.starts[query + 1]):
            column = left.columns[place]
            found = slice(first[column], first[column + 1])
            scores[query, documents[found]] += left.values[place] * values[found]  # a document stands once in a list
    return scores
