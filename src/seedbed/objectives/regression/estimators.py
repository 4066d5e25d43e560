"""The best that can be said of a function's next value, from the points before it.

All take inputs (B, N, D) and values (B, N) and predict each value from those before it in its sequence (B, N): what is
known of the function then is a posterior distribution, and the prediction is its mean.

Shapes: B sequences, N points, D dimension, M functions, S supports of sparse functions.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations

import numpy as np

from seedbed.core.errors import InputError
from seedbed.objectives.regression.functions import Functions

_BLOCK = 4096  # sequences that are made at once
_LEAST = 1e-3  # standard deviation that noise is taken to have at least, where there is none


def ridge(x_BND: np.ndarray, y_BN: np.ndarray, noise: float) -> np.ndarray:
    """The mean for w from a standard normal distribution: ridge regression with the noise's variance."""
    return gaussian(x_BND, y_BN, noise)[0]


def discrete(x_BND: np.ndarray, y_BN: np.ndarray, noise: float, weights_MD: np.ndarray) -> np.ndarray:
    """The mean for w from a pool, each as likely (dMMSE; Raventós et al., 2023, equation 5)."""
    noise = max(noise, _LEAST)
    values_BNM = x_BND @ weights_MD.T
    log_BNM = -0.5 * np.square((y_BN[:, :, None] - values_BNM) / noise)
    return _averaged(np.cumsum(log_BNM, axis=1) - log_BNM, values_BNM)


def optimal(x_BND: np.ndarray, y_BN: np.ndarray, functions: Functions) -> np.ndarray:
    """The mean for functions of these families and this noise, dense and sparse ones in any shares: over all families
    and supports, each by its posterior probability. Raises InputError for families of which none is known here."""
    if functions.tasks is not None:
        return discrete(x_BND, y_BN, functions.noise, functions.weights())
    shares, means, evidence = [], [], []
    for share, scale_D in _priors(functions):
        mean_BN, log_BN = gaussian(x_BND * scale_D, y_BN, functions.noise)
        shares.append(np.log(share))
        means.append(mean_BN)
        evidence.append(np.cumsum(log_BN, axis=1) - log_BN)  # of the points before
    return _averaged(np.stack(evidence, -1) + np.array(shares), np.stack(means, -1))


def gaussian(x_BND: np.ndarray, y_BN: np.ndarray, noise: float) -> tuple[np.ndarray, np.ndarray]:
    """For w from a standard normal distribution the mean of each value, and the logarithm of the value's density, from
    the points before it. Columns of zeros leave their coordinates out."""
    rows, points, dimension = x_BND.shape
    variance = max(noise, _LEAST) ** 2
    spread_BDD = np.broadcast_to(np.eye(dimension), (rows, dimension, dimension)).copy()
    mean_BD = np.zeros((rows, dimension))
    found_BN, log_BN = np.zeros((rows, points)), np.zeros((rows, points))
    for place in range(points):  # one point after the other (recursive least squares)
        x_BD = x_BND[:, place]
        gain_BD = (spread_BDD @ x_BD[:, :, None])[:, :, 0]
        width_B = variance + (x_BD * gain_BD).sum(1)
        found_BN[:, place] = (x_BD * mean_BD).sum(1)
        error_B = y_BN[:, place] - found_BN[:, place]
        log_BN[:, place] = -0.5 * (np.log(2 * np.pi * width_B) + error_B**2 / width_B)
        mean_BD = mean_BD + gain_BD * (error_B / width_B)[:, None]
        spread_BDD -= gain_BD[:, :, None] * (gain_BD / width_B[:, None])[:, None, :]
    return found_BN, log_BN


def linear_attention(functions: Functions, tasks: int, points: int, seed: int, rate: float) -> np.ndarray:
    """The matrix (D, D) of a single layer of linear attention that says <G X'y / n, x>, learned from zero by stochastic
    gradient descent on the last of `points` values, one sequence of each of so many tasks (Wu et al., 2024). The rate
    is halved log2(tasks) times, at equal distances."""
    gamma_DD = np.zeros((functions.dimension, functions.dimension))
    stretch = max(1, tasks // max(1, int(np.log2(tasks))))
    for start in range(0, tasks, _BLOCK):
        numbers_B = np.arange(start, min(start + _BLOCK, tasks))
        x_BND, y_BN = functions.sequences(numbers_B, points, seed)
        mean_BD = (x_BND[:, :-1] * y_BN[:, :-1, None]).mean(1)
        for step, mean_D, x_D, y in zip(numbers_B, mean_BD, x_BND[:, -1], y_BN[:, -1], strict=True):
            error = x_D @ gamma_DD @ mean_D - y
            gamma_DD -= rate * 0.5 ** (step // stretch) * error * np.outer(x_D, mean_D)
    return gamma_DD


def attended(x_BND: np.ndarray, y_BN: np.ndarray, gamma_DD: np.ndarray) -> np.ndarray:
    """What such a layer says of each value from the points before it."""
    products_BND = x_BND * y_BN[:, :, None]
    before_N = np.maximum(np.arange(y_BN.shape[1]), 1)
    mean_BND = (np.cumsum(products_BND, axis=1) - products_BND) / before_N[:, None]
    return np.asarray((x_BND * (mean_BND @ gamma_DD.T)).sum(-1))


def _priors(functions: Functions) -> Iterator[tuple[float, np.ndarray]]:
    """Normal distributions that the functions are a mixture of: the share, and the scale of each coordinate."""
    total, size = sum(functions.families.values()), functions.dimension
    supports = list(combinations(range(size), functions.nonzero))
    for name, weight in functions.families.items():
        if not weight:
            continue
        if name == "dense":
            yield weight / total, np.ones(size)
            continue
        if name not in ("sparse", "blend"):
            raise InputError(
                "families", "have no best estimator here", value=name, allowed=["dense", "sparse", "blend"]
            )
        for support in supports:
            scale_D = np.zeros(size)
            scale_D[list(support)] = np.sqrt(size / functions.nonzero)
            if name == "blend":
                scale_D = np.sqrt((1.0 + scale_D**2) / 2)
            yield weight / total / len(supports), scale_D


def _averaged(log_BNS: np.ndarray, values_BNS: np.ndarray) -> np.ndarray:
    """The mean of values, weighted by what their logarithms are proportional to."""
    weight_BNS = np.exp(log_BNS - log_BNS.max(-1, keepdims=True))
    return np.asarray((weight_BNS * values_BNS).sum(-1) / weight_BNS.sum(-1))
