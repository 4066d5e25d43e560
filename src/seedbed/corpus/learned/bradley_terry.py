"""Scores from who was preferred to whom: the model of Bradley and Terry (1952).

The probability that i is preferred to j is 1 / (1 + exp(s_j - s_i)). The scores are the most probable ones under a
normal prior, which also gives scores to those that always won, and joins groups that were never compared with each
other. The problem is convex: Newton's method, with steps by conjugate gradients.

Shapes: N items, P compared pairs.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

PRIOR = 0.1  # the precision of the prior: a deviation of 3.2
_MOST_DENSE = 4000  # items whose Hessian is inverted for intervals
_Z = 1.959964  # of a 95% interval


@dataclass(frozen=True)
class Scores:
    """Scores with mean zero, and half the width of their 95% intervals (NaN for more than 4,000 items)."""

    score_N: np.ndarray
    half_N: np.ndarray


def fit(first_P: np.ndarray, second_P: np.ndarray, wins_P: np.ndarray, losses_P: np.ndarray, items: int) -> Scores:
    """`wins_P` are the votes for the first of a pair, `losses_P` those for the second; a tie is half a vote for each.

    The intervals are those of the normal approximation at the maximum, as for any logistic regression.
    """
    score_N = np.zeros(items)
    for _ in range(100):
        share_P = _logistic(score_N[first_P] - score_N[second_P])
        excess_P = wins_P - (wins_P + losses_P) * share_P
        slope_N = PRIOR * score_N - _spread(excess_P, first_P, second_P, items)
        curve_P = (wins_P + losses_P) * share_P * (1 - share_P)
        step_N = _solve(curve_P, first_P, second_P, slope_N)
        step_N *= min(1.0, 3 / max(np.abs(step_N).max(initial=0), 1e-300))  # far off, the curvature vanishes
        score_N -= step_N
        if np.abs(step_N).max(initial=0) < 1e-10:
            break
    return Scores(score_N - score_N.mean() if items else score_N, _half_widths(curve_P, first_P, second_P, items))


def _logistic(x: np.ndarray) -> np.ndarray:
    return np.asarray(0.5 * (1 + np.tanh(x / 2)))


def _spread(value_P: np.ndarray, first_P: np.ndarray, second_P: np.ndarray, items: int) -> np.ndarray:
    """Each pair's value added to its first item and taken from its second."""
    found: np.ndarray = np.bincount(first_P, value_P, items) - np.bincount(second_P, value_P, items)
    return found


def _solve(curve_P: np.ndarray, first_P: np.ndarray, second_P: np.ndarray, right_N: np.ndarray) -> np.ndarray:
    """The solution of Hessian x = right, by conjugate gradients."""
    items = len(right_N)
    found_N, rest_N = np.zeros(items), right_N.copy()
    way_N, size = rest_N.copy(), float(rest_N @ rest_N)
    target = 1e-24 * size
    for _ in range(10 * items):
        if size <= target:
            break
        bent_N = PRIOR * way_N + _spread(curve_P * (way_N[first_P] - way_N[second_P]), first_P, second_P, items)
        length = size / float(way_N @ bent_N)
        found_N += length * way_N
        rest_N -= length * bent_N
        size, before = float(rest_N @ rest_N), size
        way_N = rest_N + size / before * way_N
    return found_N


def _half_widths(curve_P: np.ndarray, first_P: np.ndarray, second_P: np.ndarray, items: int) -> np.ndarray:
    if items > _MOST_DENSE:
        return np.full(items, np.nan)
    hessian_NN = np.diag(PRIOR + np.bincount(first_P, curve_P, items) + np.bincount(second_P, curve_P, items))
    np.subtract.at(hessian_NN, (first_P, second_P), curve_P)
    np.subtract.at(hessian_NN, (second_P, first_P), curve_P)
    return _Z * np.sqrt(np.diag(np.linalg.inv(hessian_NN)))
