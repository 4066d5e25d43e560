"""Intervals against scipy's, and the ratio measures that they are made of."""

import math

import numpy as np
import pytest
from scipy import stats
from sklearn.metrics import f1_score

from seedbed.evaluate.statistics import (
    bootstrap_interval,
    detectable_effect,
    effect_size,
    mean_interval,
    paired_difference,
    power,
    t_cdf,
    t_quantile,
)
from seedbed.evaluate.task import Measure


@pytest.mark.parametrize("freedom", [1, 2, 3, 4, 5, 9, 10, 31, 100])
def test_t_distribution_equals_scipy(freedom: int) -> None:
    for t in (0.0, 0.3, 1.0, 2.5, 12.0):
        assert t_cdf(t, freedom) == pytest.approx(stats.t.cdf(t, freedom), abs=1e-12)
    for probability in (0.6, 0.9, 0.975, 0.995):
        assert t_quantile(probability, freedom) == pytest.approx(stats.t.ppf(probability, freedom), rel=1e-9)


def test_mean_interval_equals_scipy() -> None:
    values = [0.61, 0.64, 0.58, 0.66, 0.60]
    interval = mean_interval(values)
    low, high = stats.t.interval(0.95, len(values) - 1, loc=np.mean(values), scale=stats.sem(values))
    assert (interval.mean, interval.low, interval.high) == pytest.approx((np.mean(values), low, high), rel=1e-9)
    assert interval.num == 5 and "5 seeds" in interval.method


def test_one_seed_has_no_interval_over_seeds() -> None:
    interval = mean_interval([0.5])
    assert interval.mean == 0.5 and math.isnan(interval.low) and not interval.excludes_zero


def test_paired_difference_equals_scipy() -> None:
    first, second = [0.5, 0.6, 0.7, 0.65], [0.4, 0.55, 0.58, 0.6]
    low, high = stats.ttest_rel(first, second).confidence_interval(0.95)
    interval = paired_difference(first, second)
    assert (interval.low, interval.high) == pytest.approx((low, high), rel=1e-9)
    assert interval.excludes_zero


def test_bootstrap_agrees_with_scipy() -> None:
    random = np.random.default_rng(0)
    bits, lengths = random.gamma(4, 30, 200), random.integers(20, 90, 200)
    interval = bootstrap_interval(Measure(bits, lengths), resamples=4000)
    reference = stats.bootstrap(
        (bits, lengths),
        lambda a, b, axis: a.sum(axis) / b.sum(axis),
        paired=True,
        method="percentile",
        n_resamples=4000,
        random_state=1,
    ).confidence_interval
    width = reference.high - reference.low
    assert interval.mean == pytest.approx(bits.sum() / lengths.sum())
    assert abs(interval.low - reference.low) < 0.06 * width
    assert abs(interval.high - reference.high) < 0.06 * width


def test_bootstrap_is_a_function_of_its_seed_and_not_of_its_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    measure = Measure(np.arange(50.0), np.ones(50))
    whole = bootstrap_interval(measure, seed=3)
    assert whole == bootstrap_interval(measure, seed=3) != bootstrap_interval(measure, seed=4)
    monkeypatch.setattr("seedbed.evaluate.statistics._CELLS", 700)
    assert whole == bootstrap_interval(measure, seed=3)


def test_paired_bootstrap_sees_that_errors_are_shared() -> None:
    """Two systems with the same errors but one: unpaired intervals overlap, the paired difference is known well."""
    correct = np.random.default_rng(2).random(400) < 0.6
    better = correct.copy()
    better[np.flatnonzero(~correct)[:30]] = True
    first, second = Measure(better, np.ones(400)), Measure(correct, np.ones(400))
    difference = bootstrap_interval(first, minus=second)
    assert difference.mean == pytest.approx(30 / 400)
    assert difference.excludes_zero
    assert difference.high - difference.low < bootstrap_interval(first).high - bootstrap_interval(first).low


def test_measure_of_classes_is_macro_f1() -> None:
    random = np.random.default_rng(5)
    truth, said = random.integers(0, 4, 60), random.integers(0, 4, 60)
    one_truth, one_said = np.eye(6)[truth], np.eye(6)[said]  # classes 4 and 5 never occur: left out
    measure = Measure(2 * one_truth * one_said, one_truth + one_said)
    assert measure.value == pytest.approx(f1_score(truth, said, average="macro"))


@pytest.mark.parametrize("pairs", [2, 3, 5, 12])
@pytest.mark.parametrize("effect", [0.0, 0.5, 1.0, 3.0])
def test_power_is_that_of_the_noncentral_t(pairs, effect):
    critical = stats.t.ppf(0.975, pairs - 1)
    expected = stats.nct.sf(critical, pairs - 1, effect * pairs**0.5) if effect else 0.025
    assert power(2 * effect, 2.0, pairs) == pytest.approx(expected, abs=1e-3)


def test_the_detectable_effect_has_the_power_asked_for():
    found = detectable_effect(0.3, 5)
    assert power(found, 0.3, 5) == pytest.approx(0.8, abs=1e-6)
    assert detectable_effect(0.3, 1) == float("inf") and detectable_effect(0.0, 5) == 0.0
    assert detectable_effect(0.3, 20) < found


def test_the_effect_size_is_unbiased_for_few_pairs():
    random = np.random.default_rng(0)
    draws = random.normal(0.7, 1.0, (40_000, 4))
    assert np.mean([effect_size(row) for row in draws]) == pytest.approx(0.7, abs=0.02)
    assert np.isnan(effect_size([1.0, 2.0])) and np.isnan(effect_size([1.0, 1.0, 1.0]))
