"""Passages that come again."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Literal

import numpy as np

from seedbed.core.errors import InputError
from seedbed.corpus import curation

if TYPE_CHECKING:
    from daft import DataFrame

    from seedbed.corpus.text.characters import Texts
    from seedbed.corpus.text.cuts import Passage, Row
    from seedbed.corpus.text.shared_pieces import Repeated


@curation.register("repeated_ngrams", papers=["329"])
class RepeatedNgrams:
    """Takes out passages of at least `ngram` words that stand in a document with a smaller id, or further up.

    A word goes if an n-gram around it stood there already, unless it is part of an n-gram that stands here first: so
    each n-gram that came more than once is still there once, whole. Passages are those of the exact-substring
    deduplication of Lee et al. (2022, section 4.1), which finds them by a suffix array over 50 tokens; here their
    n-grams are compared by 64-bit hashes of words as they stand between white space. With `within: document` a text is
    compared with itself alone. `edits` name the document that has a passage first; a document of which nothing stays
    is dropped.

    RedWhale (329) removes duplicates from a Korean corpus by n-grams; what we could read of the paper gives neither n
    nor what is removed, so this is not a copy of its rule.

    Memory: 25 bytes a word, and the documents' ids. With `expected`, about the number of different n-grams (so of
    words), a Bloom filter of 10 bits for each (at `false_positives` 0.01), 25 bytes only for those that may come again,
    and their documents' ids, with the same result; where many more come than expected, this is said.
    """

    def __init__(
        self,
        ngram: int = 50,
        within: Literal["corpus", "document"] = "corpus",
        expected: int | None = None,
        false_positives: float = 0.01,
    ) -> None:
        from seedbed.corpus.text.bloom import filter_for

        if ngram < 1:
            raise InputError("ngram", "must be at least 1", value=ngram)
        self.ngram, self.within, self.expected, self.false_positives = ngram, within, expected, false_positives
        self.notes: list[str] = []
        filter_for(expected, false_positives)  # so that bad parameters are told before anything runs

    def __call__(self, frame: DataFrame, /) -> DataFrame:
        from seedbed.corpus.text.bloom import filter_for
        from seedbed.corpus.text.cuts import with_cuts
        from seedbed.corpus.text.shared_pieces import find_repeated

        if self.within == "document":
            return with_cuts(frame, lambda ids, texts: self._cut(ids, texts, None))
        bloom = filter_for(self.expected, self.false_positives)
        repeated = find_repeated(frame, self._hashes, bloom)
        self.notes = bloom.notes() if bloom else []
        return with_cuts(frame, lambda ids, texts: self._cut(ids, texts, repeated))

    def _hashes(self, texts: list[str]) -> tuple[np.ndarray, np.ndarray]:
        from seedbed.corpus.text.characters import chunks

        parts = [self._ngrams(chunk) for chunk in chunks(texts)]
        hashes = np.concatenate([np.empty(0, np.uint64), *[hashes for hashes, _ in parts]])
        return hashes, np.concatenate([np.empty(0, np.int64), *[np.diff(offsets) for _, offsets in parts]])

    def _ngrams(self, texts: Texts) -> tuple[np.ndarray, np.ndarray]:
        from seedbed.corpus.text.ngrams import ngram_hashes

        return ngram_hashes(texts.hashes(texts.words), texts.words.counts, self.ngram)

    def _cut(self, ids: list[str], texts: list[str], repeated: Repeated | None) -> Iterator[Row]:
        from seedbed.corpus.text.characters import chunks
        from seedbed.corpus.text.cuts import row, row_without

        names = iter(ids)
        for chunk in chunks(texts):
            hashes, offsets = self._ngrams(chunk)
            places = hashes if repeated is None else repeated.places(hashes)
            found = np.searchsorted(np.flatnonzero(places >= 0), offsets) if repeated else offsets
            for number, text in enumerate(chunk.texts):
                id, own = next(names), places[offsets[number] : offsets[number + 1]]
                if found[number] == found[number + 1]:
                    yield row(text, text, [])
                    continue
                here, again = _within(own) if repeated is None else _first_and_again(own, repeated, id)
                words = slice(*chunk.words.offsets[number : number + 2])
                starts = chunk.words.starts[words] - chunk.starts_D[number]
                ends = chunk.words.ends[words] - chunk.starts_D[number]
                gone = self._covered(again, len(starts)) & ~self._covered(here, len(starts))
                of = None if repeated is None else [repeated.first[place] for place in own[again].tolist()]
                yield row_without(text, list(_passages(id, gone, starts, ends, again, of)))

    def _covered(self, ngrams: np.ndarray, num_words: int) -> np.ndarray:
        """The words in n-grams that begin at the given words."""
        steps = np.zeros(num_words + 1, np.int64)
        np.add.at(steps, ngrams, 1)
        np.add.at(steps, ngrams + self.ngram, -1)
        return np.cumsum(steps)[:-1] > 0


def _within(hashes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Of one text's n-grams that come more than once the first ones, and the others."""
    _, first, inverse, counts = np.unique(hashes, return_index=True, return_inverse=True, return_counts=True)
    is_first = np.zeros(len(hashes), np.bool_)
    is_first[first] = True
    several = counts[inverse] > 1
    return np.flatnonzero(several & is_first), np.flatnonzero(several & ~is_first)


def _first_and_again(places: np.ndarray, repeated: Repeated, id: str) -> tuple[np.ndarray, np.ndarray]:
    """Of one text's n-grams that come more than once in the corpus those that stand here first, and the others."""
    several = np.flatnonzero(places >= 0)
    _, first = np.unique(places[several], return_index=True)
    here = [place for place in several[first].tolist() if repeated.first[places[place]] == id]
    return np.array(here, np.int64), np.setdiff1d(several, here)


def _passages(
    id: str, gone: np.ndarray, starts: np.ndarray, ends: np.ndarray, again: np.ndarray, of: list[str] | None
) -> Iterator[Passage]:
    """The runs of words that go. `again` and `of`: the n-grams that stand earlier, and where."""
    from seedbed.corpus.text.cuts import Passage

    bounds = np.flatnonzero(np.diff(np.concatenate([[0], gone, [0]])))
    for first, after in zip(bounds[::2].tolist(), bounds[1::2].tolist(), strict=True):
        other = id if of is None else of[int(np.searchsorted(again, first, side="right")) - 1]
        why = f"{after - first} words again" if other == id else f"{after - first} words of {other}"
        following = int(starts[after]) if after < len(starts) else None
        yield Passage(int(starts[first]), int(ends[after - 1]), following, why)
