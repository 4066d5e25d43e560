"""Spaces: every point, once; ranges, lists, and how far points are apart."""

from __future__ import annotations

import functools
import itertools

import numpy as np
import pytest

from seedbed.core.errors import InputError
from seedbed.search.space import Space

LAYERS = {"one of": [None, {"bigs": {"gating": {"one of": [True, False]}}}, {"pattention": {"tokens": 4}}]}


def test_all_points_once_those_below_each_choice_too() -> None:
    space = Space({"m.layers": {"between": [1, 2]}, "m.mixer": {"list of": LAYERS, "length": "m.layers"}})
    kinds = [None, {"bigs": {"gating": True}}, {"bigs": {"gating": False}}, {"pattention": {"tokens": 4}}]
    wanted = [
        {"m.layers": size, "m.mixer": list(mixers)}
        for size in (1, 2)
        for mixers in itertools.product(kinds, repeat=size)
    ]
    points = list(space.points())
    assert [point.values for point in points] == wanted
    assert len({point.key for point in points}) == len(wanted) == 20
    assert [decision.name for decision, _ in points[5].decisions] == [
        "m.layers",
        "m.mixer[0]",
        "m.mixer[1]",
        "m.mixer[1].bigs.gating",
    ]


def test_ranges() -> None:
    def values(value: object) -> list[object]:
        return [point.values["x"] for point in Space({"x": value}).points()]

    assert values({"between": [2, 5]}) == [2, 3, 4, 5]
    assert values({"between": [8, 64], "scale": "log", "steps": 4}) == [8, 16, 32, 64]
    assert values({"between": [0.0, 1.0], "steps": 5}) == [0, 0.25, 0.5, 0.75, 1]
    rates = values({"between": [1e-4, 1e-2], "scale": "log"})
    assert len(rates) == 17 and rates[8] == 1e-3
    assert values([1, 2]) == values({"one of": [1, 2]})
    assert values("plain") == ["plain"]


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ({"between": [3, 1]}, "pair of numbers"),
        ({"between": [0, 1], "scale": "log"}, "above 0"),
        ({"between": [1, 2], "step": 2}, "unknown key 'step'"),
        ({"one of": []}, "list of options"),
        ({"list of": [1], "length": "elsewhere"}, "unknown entry above"),
        ({"list of": [1], "length": 0.5}, "whole number"),
    ],
)
def test_what_is_no_space_is_said(value: object, message: str) -> None:
    with pytest.raises(InputError, match=message):
        Space({"x": value})


def test_a_sample_holds_each_point_once() -> None:
    space = Space({"a": list(range(10)), "b": list(range(10)), "c": list(range(10))})
    random = np.random.default_rng(0)
    drawn = space.some(50, random)
    assert len({point.key for point in drawn}) == 50
    assert len(space.some(1000, random)) == 1000


def test_lists_are_as_far_apart_as_turning_one_into_the_other_costs() -> None:
    space = Space({"n": {"between": [1, 3]}, "mixer": {"list of": LAYERS, "length": "n"}, "w": [16, 32, 64]})
    points = list(space.points())

    def apart(one: object, other: object) -> float:
        if one == other:
            return 0.0
        return 1.0  # also a gate or none, which is all that two of a kind can differ in

    def edits(first: tuple[object, ...], second: tuple[object, ...]) -> float:
        @functools.cache
        def cost(i: int, j: int) -> float:
            if not i or not j:
                return i + j
            instead = cost(i - 1, j - 1) + apart(first[i - 1], second[j - 1])
            return min(cost(i - 1, j) + 1, cost(i, j - 1) + 1, instead)

        return cost(len(first), len(second))

    random = np.random.default_rng(1)
    for _ in range(60):
        one, other = (points[place] for place in random.integers(len(points), size=2))
        a, b = one.values["mixer"], other.values["mixer"]
        expected = edits(tuple(map(str, a)), tuple(map(str, b))) / max(len(a), len(b))
        expected += abs(one.values["n"] - other.values["n"]) / 2
        expected += abs([16, 32, 64].index(one.values["w"]) - [16, 32, 64].index(other.values["w"])) / 2
        assert space.distance(one, other) == pytest.approx(expected)
        assert space.distance(other, one) == space.distance(one, other)
