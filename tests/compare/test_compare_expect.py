"""Expectations and the rule of the verdict."""

import pytest

from seedbed.compare.expect import parse_expectation, verdict
from seedbed.core.errors import InputError
from seedbed.evaluate.statistics import Interval

ARMS, METRICS = ["low", "high-rate", "c3"], ["score", "cost"]


def statement(text):
    return parse_expectation(text, ARMS, METRICS)[0]


def interval(low, high):
    return Interval((low + high) / 2, low, high, "given", 3)


def test_sides_have_factors_metrics_and_terms():
    first, second = parse_expectation("2 * low.cost - 0.5 > high-rate.cost and c3 ~ low within 1e-2", ARMS, METRICS)
    values = {"low": {"cost": [1.0, 2.0], "score": [5.0, 6.0]}, "high-rate": {"cost": [1.0, 3.5]}}
    assert first.left.values(values) == [1.5, 3.5] and first.right.values(values) == [1.0, 3.5]
    assert first.difference(values).mean == pytest.approx(0.25)
    assert (first.relation, second.relation, second.margin, second.left.metric) == (">", "~", 0.01, "score")


@pytest.mark.parametrize(
    ("text", "low", "high", "outcome"),
    [
        ("low < c3", -2, -1, "holds"),
        ("low < c3", -1, 1, "open"),
        ("low < c3", 1, 2, "fails"),
        ("low < c3", -1, 0, "open"),
        ("low > c3", 1, 2, "holds"),
        ("low > c3", -2, -1, "fails"),
        ("low ~ c3 within 1", -0.5, 0.9, "holds"),
        ("low ~ c3 within 1", 0.5, 1.5, "open"),
        ("low ~ c3 within 1", -3, -1.5, "fails"),
        ("low < c3", float("nan"), float("nan"), "open"),
    ],
)
def test_a_statement_is_judged_by_its_interval(text, low, high, outcome):
    assert statement(text).outcome(interval(low, high)) == outcome


def test_the_verdict_needs_all_statements():
    assert verdict(["holds", "holds"]) == "reproduced"
    assert verdict(["holds", "open"]) == "not resolved"
    assert verdict(["holds", "open", "fails"]) == "contradicted"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("low < hihg-rate", "did you mean 'high-rate'"),
        ("low.scor < c3", "did you mean 'score'"),
        ("low", "no comparison"),
        ("low < c3 within 1", "only `~` does"),
        ("low ~ c3", "only `~` does"),
        ("low ~ c3 within 0", "positive"),
        ("low + c3 < c3", "is no arm"),
    ],
)
def test_mistakes_are_named(text, words):
    with pytest.raises(InputError, match=words):
        statement(text)
