"""The word n-grams of evaluation texts, looked for in a corpus: for `decontaminate`, and for the report of `evaluate`.

Texts are compared in lower case without ASCII punctuation, words parted by white space, n-grams by 64-bit hashes: with
10^6 n-grams of evaluation texts and 10^9 in a corpus, fewer than 10^-4 false hits are expected. A script without blanks
has long words, and overlaps are then missed.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from daft import DataFrame

# What parts words for Daft: Unicode's white space, some of which is not that of Python's `\s`, and the reverse.
_WORD = re.compile(r"[^\t-\r \x85\xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000]+")
_PUNCTUATION = re.compile(r"[!-/:-@\[-`{-~]+")


class Hits(NamedTuple):
    """Where n-grams of evaluation texts stand: the place in the hashes that were looked up, and the n-gram's number."""

    places: np.ndarray
    grams: np.ndarray


class Overlap:
    """The n-grams of some texts. `hashes_G` are the different ones, ascending; those of text t in `grams_of(t)`.

    Memory: 50 bytes for each n-gram of each text.
    """

    def __init__(self, texts: Sequence[str], n: int) -> None:
        from .ngrams import Lookup, ngram_hashes, text_words

        self.n = n
        hashes, offsets = ngram_hashes(*text_words(texts), n)
        numbers = np.repeat(np.arange(len(texts)), np.diff(offsets))
        self.hashes_G, grams = np.unique(hashes, return_inverse=True)
        pairs = np.unique(numbers * (len(self.hashes_G) + 1) + grams)
        self._texts, self._grams = np.divmod(pairs, len(self.hashes_G) + 1)
        self.sizes = np.bincount(self._texts, minlength=len(texts))
        self._texts_by_gram = self._texts[np.argsort(self._grams, kind="stable")]
        self._gram_ends = np.cumsum(np.bincount(self._grams, minlength=len(self.hashes_G)))
        self._lookup = Lookup(self.hashes_G)

    def grams_of(self, text: int) -> np.ndarray:
        return self._grams[slice(*np.searchsorted(self._texts, [text, text + 1]))]

    def texts_of(self, grams: np.ndarray) -> np.ndarray:
        """The texts that have these n-grams, one for each of them that it has."""
        starts = np.where(grams > 0, self._gram_ends[grams - 1], 0)
        rows = [self._texts_by_gram[start:end] for start, end in zip(starts, self._gram_ends[grams], strict=True)]
        return np.concatenate([np.empty(0, np.int64), *rows])

    def hits(self, hashes: np.ndarray) -> Hits:
        """Which of a corpus's n-grams are among them."""
        return Hits(*self._lookup.find(hashes))

    def documents(self, frame: DataFrame) -> Iterator[tuple[list[str], np.ndarray, np.ndarray]]:
        """Batch by batch the ids of a frame's documents, and what stands where: numbers of documents and of n-grams,
        each pair once."""
        from seedbed.corpus.engine import daft
        from seedbed.corpus.scratch import streamed
        from seedbed.corpus.tagging import plain

        from .ngrams import ngram_hashes, word_arrays, word_hashes

        words = word_hashes(plain(daft.col("text"))).alias("_words")
        for batch in streamed(frame.select("id", words)):
            hashes, offsets = ngram_hashes(*word_arrays(batch.column("_words")), self.n)
            found = self.hits(hashes)
            documents = np.searchsorted(offsets, found.places, side="right") - 1
            pairs = np.unique(documents * (len(self.hashes_G) + 1) + found.grams)
            yield batch.column("id").to_pylist(), *np.divmod(pairs, len(self.hashes_G) + 1)


class Passage(NamedTuple):
    """A run of shared n-grams in a text: characters from `start` to `end`, and the number of its first n-gram."""

    start: int
    end: int
    gram: int


def passages(text: str, places: np.ndarray, n: int) -> list[Passage]:
    """Where in a text the n-grams stand that begin at the given words (ascending), each run of them as one."""
    words = [word.span() for word in _WORD.finditer(text) if _PUNCTUATION.sub("", word[0])]
    found: list[Passage] = []
    after = -1
    for place in places.tolist():
        start, end = words[place][0], words[place + n - 1][1]
        if place < after:
            found[-1] = found[-1]._replace(end=end)
        else:
            found.append(Passage(start, end, place))
        after = place + n
    return found
