"""Schedules against closed formulas."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seedbed.core.errors import InputError
from seedbed.optim import Schedule, schedules

GRID = [i / 200 for i in range(201)]


@pytest.mark.parametrize("name", schedules.names())
def test_every_schedule_is_finite_pure_and_has_defaults(name: str) -> None:
    def made() -> Schedule:
        schedule = schedules.create(name)
        if hasattr(schedule, "bind"):
            schedule.bind(tokens=1e6, batch_tokens=1024, lr=1e-3)
        return schedule

    schedule = made()
    values = [schedule(t) for t in GRID]
    assert all(math.isfinite(value) and 0 <= value <= 1 for value in values)
    assert values == [made()(t) for t in GRID]


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
        ("power", {"a": 0}, "a"),
        ("power", {"b": 0.5}, "b"),
        ("power", {"warmup": 0.9, "decay": 0.2}, "decay"),
        ("phases", {"parts": ["50% to 1", "40%"]}, "parts"),
        ("phases", {"parts": ["50% to 1", "50 to 0"]}, "parts[1]"),
        ("phases", {"parts": ["100% to 1 round"]}, "parts[0]"),
        ("phases", {"parts": ["0% to 1", "100%"]}, "parts[0]"),
        ("phases", {"parts": ["100% to 1 exponential"]}, "parts[0]"),
        ("phases", {"cycles": 0}, "cycles"),
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


def test_power_is_the_published_rate() -> None:
    """Equations 7 and 8 in tokens, for the paper's own run: batch 1,024 rows of 4,096 tokens, 1 trillion tokens."""
    tokens, batch, lr_max = 1e12, 1024, 0.02
    schedule = schedules.create("power", warmup=0.001, decay=0.1, shape="linear")
    schedule.bind(tokens=tokens, batch_tokens=batch * 4096, lr=lr_max)

    def stable(n: float) -> float:
        return min(lr_max, batch * 4 * n**-0.51)

    assert lr_max * schedule(0.0005) == pytest.approx(0.5 * stable(1e9))
    for progress in (0.001, 0.01, 0.1, 0.5, 0.9):
        assert lr_max * schedule(progress) == pytest.approx(stable(progress * tokens))
    assert lr_max * schedule(0.95) == pytest.approx(0.5 * stable(0.9 * tokens))
    assert schedule(1.0) == pytest.approx(0.0)
    assert schedule(0.01) == 1.0 > schedule(0.1), "the limit holds at first"
    # section 3.2: for 10 trillion tokens and batch 1,024 equation 6 with the fitted 4.6 and -0.51 predicts 0.0011
    late = schedules.create("power", a=4.6, warmup=0.0, decay=0.0)
    late.bind(tokens=1e13, batch_tokens=batch * 4096, lr=lr_max)
    assert lr_max * late(1.0) == pytest.approx(0.0011, rel=0.02)


def test_power_knows_nothing_of_the_runs_length() -> None:
    """Runs of any length have the same rate after as many tokens, up to their decay, in proportion to the batch."""

    def rate(n: float, tokens: float, rows: int, lr: float = 1.0) -> float:
        schedule = schedules.create("power", a=0.5, warmup=1e6 / tokens, decay=0.1)
        schedule.bind(tokens=tokens, batch_tokens=rows * 4096, lr=lr)
        return lr * schedule(n / tokens)

    assert rate(5e6, 1e7, 1) == pytest.approx(rate(5e6, 8e7, 1)) == pytest.approx(0.5 * 5e6**-0.51)
    assert rate(5e6, 1e7, 2) == pytest.approx(2 * rate(5e6, 1e7, 1))
    assert rate(5e6, 1e7, 1, lr=0.1) == pytest.approx(rate(5e6, 1e7, 1)), "below its limit, lr plays no role"
    with pytest.raises(InputError, match="a run's tokens"):
        schedules.create("power")(0.5)


def test_phases_are_other_schedules() -> None:
    """Closed forms of other files, written as phases."""
    same = {
        ("5% to 1", "75%", "20% to 0 sqrt"): schedules.create("wsd"),
        ("10% to 1", "60%", "30% to 0.1 cosine"): schedules.create(
            "wsd", warmup=0.1, decay=0.3, shape="cosine", end=0.1
        ),
        ("5% to 1", "50% to 0.5 cosine", "25%", "20% to 0.01 exponential"): schedules.create("infinite"),
        ("5% to 1", "95% to 0.1 cosine"): schedules.create("cosine", end=0.1),
        ("10% to 0.3", "90% to .15 linear"): schedules.create("linear", start=0.3, end=0.15, warmup=0.1),
    }
    for parts, other in same.items():
        schedule = schedules.create("phases", parts=list(parts))
        assert [schedule(t) for t in GRID] == pytest.approx([other(t) for t in GRID], abs=1e-9), parts


def test_phases_warm_up_again_and_come_in_cycles() -> None:
    again = schedules.create("phases", parts=["10% to 1", "40% to 0.1", "10% to 1", "40% to 0"])
    assert [again(t) for t in (0, 0.05, 0.1, 0.3, 0.5, 0.55, 0.6, 0.8, 1)] == pytest.approx(
        [0, 0.5, 1, 0.55, 0.1, 0.55, 1, 0.5, 0]
    )
    restarts = schedules.create("phases", parts=["100% to 0 cosine"], start=1.0, cycles=2)
    half = math.sqrt(0.5)
    assert [restarts(t) for t in (0, 0.125, 0.25, 0.5, 0.625, 0.75, 1)] == pytest.approx(
        [1, (1 + half) / 2, 0.5, 1, (1 + half) / 2, 0.5, 0]
    )
    rise = schedules.create("phases", parts=["50% to 4 exponential", "50% to 1 sqrt"], start=1.0)
    assert [rise(t) for t in (0, 0.25, 0.5, 0.625)] == pytest.approx([1, 2, 4, 2.5])


def test_phases_stand_in_a_recipe_as_a_list() -> None:
    schedule = schedules.parse({"phases": ["50% to 1", "50%"]}).build()
    assert [schedule(t) for t in (0.25, 0.75)] == [0.5, 1.0]
