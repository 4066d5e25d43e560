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

        col = daft.col
        text = functions.normalize(col("text"), lowercase=self.ignore_case, white_space=self.ignore_space)
        keyed = frame.with_column("_low", functions.hash(text, seed=0)).with_column(
            "_high", functions.hash(text, seed=1)
        )
        groups = keyed.groupby("_low", "_high").agg(
            functions.min(col("id")).alias("_first"), functions.count(col("id")).alias("_count")
        )
        tagged = keyed.join(groups.where(col("_count") > 1), on=["_low", "_high"], how="left")
        is_kept = col("_first").is_null() | (col("_first") == col("id"))
        reason = functions.when(is_kept, daft.lit(None)).otherwise(daft.lit("same text as ") + col("_first"))
        return tagged.with_column("reason", reason).exclude("_low", "_high", "_first", "_count")
