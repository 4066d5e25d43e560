"""Schedules against closed formulas."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seedbed.core.errors import InputError
from seedbed.optim import schedules

GRID = [i / 200 for i in range(201)]


@pytest.mark.parametrize("name", schedules.names())
def test_every_schedule_is_finite_pure_and_has_defaults(name: str) -> None:
    schedule = schedules.create(name)
    values = [schedule(t) for t in GRID]
    assert all(math.isfinite(value) and 0 <= value <= 1 for value in values)
    assert values == [schedules.create(name)(t) for t in GRID]


def test_constant() -> None:
    schedule = schedules.create("constant", value=0.3, warmup=0.5)
    assert [schedule(t) for t in (0.0, 0.25, 0.5, 1.0)] == pytest.approx([0.0, 0.15, 0.3, 0.3])


@given(st.floats(0, 1), st.floats(0, 1), st.floats(0, 1), st.floats(0, 0.9))
def test_linear(t: float, start: float, end: float, warmup: float) -> None:
    value = schedules.create("linear", start=start, end=end, warmup=warmup)(t)
    if t < warmup:
        assert value == pytest.approx(start * t / warmup)
    else:
        u = (t - warmup) / (1 - warmup)
        assert value == pytest.approx((1 - u) * start + u * end, abs=1e-12)


def test_linear_as_a_masking_rate() -> None:
    rate = schedules.create("linear", start=0.3, end=0.15)
    assert [rate(t) for t in (0.0, 0.5, 1.0)] == pytest.approx([0.3, 0.225, 0.15])


def test_cosine_agrees_with_torch() -> None:
    import torch

    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1.0)
    theirs = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=100, eta_min=0.1)
    ours = schedules.create("cosine", warmup=0.0, end=0.1)
    for step in range(101):
        assert ours(step / 100) == pytest.approx(theirs.get_last_lr()[0], abs=1e-9)
        optimizer.step()
        theirs.step()


@pytest.mark.parametrize(("shape", "halfway"), [("linear", 0.5), ("sqrt", 1 - math.sqrt(0.5)), ("cosine", 0.5)])
def test_wsd(shape: str, halfway: float) -> None:
    schedule = schedules.create("wsd", warmup=0.1, decay=0.2, shape=shape, end=0.0)
    assert [schedule(t) for t in (0.0, 0.05, 0.1, 0.5, 0.8)] == pytest.approx([0.0, 0.5, 1.0, 1.0, 1.0])
    assert schedule(0.9) == pytest.approx(halfway)
    assert schedule(1.0) == pytest.approx(0.0)
    assert schedules.create("wsd", shape=shape, end=0.25)(1.0) == pytest.approx(0.25)
    falling = [schedule(t) for t in GRID if t >= 0.8]
    assert falling == sorted(falling, reverse=True)


def test_wsd_without_warmup_or_decay_is_constant() -> None:
    assert {schedules.create("wsd", warmup=0, decay=0)(t) for t in GRID} == {1.0}


@pytest.mark.parametrize(
    ("name", "given", "key"),
    [
        ("wsd", {"warmup": 0.9, "decay": 0.2}, "decay"),
        ("wsd", {"shape": "round"}, "wsd.shape"),
        ("linear", {"warmup": 2}, "warmup"),
        ("cosine", {"end": -1}, "end"),
        ("constant", {"valeu": 1}, "constant.valeu"),
    ],
)
def test_bad_parameters_are_named(name: str, given: dict, key: str) -> None:
    with pytest.raises(InputError) as caught:
        schedules.create(name, **given)
    assert caught.value.key == key


def test_infinite_has_four_phases() -> None:
    schedule = schedules.create("infinite", warmup=0.1, cooldown=0.4, constant=0.25, anneal=0.2, end=0.01)
    assert [schedule(t) for t in (0.0, 0.05, 0.1)] == pytest.approx([0.0, 0.5, 1.0])
    assert [schedule(t) for t in (0.2, 0.3, 0.5)] == pytest.approx([0.25 + 0.75 * (2 + 2**0.5) / 4, 0.625, 0.25])
    assert [schedule(t) for t in (0.6, 0.8, 0.9, 1.0)] == pytest.approx([0.25, 0.25, 0.05, 0.01])
    going_on = schedules.create("infinite", warmup=0, cooldown=0, constant=0.25, anneal=0)
    assert {going_on(t) for t in GRID} == {0.25}
    for bad in ({"end": 0}, {"constant": 0.2, "end": 0.3}, {"warmup": 0.5, "cooldown": 0.4, "anneal": 0.2}):
        with pytest.raises(InputError):
            schedules.create("infinite", **bad)
