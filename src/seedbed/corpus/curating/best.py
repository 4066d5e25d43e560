"""The documents that rank highest, or lowest, by a column."""

from __future__ import annotations

import math
from fractions import Fraction
from typing import TYPE_CHECKING, Literal

import numpy as np

from seedbed.core.counters import key
from seedbed.core.errors import InputError
from seedbed.corpus import curation
from seedbed.corpus.expressions import column

if TYPE_CHECKING:
    from daft import DataFrame, Series


@curation.register("best", papers=["010", "294", "295"], version=2)
class Best:
    """Keeps the share of the documents that ranks highest by the column `by` (a score, or words, chars, bytes or lines
    of the text), or as few of them as reach a number of `documents` or of `bytes`; exactly one is given.

    With `keep: lowest` the lowest stay: for perplexity or toxicity, where less is better, and for the inverse of a
    filter (Longpre et al., 2023), which keeps just what the filter drops: the inverse of `share: 0.8` is `share: 0.2`,
    `keep: lowest`. With `per` the measure holds for every value of another column alone, so that each language or
    domain keeps its own best (MuRating's balanced selection). Of documents with the same value those with the
    smaller hash of id and `seed` rank first, and from the low end those with the larger: a smaller selection is a part
    of a larger one, and a filter and its inverse have no document in common.

    A share is one of the documents that have a value, rounded; one without a value is dropped. `bytes` (of
    UTF-8 text) are exceeded by a part of one document at most. Memory: 32 bytes a document.
    """

    def __init__(
        self,
        by: str,
        share: float | None = None,
        documents: int | None = None,
        bytes: int | None = None,
        per: str | None = None,
        keep: Literal["highest", "lowest"] = "highest",
        seed: int = 0,
    ) -> None:
        measures = {"share": share, "documents": documents, "bytes": bytes}
        given = [(name, value) for name, value in measures.items() if value is not None]
        if len(given) != 1:
            raise InputError("", "wants exactly one measure", value=dict(given), allowed=list(measures))
        ((self._measure, self._amount),) = given
        if self._amount <= 0 or (share is not None and share > 1):
            bound = "is above 0" + " and at most 1" * (share is not None)
            raise InputError(self._measure, bound, value=self._amount)
        self.by, self.per, self.keep, self.seed = by, per, keep, seed

    def __call__(self, frame: DataFrame, /) -> DataFrame:
        from seedbed.corpus.engine import daft

        value = column(self.by, frame, key="by")
        kind = frame.select(value).schema()[self.by].dtype
        if not kind.is_numeric():
            raise InputError("by", f"is a column of {kind}, not of numbers", value=self.by)
        group = daft.lit("") if self.per is None else column(self.per, frame, key="per")
        group = group.cast(daft.DataType.string()).fill_null("")
        frame = frame.with_columns({"_value": value.cast(daft.DataType.float64()), "_group": group})
        last = self._last(frame)
        suffix = f" {self.keep} by {self.by} ({self._measure}: {self._amount})"

        @daft.func.batch(return_dtype=daft.DataType.string(), use_process=False)  # type: ignore[untyped-decorator]
        def verdict(ids: Series, values: Series, groups: Series) -> list[str | None]:
            reasons: list[str | None] = []
            for id, value, group in zip(ids.to_pylist(), values.to_pylist(), groups.to_pylist(), strict=True):
                if value is None or math.isnan(value):
                    reasons.append(f"{self.by}: no value")
                elif (self._sign * value, self._number(id)) <= last[group]:
                    reasons.append(None)
                else:
                    name = f" of {self.per} '{group}'" if self.per else ""
                    reasons.append(f"{self.by}: {value:.6g}, not among the{suffix}{name}")
            return reasons

        return frame.with_column("reason", verdict(daft.col("id"), daft.col("_value"), daft.col("_group")))

    @property
    def _sign(self) -> int:
        return -1 if self.keep == "highest" else 1

    def _number(self, id: str) -> int:
        number = key(self.seed, "best", id)
        return number if self.keep == "highest" else ~number & (1 << 64) - 1

    def _last(self, frame: DataFrame) -> dict[str, tuple[float, int]]:
        """Of every group the rank (value, number) of the last document that stays."""
        from seedbed.corpus.engine import daft, functions

        size = functions.length_bytes(daft.col("text")).alias("_bytes")
        chosen = frame.select("id", "_value", "_group", size)
        codes: dict[str, int] = {}
        parts: list[tuple[np.ndarray, ...]] = []
        for batch in chosen.to_arrow_iter():
            value = np.asarray(batch.column("_value").to_pylist(), np.float64)
            number = np.array([self._number(id) for id in batch.column("id").to_pylist()], np.uint64)
            codes_here = [codes.setdefault(name, len(codes)) for name in batch.column("_group").to_pylist()]
            is_there = ~np.isnan(value)
            sizes = np.asarray(batch.column("_bytes")).astype(np.int64)
            columns = self._sign * value, number, np.array(codes_here, np.int64), sizes
            parts.append(tuple(column[is_there] for column in columns))
        if not parts:
            return {}
        value, number, group, sizes = (np.concatenate(column) for column in zip(*parts, strict=True))
        order = np.lexsort((number, value, group))
        last = {}
        for name, code in codes.items():
            own = order[slice(*np.searchsorted(group[order], [code, code + 1]))]
            stays = self._num_kept(sizes[own])
            place = own[stays - 1] if stays else None
            last[name] = (-np.inf, 0) if place is None else (float(value[place]), int(number[place]))
        return last

    def _num_kept(self, sizes: np.ndarray) -> int:
        """How many of the documents of these sizes, best first."""
        if self._measure == "share":
            share = Fraction(str(self._amount))  # as it was written, for 1 - 0.9 is not quite 0.1
            if self.keep == "lowest":  # just what the other side leaves, however that is rounded
                return len(sizes) - round((1 - share) * len(sizes))
            return round(share * len(sizes))
        if self._measure == "documents":
            return min(int(self._amount), len(sizes))
        return min(int(np.searchsorted(np.cumsum(sizes), self._amount)) + 1, len(sizes))
