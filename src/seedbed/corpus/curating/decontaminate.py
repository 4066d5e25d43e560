"""Documents that give away what a model will be asked."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np
from pydantic import PlainValidator

from seedbed.core.artifact import MANIFEST, Artifact, Reference, kind_of_name
from seedbed.core.errors import InputError
from seedbed.core.source import Source
from seedbed.corpus import curation
from seedbed.corpus.artifact import Corpus
from seedbed.corpus.texts import file_texts

if TYPE_CHECKING:
    from daft import DataFrame, Series


def _corpus_or_source(value: Any) -> Any:
    """A corpus (an earlier step, a folder with a manifest), else a path of files: step names go first."""
    if isinstance(value, Artifact | Reference) or getattr(value, "is_reference", False):
        return Corpus._parse(value)
    if isinstance(value, Source):
        return value
    lookup = kind_of_name.get(None)
    try:
        kind = lookup(str(value)) if lookup else None
    except InputError as error:
        kind = None
        if not Source(value).files:
            raise error
    if kind is not None or (isinstance(value, str | Path) and (Path(value) / MANIFEST).is_file()):
        return Corpus._parse(value)
    return Source.parse(value)


@curation.register("decontaminate")
class Decontaminate:
    """Drops documents that share word n-grams with evaluation texts (Brown et al., 2020, appendix C: 13-grams).

    `against` are corpora, of which the given split counts, and files: JSON Lines, Parquet or CSV, whose `fields`
    hold the texts (several are joined), or plain text, one text a file. Texts are compared in lower case without
    ASCII punctuation. A document is dropped if more than `threshold` of its n-grams stand in evaluation texts, or
    more than `threshold` of one evaluation text's n-grams stand in it; with 0 a single one suffices. Unlike the paper,
    the whole document goes, not a window around the n-gram. Evaluation texts with fewer than `ngram` words cannot be
    looked for; if all are that short, that is an InputError. Memory: 16 bytes for each n-gram of the evaluation texts.
    """

    def __init__(
        self,
        against: list[Annotated[Corpus | Source, PlainValidator(_corpus_or_source)]],
        ngram: int = 13,
        threshold: float = 0.0,
        split: str = "test",
        fields: list[str] | None = None,
    ) -> None:
        if not against:
            raise InputError("against", "names no evaluation texts")
        if ngram < 1:
            raise InputError("ngram", "must be at least 1", value=ngram)
        if not 0 <= threshold < 1:
            raise InputError("threshold", "is a share of n-grams, at least 0 and below 1", value=threshold)
        self.against = [item if isinstance(item, Corpus) else Source.parse(item) for item in against]
        self.ngram, self.threshold, self.split = ngram, threshold, split
        self.fields = list(fields or ["text"])

    def __call__(self, frame: DataFrame, /) -> DataFrame:
        from seedbed.corpus.engine import daft
        from seedbed.corpus.ngrams import ngram_hashes, word_arrays, word_hashes
        from seedbed.corpus.tagging import plain

        probe = _Evaluation(self._texts(), self.ngram, self.threshold)

        @daft.func.batch(return_dtype=daft.DataType.string(), use_process=False)  # type: ignore[untyped-decorator]
        def verdict(words: Series) -> list[str | None]:
            return probe.verdicts(*ngram_hashes(*word_arrays(words.to_arrow()), self.ngram))

        return frame.with_column("reason", verdict(word_hashes(plain(daft.col("text")))))

    def _texts(self) -> Iterator[tuple[str, str]]:
        """Name and text of everything to look for."""
        for item in self.against:
            if isinstance(item, Corpus):
                for document in item.documents(self.split, ["id", "text"]):
                    yield document["id"], document["text"]
            else:
                yield from file_texts(item, self.fields, key="against")


class _Evaluation:
    """The n-grams of evaluation texts, sorted, each with the text it stands in."""

    def __init__(self, texts: Iterator[tuple[str, str]], ngram: int, threshold: float) -> None:
        from seedbed.corpus.ngrams import ngram_hashes, text_words

        pairs = list(texts)
        hashes, offsets = ngram_hashes(*text_words([text for _, text in pairs]), ngram)
        if not len(hashes):
            raise InputError(
                "ngram", f"none of the {len(pairs)} evaluation texts has {ngram} words", fix="choose a smaller ngram"
            )
        numbers = np.repeat(np.arange(len(pairs)), np.diff(offsets))
        found = np.unique(np.stack([hashes, numbers.astype(np.uint64)]), axis=1)  # sorted by hash, then by text
        self.hashes, self.numbers = found[0], found[1].astype(np.int64)
        self.sizes = np.bincount(self.numbers, minlength=len(pairs))
        self.names = [name for name, _ in pairs]
        self.ngram, self.threshold = ngram, threshold
        # Which low bits occur at all: settles nearly every n-gram at a tenth of the price of a search.
        bits = int(min(28, max(16, np.ceil(np.log2(len(self.hashes) + 1)) + 4)))
        self._mask = np.uint64((1 << bits) - 1)
        self._occurs = np.zeros(1 << bits, np.bool_)
        self._occurs[self.hashes & self._mask] = True

    def verdicts(self, hashes: np.ndarray, offsets: np.ndarray) -> list[str | None]:
        """A reason, or None, for each document."""
        hits = np.flatnonzero(self._occurs[hashes & self._mask])
        places = np.minimum(np.searchsorted(self.hashes, hashes[hits]), len(self.hashes) - 1)
        hits = hits[self.hashes[places] == hashes[hits]]
        verdicts: list[str | None] = [None] * (len(offsets) - 1)
        documents = np.searchsorted(offsets, hits, side="right") - 1
        for document in np.unique(documents):
            own = np.unique(hashes[offsets[document] : offsets[document + 1]])
            verdicts[document] = self._verdict(own, np.unique(hashes[hits[documents == document]]))
        return verdicts

    def _verdict(self, own: np.ndarray, shared: np.ndarray) -> str | None:
        """From the sets of a document's n-grams, and of those that are shared."""
        starts, ends = np.searchsorted(self.hashes, shared), np.searchsorted(self.hashes, shared, side="right")
        texts = np.concatenate([self.numbers[start:end] for start, end in zip(starts, ends, strict=True)])
        numbers, counts = np.unique(texts, return_counts=True)
        shares = counts / self.sizes[numbers]
        if max(len(shared) / len(own), float(shares.max())) <= self.threshold:
            return None
        worst = int(np.argmax(shares))
        return (
            f"{len(shared)} of {len(own)} {self.ngram}-grams stand in evaluation texts; "
            f"{self.names[numbers[worst]]} has {counts[worst]} of its {self.sizes[numbers[worst]]}"
        )
