"""Documents that give away what a model will be asked."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from seedbed.core.errors import InputError
from seedbed.core.source import Source
from seedbed.corpus import curation
from seedbed.corpus.artifact import Corpus
from seedbed.corpus.input.examples import CorpusOrFiles
from seedbed.corpus.input.texts import file_texts
from seedbed.corpus.tagging import edits_json

if TYPE_CHECKING:
    from daft import DataFrame, Series

    from seedbed.corpus.text.cuts import Row
    from seedbed.corpus.text.overlap import Hits, Overlap, Passage

_MOST_PIECES = 10


@curation.register("decontaminate", version=2)
class Decontaminate:
    """Drops documents that share word n-grams with evaluation texts, or cuts them out (Brown et al., 2020, appendix C).

    `against` are corpora, of which the given split counts, and files: JSON Lines, Parquet or CSV, whose `fields`
    hold the texts (several are joined), or plain text, one text a file. Texts are compared in lower case without
    ASCII punctuation. A document is contaminated if more than `threshold` of its n-grams stand in evaluation texts, or
    more than `threshold` of one evaluation text's n-grams stand in it; with 0 a single one suffices.

    The paper's rules: n-grams of 13 words; the n-gram and `window` characters (200) on both sides go, pieces left of
    fewer than 200 characters go too, and a document in more than 10 pieces goes as a whole; n-grams in more than 10
    documents do not count. Here, without `window`, the whole document goes; with it, pieces shorter than it go, those
    left stay one document, parted by blank lines, and the windows end where words do. `common` is the number of
    documents above which an n-gram does not count; by default all do.

    The reason, or the edits, show every match: the evaluation text, and the passage and the character in the document
    where it begins. Evaluation texts with fewer than `ngram` words cannot be looked for; if all are that short, that is
    an InputError. Memory: some 50 bytes for each n-gram of the evaluation texts.
    """

    def __init__(
        self,
        against: list[CorpusOrFiles],
        ngram: int = 13,
        threshold: float = 0.0,
        split: str = "test",
        fields: list[str] | None = None,
        window: int | None = None,
        common: int | None = None,
    ) -> None:
        if not against:
            raise InputError("against", "names no evaluation texts")
        for name, number in (("ngram", ngram), ("window", window), ("common", common)):
            if number is not None and number < (0 if name == "window" else 1):
                raise InputError(name, f"must be at least {0 if name == 'window' else 1}", value=number)
        if not 0 <= threshold < 1:
            raise InputError("threshold", "is a share of n-grams, at least 0 and below 1", value=threshold)
        self.against = [item if isinstance(item, Corpus) else Source.parse(item) for item in against]
        self.ngram, self.threshold, self.split = ngram, threshold, split
        self.fields = list(fields or ["text"])
        self.window, self.common = window, common

    def __call__(self, frame: DataFrame, /) -> DataFrame:
        from seedbed.corpus.engine import daft
        from seedbed.corpus.tagging import plain
        from seedbed.corpus.text.ngrams import word_hashes
        from seedbed.corpus.text.overlap import Overlap

        pairs = list(self._texts())
        overlap, names = Overlap([text for _, text in pairs], self.ngram), [name for name, _ in pairs]
        if not len(overlap.hashes_G):
            problem = f"none of the {len(pairs)} evaluation texts has {self.ngram} words"
            raise InputError("ngram", problem, fix="choose a smaller ngram")
        counts = self._counts(frame, overlap)
        string = daft.DataType.string()
        fields = daft.DataType.struct({"text": string, "reason": string, "edits": string})

        @daft.func.batch(return_dtype=fields, use_process=False)  # type: ignore[untyped-decorator]
        def rows(words: Series, texts: Series) -> list[Row]:
            return list(self._rows(words.to_arrow(), texts.to_pylist(), overlap, names, counts))

        frame = frame.with_column("_cut", rows(word_hashes(plain(daft.col("text"))), daft.col("text")))
        return frame.with_columns({name: daft.col("_cut").get(name) for name in ("text", "reason", "edits")})

    def _counts(self, frame: DataFrame, overlap: Overlap) -> np.ndarray | None:
        """Which n-grams count: those that few enough documents have."""
        if self.common is None:
            return None
        documents = np.zeros(len(overlap.hashes_G), np.int64)
        for _, _, grams in overlap.documents(frame.select("id", "text")):
            documents += np.bincount(grams, minlength=len(documents))
        return documents <= self.common

    def _rows(
        self, words: Any, texts: list[str], overlap: Overlap, names: list[str], counts: np.ndarray | None
    ) -> Iterator[Row]:
        from seedbed.corpus.text.cuts import row
        from seedbed.corpus.text.ngrams import ngram_hashes, word_arrays
        from seedbed.corpus.text.overlap import Hits

        hashes, offsets = ngram_hashes(*word_arrays(words), self.ngram)
        places, grams = overlap.hits(hashes)
        if counts is not None:
            places, grams = places[counts[grams]], grams[counts[grams]]
        bounds = np.searchsorted(places, offsets)
        for number, text in enumerate(texts):
            found = slice(bounds[number], bounds[number + 1])
            if found.start == found.stop:
                yield row(text, text, [])
                continue
            own = Hits(places[found] - offsets[number], grams[found])
            size = len(np.unique(hashes[offsets[number] : offsets[number + 1]]))
            yield self._row(text, own, size, overlap, names)

    def _row(self, text: str, hits: Hits, size: int, overlap: Overlap, names: list[str]) -> Row:
        """From the n-grams of one document that stand in evaluation texts; it has `size` different ones."""
        from seedbed.corpus.text.cuts import row
        from seedbed.corpus.text.overlap import passages

        shared = np.unique(hits.grams)
        numbers, counts = np.unique(overlap.texts_of(shared), return_counts=True)
        shares = counts / overlap.sizes[numbers]
        if max(len(shared) / size, float(shares.max())) <= self.threshold:
            return row(text, text, [])
        gram_at = dict(zip(hits.places.tolist(), hits.grams.tolist(), strict=True))
        found = []
        for passage in passages(text, hits.places, self.ngram):
            of = overlap.texts_of(np.array([gram_at[passage.gram]]))
            found.append((passage, ", ".join(names[number] for number in of.tolist())))
        worst = int(np.argmax(shares))
        reason = (
            f"{len(shared)} of {size} {self.ngram}-grams stand in evaluation texts; "
            f"{names[numbers[worst]]} has {counts[worst]} of its {overlap.sizes[numbers[worst]]}"
        )
        if self.window is None:
            matches = [f"at {passage.start} ({of}): {text[passage.start : passage.end]}" for passage, of in found]
            return {"text": text, "reason": "\n".join([f"{reason}:", *matches]), "edits": None}
        return self._without(text, found, reason)

    def _without(self, text: str, found: list[tuple[Passage, str]], reason: str) -> Row:
        """The text without the passages and the windows around them."""
        assert self.window is not None
        pieces: list[str] = []
        edits: list[tuple[str, str]] = []
        place = 0
        for passage, of in found:
            start = _word_start(text, max(passage.start - self.window, 0))
            if start > place or not edits:
                pieces.append(text[place:start].strip())
            place = max(place, _word_end(text, passage.end + self.window))
            edits.append((f"at {passage.start}, in {of}", text[passage.start : passage.end]))
        pieces.append(text[place:].strip())
        pieces = [piece for piece in pieces if piece]
        if len(pieces) > _MOST_PIECES:
            return {"text": text, "reason": f"{reason}; in {len(pieces)} pieces without them", "edits": None}
        long = [piece for piece in pieces if len(piece) >= self.window]
        edits += [("a short piece that was left", piece) for piece in pieces if len(piece) < self.window]
        if not long:
            return {"text": text, "reason": f"{reason}; nothing long enough is left without them", "edits": None}
        return {"text": "\n\n".join(long), "reason": None, "edits": edits_json(edits)}

    def _texts(self) -> Iterator[tuple[str, str]]:
        """Name and text of everything to look for."""
        for item in self.against:
            if isinstance(item, Corpus):
                for document in item.documents(self.split, ["id", "text"]):
                    yield document["id"], document["text"]
            else:
                yield from file_texts(item, self.fields, key="against")


def _word_start(text: str, place: int) -> int:
    """The place itself, or further left, where a word begins."""
    while 0 < place < len(text) and not text[place - 1].isspace():
        place -= 1
    return place


def _word_end(text: str, place: int) -> int:
    """The place itself, or further right, where a word ends."""
    while place < len(text) and not text[place].isspace():
        place += 1
    return min(place, len(text))
