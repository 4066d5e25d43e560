"""Rule sets: numbers about texts as columns, bounds on them, and reasons that name the rules that failed."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

import numpy as np

from .characters import Texts, chunks

if TYPE_CHECKING:
    from daft import DataFrame, Series

_FAILS: dict[str, Callable[[np.ndarray, float], np.ndarray]] = {
    "<": np.less,
    "<=": np.less_equal,
    ">": np.greater,
    ">=": np.greater_equal,
}


@dataclass(frozen=True)
class Rule:
    """A document fails if its value stands so to the bound. A null fails nothing; nor does a rule without a bound."""

    column: str
    fails: Literal["<", "<=", ">", ">="] = "<"
    bound: float | None = None

    def failing(self, values: np.ndarray) -> np.ndarray:
        if self.bound is None:
            return np.zeros(len(values), bool)
        return _FAILS[self.fails](values, self.bound)  # not a number compares as false


@dataclass(frozen=True)
class Measured:
    """What a rule set says of some texts: columns, each of floats (NaN: there is none) or integers; and, if it takes
    something out of them, the texts without it and the edits (see `tagging.edits_json`)."""

    columns: Mapping[str, np.ndarray]
    texts: Sequence[str] | None = None
    edits: Sequence[str | None] = field(default_factory=list)


def tag(
    frame: DataFrame, rules: Sequence[Rule], measure: Callable[[Texts], Measured], *, drop: bool, edits: bool = False
) -> DataFrame:
    """The frame with the rules' columns, and with `drop` a reason for the documents that fail one.

    `measure` gets a few texts at a time, joined; with `edits` it gives texts and edits too.
    """
    import pyarrow as pa

    from seedbed.corpus.engine import daft

    string, names = daft.DataType.string(), list(dict.fromkeys(rule.column for rule in rules))
    fields = {name: daft.DataType.float64() for name in names} | {"reason": string}
    if edits:
        fields |= {"text": string, "edits": string}

    @daft.func.batch(return_dtype=daft.DataType.struct(fields), use_process=False)  # type: ignore[untyped-decorator]
    def tags(texts: Series) -> pa.StructArray:
        parts = [_rows(chunk.texts, measure(chunk), rules, names, drop, edits) for chunk in chunks(texts.to_pylist())]
        kinds = [pa.float64()] * len(names) + [pa.large_string()] * (len(fields) - len(names))
        columns = [pa.concat_arrays([pa.array([], kind), *(part[i] for part in parts)]) for i, kind in enumerate(kinds)]
        return pa.StructArray.from_arrays(columns, names=list(fields))

    frame = frame.with_column("_tags", tags(daft.col("text")))
    return frame.with_columns({name: daft.col("_tags").get(name) for name in fields})


def bounded(column: str, least: float | None, most: float | None) -> list[Rule]:
    """The rules that a value is not below and not above a bound; the column stands there without a bound too."""
    rules = [Rule(column, "<", least)] if least is not None else []
    rules += [Rule(column, ">", most)] if most is not None else []
    return rules or [Rule(column)]


def share(part: np.ndarray, whole: np.ndarray) -> np.ndarray:
    """`part / whole`, NaN where there is no whole."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(whole > 0, part / whole, np.nan)


def _rows(
    texts: Sequence[str], found: Measured, rules: Sequence[Rule], names: Sequence[str], drop: bool, edits: bool
) -> list[object]:
    """The columns of some texts, as Arrow arrays."""
    import pyarrow as pa

    values = {name: np.asarray(found.columns[name], np.float64) for name in names}
    columns = [pa.array(values[name], mask=np.isnan(values[name])) for name in names]
    reasons = _reasons(values, rules) if drop else [None] * len(values[names[0]])
    columns.append(pa.array(reasons, pa.large_string()))
    if edits:
        # A text that goes as a whole goes as it came.
        assert found.texts is not None
        whole = [before if reason else after for before, after, reason in zip(texts, found.texts, reasons, strict=True)]
        told = [None if reason else edit for edit, reason in zip(found.edits, reasons, strict=True)]
        columns += [pa.array(whole, pa.large_string()), pa.array(told, pa.large_string())]
    return columns


def _reasons(values: Mapping[str, np.ndarray], rules: Sequence[Rule]) -> list[str | None]:
    """The rules that each text fails, with its values: `gopher_words 12 < 50; ...`."""
    reasons: list[str | None] = [None] * len(next(iter(values.values())))
    for rule in rules:
        column = values[rule.column]
        for row in np.flatnonzero(rule.failing(column)).tolist():
            text = f"{rule.column} {column[row]:.4g} {rule.fails} {rule.bound:g}"
            reasons[row] = text if reasons[row] is None else f"{reasons[row]}; {text}"
    return reasons
