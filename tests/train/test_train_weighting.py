"""Weights of sources by rule, against other ways to the same numbers."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from pretrain_world import World

from seedbed.core.errors import InputError
from seedbed.core.schema import canonical_value, check
from seedbed.train.budget import Budget
from seedbed.train.weighting import Weighting, unimax, weighed


class Tokens(SimpleNamespace):
    __hash__ = object.__hash__


def source(size: int) -> Any:
    return Tokens(facts={"splits": {"train": {"tokens": size}}})


def level(caps: list[float], budget: float) -> list[float]:
    """UniMax as water that fills vessels: all stand at one level, or are full. Found by bisection."""
    low, high = 0.0, max(caps)
    for _ in range(200):
        middle = (low + high) / 2
        low, high = (middle, high) if sum(min(cap, middle) for cap in caps) < budget else (low, middle)
    return [min(cap, high) for cap in caps]


def test_unimax_is_one_water_level() -> None:
    dice = np.random.default_rng(1)
    for _ in range(50):
        caps = dice.integers(1, 1000, size=dice.integers(1, 8)).astype(float)
        budget = float(sum(caps) * dice.uniform(0.05, 1))
        found = unimax(dict(enumerate(caps)), budget)
        assert [found[n] for n in range(len(caps))] == pytest.approx(level(caps.tolist(), budget))
        assert sum(found.values()) == pytest.approx(budget)
    assert unimax({"a": 10.0, "b": 20.0}, 100) == {"a": 10, "b": 20}


def test_a_source_is_not_repeated_more_than_it_may() -> None:
    small, middle, large = (source(size) for size in (100, 1000, 100_000))
    rule = Weighting("unimax", 4)
    data = {large: rule, small: rule, middle: rule}
    found = weighed(data, Budget(9400, "tokens"), 64)
    assert found == pytest.approx({small: 400, middle: 4000, large: 5000})
    assert weighed(data, Budget(100, "steps"), 94) == found
    assert weighed({small: 1.0, large: 2.0}, Budget(1, "epochs"), 64) == {small: 1.0, large: 2.0}
    even = weighed({small: Weighting("unimax", 1), large: Weighting("unimax", 1)}, Budget(20, "tokens"), 64)
    assert even == {small: 10, large: 10}
    assert weighed({small: rule, middle: rule}, Budget(1, "epochs"), 64) == {small: 400, middle: 700}


def test_alpha_is_a_power_of_the_size() -> None:
    small, large = source(100), source(10_000)
    for alpha, ratio in ((0.0, 1.0), (0.5, 10.0), (1.0, 100.0)):
        found = weighed({small: Weighting("alpha", alpha), large: Weighting("alpha", alpha)}, Budget(1, "steps"), 64)
        assert found[large] / found[small] == pytest.approx(ratio)


def test_what_stands_in_a_recipe() -> None:
    kind = dict[str, float | Weighting]
    given = {"a": 1, "b": {"alpha": 0.3}, "c": {"unimax": "4 epochs"}, "d": {"unimax": 2}}
    found = check(kind, given, "data")
    assert found == {"a": 1.0, "b": Weighting("alpha", 0.3), "c": Weighting("unimax", 4), "d": Weighting("unimax", 2)}
    assert canonical_value(found)["c"] == {"unimax": 4} and canonical_value(found)["a"] == 1.0
    assert check(kind, canonical_value(found), "data") == found


@pytest.mark.parametrize(
    "weight", ["much", {"beta": 1}, {"alpha": -1}, {"unimax": "4 tokens"}, {"unimax": 0}, [1]], ids=str
)
def test_what_is_no_weight(weight: Any) -> None:
    with pytest.raises(InputError, match=r"data"):
        check(dict[str, float | Weighting], {"a": weight}, "data")


def test_rules_cannot_be_mixed() -> None:
    with pytest.raises(InputError, match="in different ways"):
        weighed({source(1): 1.0, source(2): Weighting("alpha", 1)}, Budget(1, "steps"), 64)


def test_a_run_draws_by_the_rule(world: World) -> None:
    data = {world["news"]: {"unimax": "2 epochs"}, world["code"]: {"unimax": "2 epochs"}}
    counts = world.pretrain(data=data, budget="16k tokens").counts["data"]
    sizes = {name: counts[name]["tokens"] / counts[name]["epochs"] for name in counts}
    assert sizes["code"] < sizes["news"]
    wanted = unimax({name: 2 * size for name, size in sizes.items()}, 16_000)
    share = wanted["code"] / sum(wanted.values())
    assert counts["code"]["tokens"] / sum(row["tokens"] for row in counts.values()) == pytest.approx(share, abs=0.02)
    assert share < 0.45
