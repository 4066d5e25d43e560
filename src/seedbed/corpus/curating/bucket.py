"""Groups of documents by an attribute."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

import numpy as np

from seedbed.core.errors import InputError
from seedbed.corpus import curation
from seedbed.corpus.expressions import check_new, column

if TYPE_CHECKING:
    from daft import DataFrame, Expression, Series


@curation.register("bucket", papers=["330"])
class Bucket:
    """Sets the column `into` to the bucket that each document's attribute falls into, such as `quality 2 of 4`; drops
    nothing. Attribute buckets (Parmar et al., 2024) are what `best` selects from (`per: bucket`), what `keep` takes
    apart into corpora that are mixed by weight, and with `into: domain` what counts and scores go by.

    `by` is a column of numbers (a score, or words, chars, bytes or lines of the text). `quantiles` makes that many
    buckets of equal numbers of documents: a value belongs to bucket i of Q if it is not below the value of rank
    floor((i - 1) N / Q); equal values are in the same. `bounds`, ascending, makes one more bucket than bounds; a bound
    belongs to the bucket above it. Exactly one is given. A document without a value is in the bucket `BY unknown`.
    Memory: 8 bytes a document for quantiles, none for bounds.
    """

    def __init__(
        self, by: str, quantiles: int | None = None, bounds: list[float] | None = None, into: str = "bucket"
    ) -> None:
        if (quantiles is None) == (bounds is None):
            raise InputError("", "wants either quantiles or bounds", value={"quantiles": quantiles, "bounds": bounds})
        if quantiles is not None and quantiles < 2:
            raise InputError("quantiles", "must be at least 2", value=quantiles)
        if bounds is not None and (not bounds or any(a >= b for a, b in itertools.pairwise(bounds))):
            raise InputError("bounds", "are ascending numbers, at least one", value=bounds)
        check_new(into, key="into", allowed=["domain"])
        if into == by:
            raise InputError("into", "is the column of the values themselves", value=into)
        self.by, self.quantiles, self.bounds, self.into = by, quantiles, bounds, into

    def __call__(self, frame: DataFrame, /) -> DataFrame:
        from seedbed.corpus.engine import daft

        value = column(self.by, frame, key="by")
        kind = frame.select(value).schema()[self.by].dtype
        if not kind.is_numeric():
            raise InputError("by", f"is a column of {kind}, not of numbers", value=self.by)
        bounds = np.array(self.bounds) if self.bounds is not None else self._bounds(frame, value)
        names = [f"{self.by} {number} of {len(bounds) + 1}" for number in range(1, len(bounds) + 2)]

        @daft.func.batch(return_dtype=daft.DataType.string(), use_process=False)  # type: ignore[untyped-decorator]
        def bucket(values: Series) -> list[str]:
            numbers = np.array(values.to_pylist(), np.float64)
            places = np.searchsorted(bounds, numbers, side="right").tolist()
            unknown = np.isnan(numbers).tolist()
            return [f"{self.by} unknown" if u else names[p] for p, u in zip(places, unknown, strict=True)]

        return frame.with_column(self.into, bucket(value))

    def _bounds(self, frame: DataFrame, value: Expression) -> np.ndarray:
        found = [np.asarray(batch.column("_value").to_pylist(), np.float64)
                 for batch in frame.select(value.alias("_value")).to_arrow_iter()]  # fmt: skip
        values = np.concatenate([np.empty(0), *found])
        values = np.sort(values[~np.isnan(values)])
        assert self.quantiles is not None
        ranks = [number * len(values) // self.quantiles for number in range(1, self.quantiles)]
        return values[ranks] if len(values) else np.empty(0)
