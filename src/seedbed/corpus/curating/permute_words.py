"""Noise of a known degree: words in the wrong order."""

from __future__ import annotations

from typing import TYPE_CHECKING

from seedbed.core.errors import InputError
from seedbed.corpus import curation

if TYPE_CHECKING:
    from daft import DataFrame, Series


@curation.register("permute_words", papers=["295"])
class PermuteWords:
    """Puts a share of the words of each document into another order among themselves: data of graded quality, the
    control of Nait Saada et al. (2025) for filters that are said to raise it. Drops nothing.

    Words are parted by white space, which stays. Which words move depends on the text and `seed` alone, and those that
    a smaller `share` moves are among those that a larger one does. The paper permutes tokens of its vocabulary.
    """

    def __init__(self, share: float, seed: int = 0) -> None:
        if not 0 <= share <= 1:
            raise InputError("share", "lies between 0 and 1", value=share)
        self.share, self.seed = share, seed

    def __call__(self, frame: DataFrame, /) -> DataFrame:
        from seedbed.corpus.engine import daft
        from seedbed.corpus.learned.control import permuted

        @daft.func.batch(return_dtype=daft.DataType.string(), use_process=False)  # type: ignore[untyped-decorator]
        def noisy(texts: Series) -> list[str]:
            return [permuted(text, self.share, self.seed) for text in texts.to_pylist()]

        return frame.with_column("text", noisy(daft.col("text")))
