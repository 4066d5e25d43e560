"""Intervals: Student's t over seeds, the percentile bootstrap over test items, and paired differences of both kinds.

The bootstrap (Efron and Tibshirani, 1993, chapter 13) draws units of the test set with replacement: documents,
sentences or queries, never words, since words of one document are not independent. Percentile intervals are a
little narrow for a few dozen units; there is no bias correction.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from seedbed.core.counters import generator
from seedbed.evaluate.task import Measure, ratio

_CELLS = 4_000_000  # drawn counts held at a time


@dataclass(frozen=True)
class Interval:
    """A mean and where it lies with the given confidence; low and high are NaN where nothing can be said."""

    mean: float
    low: float
    high: float
    method: str
    num: int  # seeds, or units drawn

    @property
    def excludes_zero(self) -> bool:
        return self.low > 0 or self.high < 0


def mean_interval(values: list[float] | np.ndarray, confidence: float = 0.95) -> Interval:
    """Mean and Student's t interval; NaN ends for a single value."""
    values_S = np.asarray(values, dtype=np.float64)
    num = len(values_S)
    assert num > 0
    mean = float(values_S.mean())
    if num == 1:
        return Interval(mean, math.nan, math.nan, "none (one seed)", 1)
    half = t_quantile(0.5 + confidence / 2, num - 1) * float(values_S.std(ddof=1)) / math.sqrt(num)
    return Interval(mean, mean - half, mean + half, f"Student's t over {num} seeds", num)


def paired_difference(first: list[float], second: list[float], confidence: float = 0.95) -> Interval:
    """The t interval of the differences, seed by seed."""
    assert len(first) == len(second)
    return mean_interval(np.asarray(first, dtype=np.float64) - np.asarray(second, dtype=np.float64), confidence)


def bootstrap_interval(
    measure: Measure, *, seed: int = 0, resamples: int = 1000, confidence: float = 0.95, minus: Measure | None = None
) -> Interval:
    """Percentile interval of a measure over draws of its units; with `minus`, of the difference between two
    measures on the same units, both from the same draws."""
    num = len(measure.numerators_UK)
    assert num > 0
    assert minus is None or len(minus.numerators_UK) == num, "paired measures need the same units"
    value = measure.value - (minus.value if minus else 0.0)
    values_R = []
    random = generator(seed, "bootstrap", num)
    rows = max(1, min(resamples, _CELLS // num))
    for start in range(0, resamples, rows):
        counts_RU = _draw(random, min(rows, resamples - start), num)
        drawn_R = _resampled(counts_RU, measure)
        values_R.append(drawn_R - _resampled(counts_RU, minus) if minus else drawn_R)
    tail = (1 - confidence) / 2
    low, high = np.quantile(np.concatenate(values_R), [tail, 1 - tail])
    return Interval(value, float(low), float(high), f"percentile bootstrap over {num} units of the test set", num)


def _draw(random: np.random.Generator, rows: int, num: int) -> np.ndarray:
    """How often each of `num` units is drawn when `num` are drawn with replacement (rows, num)."""
    drawn_RU = random.integers(0, num, (rows, num)) + np.arange(rows)[:, None] * num
    return np.bincount(drawn_RU.ravel(), minlength=rows * num).reshape(rows, num).astype(np.float64)


def _resampled(counts_RU: np.ndarray, measure: Measure) -> np.ndarray:
    return ratio(counts_RU @ measure.numerators_UK, counts_RU @ measure.denominators_UK)


def t_quantile(probability: float, freedom: int) -> float:
    """The quantile of Student's t distribution, by bisection of its distribution function."""
    assert 0.5 <= probability < 1 and freedom > 0
    low, high = 0.0, 1.0
    while t_cdf(high, freedom) < probability:
        high *= 2
    for _ in range(200):
        middle = (low + high) / 2
        if middle in (low, high):
            break
        low, high = (middle, high) if t_cdf(middle, freedom) < probability else (low, middle)
    return (low + high) / 2


def t_cdf(t: float, freedom: int) -> float:
    """P(T <= t) for t >= 0, by the finite series for whole degrees of freedom (Abramowitz and Stegun, 26.7.3-4)."""
    angle = math.atan(t / math.sqrt(freedom))
    sine, cosine = math.sin(angle), math.cos(angle)
    term, total = (cosine, cosine) if freedom % 2 else (1.0, 1.0)
    for k in range(3 if freedom % 2 else 2, freedom - 1, 2):
        term *= cosine * cosine * (k - 1) / k
        total += term
    if freedom % 2:
        inside = 2 / math.pi * (angle + (sine * total if freedom > 1 else 0.0))
    else:
        inside = sine * total
    return 0.5 + inside / 2


def effect_size(differences: list[float] | np.ndarray) -> float:
    """The mean of paired differences in units of their standard deviation (Cohen's d_z), with the correction of
    Hedges (1981) for few pairs; NaN for fewer than three pairs (its expectation is infinite) or no spread."""
    values_S = np.asarray(differences, dtype=np.float64)
    freedom = len(values_S) - 1
    if freedom < 2 or not (spread := float(values_S.std(ddof=1))) > 0:
        return math.nan
    correction = math.exp(math.lgamma(freedom / 2) - math.lgamma((freedom - 1) / 2)) / math.sqrt(freedom / 2)
    return float(values_S.mean()) / spread * correction


def power(effect: float, spread: float, pairs: int, confidence: float = 0.95) -> float:
    """The probability that the t interval of `pairs` differences with this mean and standard deviation excludes zero
    on the right side: the noncentral t distribution, integrated over the chi-square of the estimated spread."""
    freedom = pairs - 1
    if freedom < 1:
        return 0.0
    if spread == 0:
        return 1.0 if effect else 0.0
    critical, shift = t_quantile(0.5 + confidence / 2, freedom), abs(effect) / spread * math.sqrt(pairs)
    scale_X = np.linspace(0.0, 1.0 + 8 / math.sqrt(2 * freedom), 4001)[1:]  # estimated over true spread
    log_density_X = (freedom - 1) * np.log(scale_X) - freedom * scale_X**2 / 2
    density_X = np.exp(log_density_X - log_density_X.max())
    above_X = np.array([0.5 * math.erfc((critical * scale - shift) / math.sqrt(2)) for scale in scale_X])
    return float((density_X * above_X).sum() / density_X.sum())


def detectable_effect(spread: float, pairs: int, chance: float = 0.8, confidence: float = 0.95) -> float:
    """The smallest mean difference that `pairs` seeds find with this chance; infinite for a single pair."""
    if pairs < 2:
        return math.inf
    low, high = 0.0, spread
    while power(high, spread, pairs, confidence) < chance and high > 0:
        high *= 2
    for _ in range(40):
        middle = (low + high) / 2
        low, high = (middle, high) if power(middle, spread, pairs, confidence) < chance else (low, middle)
    return high
