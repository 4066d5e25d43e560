"""Texts that are the same."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from seedbed.corpus import curation
from seedbed.corpus.artifact import Corpus

if TYPE_CHECKING:
    from daft import DataFrame


@curation.register("exact_duplicates", papers=["311", "326"])
class ExactDuplicates:
    """Of documents with the same text the one with the smallest id stays.

    Texts are the same if 128 bits of their hashes are, after white space was made uniform and, with `ignore_case`,
    upper case lower. The reason names the document that stays. With `against`, a finished corpus, documents whose text
    it has in any split go too. Memory: about 100 bytes for each document, and its id.
    """

    def __init__(self, ignore_case: bool = False, ignore_space: bool = True, against: Corpus | None = None) -> None:
        self.ignore_case, self.ignore_space, self.against = ignore_case, ignore_space, against

    def __call__(self, frame: DataFrame, /) -> DataFrame:
        from seedbed.corpus.scratch import streamed
        from seedbed.corpus.tagging import with_reasons
        from seedbed.corpus.text.arrival import Arrival

        # The documents of an older corpus get the first numbers, so that they stay.
        frames = [self.against.all_documents(["id", "text"])] if self.against else []
        arrival, keys = Arrival(), [np.empty((0, 2), np.uint64)]
        for each in [*frames, frame]:
            for batch in streamed(self._keys(each)):
                arrival.add(batch.column("id"))
                keys.append(np.stack([np.asarray(batch.column(name), np.uint64) for name in ("low", "high")], 1))
            arrival.end_frame()
        numbered = arrival.numbered()
        gone, kept = repeats(np.concatenate(keys)[numbered.arrival_N])
        is_new = gone >= numbered.num_old
        gone, kept = gone[is_new], kept[is_new]
        of = f" of {self.against.path.name}" if self.against else ""
        rows = zip(numbered.ids.take(kept).to_pylist(), kept < numbered.num_old, strict=True)
        reasons = [f"same text as {id}{of if old else ''}" for id, old in rows]
        return with_reasons(frame, numbered.ids.take(gone).to_pylist(), reasons)

    def _keys(self, frame: DataFrame) -> DataFrame:
        """Ids and hashes."""
        from seedbed.corpus.engine import daft, functions

        text = functions.normalize(daft.col("text"), lowercase=self.ignore_case, white_space=self.ignore_space)
        return frame.select("id", functions.hash(text, seed=0).alias("low"), functions.hash(text, seed=1).alias("high"))


def repeats(keys_N2: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The rows that stand earlier, and for each the first one that is the same."""
    order_N = np.lexsort(keys_N2.T)  # equal ones stay in their order
    ordered_N2 = keys_N2[order_N]
    again_N = np.zeros(len(order_N), np.bool_)
    again_N[1:] = (ordered_N2[1:] == ordered_N2[:-1]).all(1)
    first_N = np.maximum.accumulate(np.where(again_N, 0, np.arange(len(order_N))))
    return order_N[again_N], order_N[first_N[again_N]]
