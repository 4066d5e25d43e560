"""Regressions for surrogates: ridge, and a Gaussian process. Both give a mean and a standard deviation at each point.

Shapes: N known points, M asked ones, F features.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Literal

import numpy as np

Model = Literal["ridge", "process"]
_LENGTHS = (0.25, 0.5, 1.0, 2.0, 4.0)  # of the kernel, in median distances between known points
_NOISES = (1e-4, 1e-2, 1e-1, 0.5)  # variances, in those of the values


def predict(model: Model, known_NF: np.ndarray, value_N: np.ndarray, asked_MF: np.ndarray) -> tuple[np.ndarray, ...]:
    """Mean and standard deviation (M) of the model that is fitted to the known points, in the values' own units."""
    center, scale = float(value_N.mean()), float(value_N.std()) or 1.0
    y_N = (value_N - center) / scale
    if model == "ridge":
        mean_M, deviation_M = ridge(known_NF, y_N, asked_MF)
    else:
        mean_M, deviation_M = process(known_NF, y_N, asked_MF)
    return center + scale * mean_M, scale * deviation_M


def ridge(x_NF: np.ndarray, y_N: np.ndarray, x_MF: np.ndarray, weight: float = 1.0) -> tuple[np.ndarray, np.ndarray]:
    """Ridge regression (features centered), with the deviation of its Bayesian reading: a prior of variance 1 / weight
    for each slope, in units of the noise, which is that of the residuals."""
    middle_F = x_NF.mean(0)
    a_NF, b_MF = x_NF - middle_F, x_MF - middle_F
    inverse_FF = np.linalg.inv(a_NF.T @ a_NF + weight * np.eye(x_NF.shape[1]))
    slope_F = inverse_FF @ a_NF.T @ y_N
    noise = float(np.mean((y_N - y_N.mean() - a_NF @ slope_F) ** 2)) + 1e-9
    spread_M = np.einsum("mf,fg,mg->m", b_MF, inverse_FF, b_MF)
    return y_N.mean() + b_MF @ slope_F, np.sqrt(noise * (1 / len(y_N) + spread_M))


def process(x_NF: np.ndarray, y_N: np.ndarray, x_MF: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """A Gaussian process of mean 0 and variance 1 with a Matern kernel of 5/2 (Rasmussen and Williams, 2006, equations
    2.25, 2.26, 4.17); length and noise are those of a grid under which the known values are likeliest (equation
    2.30)."""
    between_NN, across_NM = _apart(x_NF, x_NF), _apart(x_NF, x_MF)
    unit = float(np.median(between_NN[between_NN > 0])) if (between_NN > 0).any() else 1.0
    best: tuple[float, Callable[[np.ndarray], np.ndarray], np.ndarray] | None = None
    for length in _LENGTHS:
        kernel = _matern(length * unit)
        for noise in _NOISES:
            lower_NN = np.linalg.cholesky(kernel(between_NN) + noise * np.eye(len(y_N)))
            half_N = np.linalg.solve(lower_NN, y_N)
            likelihood = -0.5 * float(half_N @ half_N) - float(np.log(np.diag(lower_NN)).sum())
            if best is None or likelihood > best[0]:
                best = likelihood, kernel, lower_NN
    assert best is not None
    _, kernel, lower_NN = best
    across = kernel(across_NM)
    half_NM = np.linalg.solve(lower_NN, across)
    mean_M = half_NM.T @ np.linalg.solve(lower_NN, y_N)
    return mean_M, np.sqrt(np.maximum(1.0 - (half_NM**2).sum(0), 1e-12))


def _apart(a_NF: np.ndarray, b_MF: np.ndarray) -> np.ndarray:
    return np.asarray(np.sqrt(((a_NF[:, None] - b_MF[None]) ** 2).sum(-1)))


def _matern(length: float) -> Callable[[np.ndarray], np.ndarray]:
    def kernel(distance: np.ndarray) -> np.ndarray:
        scaled = math.sqrt(5) * distance / length
        return np.asarray((1 + scaled + scaled**2 / 3) * np.exp(-scaled))

    return kernel


def expected_improvement(mean_M: np.ndarray, deviation_M: np.ndarray, best: float) -> np.ndarray:
    """How far below the best value a point is expected to come, if it does (Jones et al., 1998, equation 15)."""
    gain_M = best - mean_M
    z_M = gain_M / deviation_M
    density_M = np.exp(-0.5 * z_M**2) / math.sqrt(2 * math.pi)
    below_M = np.array([0.5 * math.erfc(-z / math.sqrt(2)) for z in z_M])
    return np.asarray(gain_M * below_M + deviation_M * density_M)
