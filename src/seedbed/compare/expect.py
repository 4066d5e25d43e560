"""What a comparison expects of its arms, as text: `wechsel < random`, `a.forgetting < 0.9 * b.forgetting and a < c`,
`small ~ large within 0.01`.

A side is an arm's name, with `.metric` where it is not the first one, a factor before it and a term added after it.
Each statement is judged by the interval of `left - right`, paired by seed; see `RULE`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from seedbed.core.errors import InputError, unknown_key
from seedbed.evaluate.statistics import Interval, paired_difference

Outcome = Literal["holds", "fails", "open"]
Verdict = Literal["reproduced", "contradicted", "not resolved"]
Values = Mapping[str, Mapping[str, Sequence[float]]]  # arm -> metric -> a value for each seed

RULE = (
    "Each statement is judged by the 95% interval (Student's t over the seeds) of the difference between its two"
    " sides, paired by seed. `<` and `>` hold if the interval lies wholly on the claimed side of zero and fail if it"
    " lies wholly on the other; `~ within m` holds if it lies wholly inside (-m, m) and fails if it lies wholly"
    " outside; anything else is open. The claim is reproduced if all statements hold, contradicted if one fails, and"
    " not resolved otherwise."
)

_NUMBER = r"[-+]?\d+(?:\.\d*)?(?:[eE][-+]?\d+)?"
_SIDE = re.compile(
    rf"\s*(?:(?P<factor>{_NUMBER})\s*\*\s*)?(?P<arm>[A-Za-z][\w-]*)(?:\.(?P<metric>[A-Za-z]\w*))?"
    rf"(?:\s*(?P<sign>[+-])\s*(?P<term>\d+(?:\.\d*)?(?:[eE][-+]?\d+)?))?\s*"
)
_STATEMENT = re.compile(
    rf"(?P<left>[^<>~]+)(?P<relation>[<>~])(?P<right>[^<>~]+?)(?:\s+within\s+(?P<margin>{_NUMBER}))?"
)
_EXAMPLE = "one < 0.9 * other and one.metric > other.metric - 0.1, or: one ~ other within 0.01"


@dataclass(frozen=True)
class Side:
    """factor * (an arm's metric) + term."""

    arm: str
    metric: str
    factor: float = 1.0
    term: float = 0.0

    def values(self, values: Values) -> list[float]:
        return [self.factor * value + self.term for value in values[self.arm][self.metric]]


@dataclass(frozen=True)
class Statement:
    """One comparison of two sides."""

    text: str
    left: Side
    relation: Literal["<", ">", "~"]
    right: Side
    margin: float = 0.0

    def difference(self, values: Values) -> Interval:
        return paired_difference(self.left.values(values), self.right.values(values))

    def outcome(self, difference: Interval) -> Outcome:
        """`RULE` for one statement; an interval without ends (a single seed) leaves it open."""
        low, high = difference.low, difference.high
        if not low <= high:
            return "open"
        if self.relation == "~":
            inside, outside = -self.margin < low and high < self.margin, low > self.margin or high < -self.margin
            return "holds" if inside else "fails" if outside else "open"
        if self.relation == ">":
            low, high = -high, -low
        return "holds" if high < 0 else "fails" if low > 0 else "open"


def verdict(outcomes: Iterable[Outcome]) -> Verdict:
    """`RULE` for all statements together."""
    found = list(outcomes)
    assert found
    if "fails" in found:
        return "contradicted"
    return "reproduced" if set(found) == {"holds"} else "not resolved"


def parse_expectation(text: str, arms: Iterable[str], metrics: Sequence[str]) -> list[Statement]:
    """The statements of an expectation. Raises InputError for what cannot be read or names no arm or metric."""
    return [_statement(part.strip(), list(arms), metrics) for part in re.split(r"\band\b", text)]


def _statement(text: str, arms: list[str], metrics: Sequence[str]) -> Statement:
    match = _STATEMENT.fullmatch(text)
    if match is None:
        raise InputError("expect", "is no comparison of two arms", value=text, allowed=_EXAMPLE)
    relation = match["relation"]
    if (relation == "~") != (match["margin"] is not None):
        raise InputError("expect", "`~` needs `within MARGIN`, and only `~` does", value=text, allowed=_EXAMPLE)
    if match["margin"] is not None and float(match["margin"]) <= 0:
        raise InputError("expect", "a margin is positive", value=text)
    sides = [_side(match[name], text, arms, metrics) for name in ("left", "right")]
    return Statement(text, sides[0], relation, sides[1], float(match["margin"] or 0))  # type: ignore[arg-type]


def _side(text: str, whole: str, arms: list[str], metrics: Sequence[str]) -> Side:
    match = _SIDE.fullmatch(text)
    if match is None:
        raise InputError("expect", f"'{text.strip()}' is no arm", value=whole, allowed=_EXAMPLE)
    if match["arm"] not in arms:
        raise unknown_key("expect", match["arm"], arms, "arm")
    metric = match["metric"] or metrics[0]
    if metric not in metrics:
        raise unknown_key("expect", metric, metrics, "metric")
    term = float(match["term"] or 0) * (-1 if match["sign"] == "-" else 1)
    return Side(match["arm"], metric, float(match["factor"] or 1), term)
