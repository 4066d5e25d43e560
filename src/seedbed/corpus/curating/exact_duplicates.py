"""Texts that are the same."""

from __future__ import annotations

from typing import TYPE_CHECKING

from seedbed.corpus import curation
from seedbed.corpus.artifact import Corpus

if TYPE_CHECKING:
    from daft import DataFrame


@curation.register("exact_duplicates", papers=["311", "326"])
class ExactDuplicates:
    """Of documents with the same text the one with the smallest id stays.

    Texts are the same if 128 bits of their hashes are, after white space was made uniform and, with `ignore_case`,
    upper case lower. The reason names the document that stays. With `against`, a finished corpus, documents whose text
    it has in any split go too. Memory: 16 bytes and the id of each document.
    """

    def __init__(self, ignore_case: bool = False, ignore_space: bool = True, against: Corpus | None = None) -> None:
        self.ignore_case, self.ignore_space, self.against = ignore_case, ignore_space, against

    def __call__(self, frame: DataFrame, /) -> DataFrame:
        from seedbed.corpus.engine import daft
        from seedbed.corpus.tagging import with_reasons

        keys = self._keys(frame)
        reasons: dict[str, str] = {}
        first = self._first(keys)
        sources = [(first.where(daft.col("count") > 1), "")]
        if self.against:
            old = self._first(self._keys(self.against.all_documents(["id", "text"])))
            sources.append((old, f" of {self.against.path.name}"))
        for known, corpus in sources:
            found = keys.join(known, on=["low", "high"]).select("id", "first")
            if not corpus:
                found = found.where(daft.col("id") != daft.col("first"))
            for id, other in zip(*found.to_pydict().values(), strict=True):
                reasons[id] = f"same text as {other}{corpus}"
        return with_reasons(frame, list(reasons), list(reasons.values()))

    def _keys(self, frame: DataFrame) -> DataFrame:
        """Only ids and hashes go through the grouping, which holds all of its input."""
        from seedbed.corpus.engine import daft, functions

        text = functions.normalize(daft.col("text"), lowercase=self.ignore_case, white_space=self.ignore_space)
        return frame.select("id", functions.hash(text, seed=0).alias("low"), functions.hash(text, seed=1).alias("high"))

    def _first(self, keys: DataFrame) -> DataFrame:
        from seedbed.corpus.engine import daft, functions

        col = daft.col
        return keys.groupby("low", "high").agg(
            functions.min(col("id")).alias("first"), functions.count(col("id")).alias("count")
        )
