"""Laws of the loss: known coefficients come back, the minimum is SciPy's, the split is the one that a search finds."""

from __future__ import annotations

import csv
import itertools
from pathlib import Path

import numpy as np
import pytest
from scipy import optimize

from seedbed.core.errors import InputError
from seedbed.core.files import write_json
from seedbed.scaling.loss_law import DELTA, LossLaw, fit_law, frontier
from seedbed.scaling.points import Point, read_points

# Hoffmann et al. (2022), equation 10
CHINCHILLA = LossLaw(1.69, (406.4, 410.7), (0.34, 0.28))


def grid(sizes: int = 7, amounts: int = 8) -> np.ndarray:
    pairs = itertools.product(np.geomspace(7e7, 1.6e10, sizes), np.geomspace(2e9, 4e11, amounts))
    return np.array(list(pairs)).T


def losses(sizes_KP: np.ndarray, noise: float, law: LossLaw = CHINCHILLA) -> np.ndarray:
    random = np.random.default_rng(0)
    exact = np.array([law.loss(*sizes) for sizes in sizes_KP.T])
    return exact * np.exp(noise * random.standard_normal(len(exact)))


def test_without_noise_the_coefficients_come_back() -> None:
    fit = fit_law(grid(), losses(grid(), 0.0), resamples=10)
    assert fit.law.numbers() == pytest.approx(CHINCHILLA.numbers(), rel=1e-5)
    assert fit.error < 1e-8


def test_with_noise_the_intervals_hold_the_coefficients() -> None:
    fit = fit_law(grid(), losses(grid(), 0.005), resamples=200)
    for value, found, (low, high) in zip(
        CHINCHILLA.numbers(), fit.law.numbers(), fit.intervals(lambda law: law.numbers()), strict=True
    ):
        assert low < value < high
        assert low < found < high
    for value, (low, high) in zip(CHINCHILLA.split(1e22), fit.intervals(lambda law: law.split(1e22)), strict=True):
        assert low < value < high
    assert fit.error == pytest.approx(0.005, rel=0.3)
    assert fit == fit_law(grid(), losses(grid(), 0.005), resamples=200), "nothing is random but by the seed"


def test_an_outlier_hardly_matters() -> None:
    """That is what the Huber loss is for."""
    loss_P = losses(grid(), 0.002)
    loss_P[5] *= 1.5
    assert fit_law(grid(), loss_P, resamples=2).law.numbers() == pytest.approx(CHINCHILLA.numbers(), rel=0.3)


@pytest.mark.parametrize("noise", [0.003, 0.02])
def test_the_minimum_is_not_above_that_of_l_bfgs(noise: float) -> None:
    """The objective as the paper writes it (appendix D.3), made small by SciPy from a grid of starts."""
    sizes_KP = grid(5, 6)
    loss_P = losses(sizes_KP, noise)

    def objective(unknowns: np.ndarray) -> float:
        e, a, b, alpha, beta = unknowns
        logs_KP = np.log(sizes_KP)
        law_P = np.logaddexp(np.logaddexp(e, a - alpha * logs_KP[0]), b - beta * logs_KP[1])
        size_P = np.abs(law_P - np.log(loss_P))
        return float(1e3 * np.where(size_P <= DELTA, size_P**2 / 2, DELTA * (size_P - DELTA / 2)).sum())

    starts = itertools.product((0.0, 0.5), (5, 10), (5, 10), (0.3, 0.6), (0.3, 0.6))
    settings = {"maxiter": 3000, "maxfun": 30000, "ftol": 1e-14, "gtol": 1e-9}
    theirs = min(optimize.minimize(objective, s, method="L-BFGS-B", options=settings).fun for s in starts)
    law = fit_law(sizes_KP, loss_P, resamples=2).law
    ours = objective(np.array([np.log(law.floor), *np.log(law.factors), *law.exponents]))
    assert ours <= theirs * (1 + 1e-6)


def test_the_split_is_the_best_one() -> None:
    flops = 3e21
    parameters, tokens, loss = CHINCHILLA.split(flops)
    assert 6 * parameters * tokens == pytest.approx(flops)
    searched = min((CHINCHILLA.loss(n, flops / 6 / n), n) for n in np.geomspace(1e8, 1e12, 40001))
    assert loss == pytest.approx(searched[0], rel=1e-8)
    assert parameters == pytest.approx(searched[1], rel=1e-3)


def test_one_size_is_a_power_law_with_a_floor() -> None:
    law = LossLaw(2.0, (30.0,), (0.1,))
    cost_KP = np.geomspace(1e12, 1e18, 12)[None]
    fit = fit_law(cost_KP, losses(cost_KP, 0.0, law), resamples=2)
    assert fit.law.numbers() == pytest.approx(law.numbers(), rel=1e-4)


def test_the_frontier_holds_what_no_cheaper_run_beats() -> None:
    cost, loss = np.array([4.0, 1, 2, 3, 2, 5]), np.array([2.0, 5, 3, 3.5, 3.2, 2.0])
    assert frontier(cost, loss).tolist() == [True, True, True, False, False, False]


def test_too_few_runs_are_refused() -> None:
    for sizes_KP in (grid(2, 8), grid()[:, :5]):
        with pytest.raises(InputError, match="do not tell"):
            fit_law(sizes_KP, losses(sizes_KP, 0.0))


def test_points_come_from_tables_and_results(tmp_path: Path) -> None:
    table = tmp_path / "runs.csv"
    with table.open("w", newline="") as file:
        csv.writer(file).writerows([["parameters", "tokens", "loss"], [100, 1000, 3.5], ["2e2", "1e3", "3.25"]])
    arm = {"cost": {"tokens": 10.0, "flops": 1200.0}, "summary": {"loss": {"mean": 4.0}}}
    named = {**arm, "summary": {**arm["summary"], "parameters": {"mean": 7.0}}}
    result = {"metrics": {"loss": {"higher_is_better": False}}, "arms": {"one": arm, "two": named}}
    write_json(tmp_path / "result.json", result)
    assert read_points([table, tmp_path / "result.json"]) == [
        Point(100, 1000, 6e5, 3.5),
        Point(200, 1000, 1.2e6, 3.25),
        Point(20, 10, 1200, 4.0),
        Point(7, 10, 1200, 4.0),
    ]
    table.write_text("parameters,tokens\n1,2\n")
    with pytest.raises(InputError, match="line 2"):
        read_points([table])
    write_json(tmp_path / "result.json", {**result, "metrics": {"loss": {"higher_is_better": True}}})
    with pytest.raises(InputError, match="no loss"):
        read_points([tmp_path / "result.json"])
    untrained = {**arm, "cost": {"tokens": 0.0, "flops": 0.0}}
    write_json(tmp_path / "result.json", {**result, "arms": {"one": untrained}})
    for name in ("result.json", "nothing.json"):
        with pytest.raises(InputError, match="no result"):
            read_points([tmp_path / name])
