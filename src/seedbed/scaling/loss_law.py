"""Laws of the loss: L = E + sum over sizes of A / x^a, fitted to runs.

With N parameters and D tokens as sizes it is the third approach of Hoffmann et al. (2022, section 3.3 and appendix
D.3): the Huber loss (delta 1e-3) of the difference between the logarithms of the law and of the loss is made smallest,
from a grid of starts. With compute as the only size it is the power law of Kaplan et al. (2020), with a floor.

The paper uses L-BFGS. Here all starts, and all draws of a bootstrap, go down together by Levenberg's and Marquardt's
method, with the Huber loss as weights that are drawn up anew in each round (Huber, 1981, section 7.8): the same minimum
in a fraction of the time, and without SciPy. Logarithms of sizes are centered, so that factors and exponents hardly
depend on each other on the way.

Shapes: R fits side by side, P points, K sizes, Q = 2 K + 1 unknowns (log E, then log A, then a).
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from seedbed.core.counters import generator
from seedbed.core.errors import InputError

DELTA = 1e-3
_ROUNDS = 400
_REACH = 2.0  # the longest step of an unknown
_STUCK = 1e6  # damping from which on steps are too short to matter
_EXPONENTS = (0.1, 0.3, 0.6, 1.2)  # of the starts, and
_FLOORS = (0.3, 0.6, 0.9)  # the floor's share of the smallest loss
FLOPS = 6.0  # of a parameter and token (Kaplan et al., 2020)


@dataclass(frozen=True)
class LossLaw:
    """L(x) = floor + sum of factors / x^exponents."""

    floor: float
    factors: tuple[float, ...]
    exponents: tuple[float, ...]

    def loss(self, *sizes: float) -> float:
        terms = zip(self.factors, self.exponents, sizes, strict=True)
        return self.floor + sum(factor / size**exponent for factor, exponent, size in terms)

    def numbers(self) -> tuple[float, ...]:
        return self.floor, *self.factors, *self.exponents

    def split(self, flops: float) -> tuple[float, float, float]:
        """Parameters and tokens that make the loss smallest where 6 N D = `flops` (equation 4), and that loss; NaN
        where there are none."""
        (a, b), (alpha, beta) = self.factors, self.exponents
        if not (alpha > 0 and beta > 0 and a > 0 and b > 0):
            return math.nan, math.nan, math.nan
        balance = (alpha * a / (beta * b)) ** (1 / (alpha + beta))
        parameters = balance * (flops / FLOPS) ** (beta / (alpha + beta))
        tokens = flops / FLOPS / parameters
        return parameters, tokens, self.loss(parameters, tokens)


@dataclass(frozen=True)
class Fit:
    """A law, the laws of bootstrap draws of the points, and how far the points are from it."""

    law: LossLaw
    draws: list[LossLaw]
    error: float  # root mean square of the relative difference

    def intervals(self, of: Callable[[LossLaw], Sequence[float]]) -> list[list[float]]:
        """95% percentile intervals of numbers that follow from a law."""
        rows = np.array([of(draw) for draw in self.draws])
        return np.nanquantile(rows, [0.025, 0.975], axis=0).T.tolist()  # type: ignore[no-any-return]


def fit_law(sizes_KP: np.ndarray, loss_P: np.ndarray, *, resamples: int = 500, seed: int = 0) -> Fit:
    """The law of some runs. Raises InputError where they are too few to tell."""
    num_sizes, num_points = sizes_KP.shape
    unknowns = 2 * num_sizes + 1
    distinct = min(len(np.unique(np.round(np.log(row_P), 6))) for row_P in sizes_KP)
    if num_points <= unknowns or distinct < 3:
        raise InputError(
            "--law",
            f"{num_points} runs with {distinct} different sizes do not tell {unknowns} unknowns",
            allowed=f"more than {unknowns} runs, with at least 3 different sizes of each kind",
        )
    if not (np.isfinite(loss_P).all() and (loss_P > 0).all() and (sizes_KP > 0).all()):
        raise InputError("--law", "sizes and losses must be above 0")
    logs_KP = np.log(sizes_KP)
    centers_K = logs_KP.mean(1)
    starts_RQ = _starts(num_sizes, loss_P)
    weights = np.ones((len(starts_RQ), num_points))
    found_RQ, value_R = _descend(starts_RQ, logs_KP - centers_K[:, None], np.log(loss_P), weights)
    best_Q = found_RQ[int(np.nanargmin(value_R))]
    random = generator(seed, "loss law", num_points)
    drawn_RP = random.multinomial(num_points, np.full(num_points, 1 / num_points), size=resamples).astype(float)
    draws_RQ, _ = _descend(
        np.repeat(best_Q[None], resamples, 0), logs_KP - centers_K[:, None], np.log(loss_P), drawn_RP
    )
    law = _law(best_Q, centers_K)
    predicted_P = np.array([law.loss(*sizes) for sizes in sizes_KP.T])
    error = float(np.sqrt(np.mean((predicted_P / loss_P - 1) ** 2)))
    return Fit(law, [_law(draw_Q, centers_K) for draw_Q in draws_RQ], error)


def frontier(cost_P: np.ndarray, loss_P: np.ndarray) -> np.ndarray:
    """Which runs no run of at most the same cost beats, as bools."""
    order = np.lexsort((loss_P, cost_P))
    best_P = np.minimum.accumulate(loss_P[order])
    kept = np.zeros(len(loss_P), dtype=bool)
    kept[order] = (loss_P[order] == best_P) & np.concatenate(([True], best_P[1:] < best_P[:-1]))
    return kept


def _law(found_Q: np.ndarray, centers_K: np.ndarray) -> LossLaw:
    size = len(centers_K)
    exponents_K = found_Q[1 + size :]
    factors_K = np.exp(np.clip(found_Q[1 : 1 + size] + exponents_K * centers_K, -700, 700))
    return LossLaw(float(np.exp(found_Q[0])), tuple(factors_K.tolist()), tuple(exponents_K.tolist()))


def _starts(num_sizes: int, loss_P: np.ndarray) -> np.ndarray:
    """Floors, and what is left of the mean loss in equal parts, at the center of the sizes; by exponents."""
    rows = []
    for share, *exponents in itertools.product(_FLOORS, *[_EXPONENTS] * num_sizes):
        floor = share * loss_P.min()
        rows.append([math.log(floor), *[math.log((loss_P.mean() - floor) / num_sizes)] * num_sizes, *exponents])
    return np.array(rows)


def _descend(
    start_RQ: np.ndarray, logs_KP: np.ndarray, log_loss_P: np.ndarray, weight_RP: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """The minima that the starts lead to, and the values there; each fit has weights of its own for the points."""
    found_RQ, damping_R = start_RQ.copy(), np.full(len(start_RQ), 1e-2)
    residual_RP, slope_RQP = _residuals(found_RQ, logs_KP, log_loss_P)
    value_R = _huber(residual_RP, weight_RP)
    for _ in range(_ROUNDS):
        robust_RP = weight_RP * np.minimum(1.0, DELTA / np.maximum(np.abs(residual_RP), 1e-300))
        weighted_RQP = slope_RQP * robust_RP[:, None]
        gradient_RQ1 = weighted_RQP @ residual_RP[..., None]
        curvature_RQQ = weighted_RQP @ slope_RQP.swapaxes(1, 2)
        diagonal_RQ = np.diagonal(curvature_RQQ, axis1=1, axis2=2)
        ridge_RQ = damping_R[:, None] * diagonal_RQ + 1e-12 * diagonal_RQ.max(1, keepdims=True) + 1e-300
        curvature_RQQ = curvature_RQQ + ridge_RQ[:, :, None] * np.eye(start_RQ.shape[1])
        tried_RQ = found_RQ - np.clip(np.linalg.solve(curvature_RQQ, gradient_RQ1)[..., 0], -_REACH, _REACH)
        tried_residual_RP, tried_slope_RQP = _residuals(tried_RQ, logs_KP, log_loss_P)
        tried_R = _huber(tried_residual_RP, weight_RP)
        better_R = tried_R < value_R
        damping_R = np.where(better_R, damping_R / 3, damping_R * 4)
        if not (value_R - tried_R > 1e-9 * value_R).any() and damping_R.min() > _STUCK:
            break
        found_RQ[better_R], value_R[better_R] = tried_RQ[better_R], tried_R[better_R]
        residual_RP[better_R], slope_RQP[better_R] = tried_residual_RP[better_R], tried_slope_RQP[better_R]
        damping_R = np.clip(damping_R, 1e-9, 10 * _STUCK)
    return found_RQ, value_R


def _residuals(found_RQ: np.ndarray, logs_KP: np.ndarray, log_loss_P: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """log of the law less log of the loss (R, P), and its derivatives (R, Q, P)."""
    size = len(logs_KP)
    floor_R11, factor_RK1 = found_RQ[:, :1, None], found_RQ[:, 1 : 1 + size, None]
    exponent_RK1 = found_RQ[:, 1 + size :, None]
    log_terms = np.concatenate(
        (np.broadcast_to(floor_R11, (len(found_RQ), 1, logs_KP.shape[1])), factor_RK1 - exponent_RK1 * logs_KP), 1
    )
    highest = log_terms.max(1, keepdims=True)
    terms = np.exp(log_terms - highest)
    total = terms.sum(1, keepdims=True)
    shares = terms / total  # (R, 1 + K, P)
    slopes = np.concatenate((shares, -shares[:, 1:] * logs_KP), 1)
    return (np.log(total) + highest)[:, 0] - log_loss_P, slopes


def _huber(residual_RP: np.ndarray, weight_RP: np.ndarray) -> np.ndarray:
    size_RP = np.abs(residual_RP)
    each_RP = np.where(size_RP <= DELTA, size_RP**2 / 2, DELTA * (size_RP - DELTA / 2))
    return np.asarray((weight_RP * each_RP).sum(1))
