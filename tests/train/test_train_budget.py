"""Amounts as people write them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seedbed.core.errors import InputError
from seedbed.train.budget import Budget, Every


@pytest.mark.parametrize(
    ("text", "amount", "unit"),
    [
        ("20M tokens", 20_000_000, "tokens"),
        ("1.5B tokens", 1_500_000_000, "tokens"),
        ("300k tokens", 300_000, "tokens"),
        ("1e6 tokens", 1_000_000, "tokens"),
        ("10,000 tokens", 10_000, "tokens"),
        ("500 steps", 500, "steps"),
        ("1 step", 1, "steps"),
        ("2 epochs", 2, "epochs"),
        ("0.5 epochs", 0.5, "epochs"),
        ("1 epoch", 1, "epochs"),
    ],
)
def test_budgets(text: str, amount: float, unit: str) -> None:
    assert Budget.parse(text) == Budget(amount, unit)


@pytest.mark.parametrize(
    "text", ["20M", "tokens", "-3 steps", "0 steps", "2.5 steps", "5 parsecs", "", "20M tokens!", 5, None]
)
def test_what_is_no_budget_says_what_is(text: object) -> None:
    with pytest.raises(InputError) as caught:
        Budget.parse(text)
    assert caught.value.allowed or "whole number" in caught.value.problem


@given(st.integers(1, 10**13), st.sampled_from(["tokens", "steps", "epochs"]))
def test_the_canonical_form_is_one_for_equal_budgets(amount: int, unit: str) -> None:
    budget = Budget(amount, unit)
    assert Budget.parse(budget.canonical()) == budget
    assert Budget.parse(f"{amount:_} {unit}").canonical() == budget.canonical()


def test_scales_agree() -> None:
    assert Budget.parse("20M tokens").canonical() == Budget.parse("20000k tokens").canonical() == "20000000 tokens"
    assert Budget.parse("0.3M tokens").canonical() == "300000 tokens"


def test_goals() -> None:
    assert Budget.parse("7 steps").goal(100) == (7, "steps")
    assert Budget.parse("7 tokens").goal(100) == (7, "tokens")
    assert Budget.parse("2.5 epochs").goal(101) == (253, "tokens")


def test_rhythms() -> None:
    every = Every.parse("3 steps")
    assert [step for step in range(1, 10) if every.due(step, 1e9)] == [3, 6, 9]
    assert Every.parse(3) == every
    minutes = Every.parse("0.5 minutes")
    assert minutes.due(1, 30.0) and not minutes.due(1, 29.0)
    assert not Every.parse("never").due(1, 1e9)
    assert [Every.parse(text).canonical() for text in ("never", "10 minutes", 500)] == [
        "never",
        "10 minutes",
        "500 steps",
    ]
    with pytest.raises(InputError):
        Every.parse("3 epochs")
    with pytest.raises(InputError):
        Every.parse(-3)
