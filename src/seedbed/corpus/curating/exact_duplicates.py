"""Texts that are the same."""

from __future__ import annotations

from typing import TYPE_CHECKING

from seedbed.corpus import curation

if TYPE_CHECKING:
    from daft import DataFrame


@curation.register("exact_duplicates")
class ExactDuplicates:
    """Of documents with the same text the one with the smallest id stays.

    Texts are the same if 128 bits of their hashes are, after white space was made uniform and, with `ignore_case`,
    upper case lower. The reason names the document that stays.
    """

    def __init__(self, ignore_case: bool = False, ignore_space: bool = True) -> None:
        self.ignore_case, self.ignore_space = ignore_case, ignore_space

    def __call__(self, frame: DataFrame, /) -> DataFrame:
        from seedbed.corpus.engine import daft, functions
        from seedbed.corpus.tagging import with_reasons

        col = daft.col
        text = functions.normalize(col("text"), lowercase=self.ignore_case, white_space=self.ignore_space)
        # Only ids and hashes go through the grouping, which holds all of its input.
        keys = frame.select("id", functions.hash(text, seed=0).alias("low"), functions.hash(text, seed=1).alias("high"))
        groups = keys.groupby("low", "high").agg(
            functions.min(col("id")).alias("first"), functions.count(col("id")).alias("count")
        )
        repeated = keys.join(groups.where(col("count") > 1), on=["low", "high"]).where(col("id") != col("first"))
        found = repeated.select("id", "first").to_arrow()
        reasons = [f"same text as {first}" for first in found["first"].to_pylist()]
        return with_reasons(frame, found["id"].to_pylist(), reasons)
