"""In-context regression: what is drawn, what the best estimators say by slow formulas, and the loss."""

from __future__ import annotations

from itertools import combinations
from typing import Any

import numpy as np
import pytest
import torch
from train_world import batch_of, make_run, vocabulary

from seedbed.core.errors import InputError
from seedbed.objectives import objectives
from seedbed.objectives.regression import estimators
from seedbed.objectives.regression.functions import Functions, normal
from seedbed.objectives.regression.vectors import answers, features

ROWS = np.arange(40)
ALL = {"dense": 1.0, "sparse": 1.0, "blend": 1.0, "relu": 1.0, "sinusoid": 1.0}


def test_normal() -> None:
    drawn = normal(3, np.arange(20_000))
    assert (abs(drawn.mean()), drawn.std()) == pytest.approx((0, 1), abs=0.02)
    assert np.abs(drawn).max() > 3.5 and (drawn < -1.645).mean() == pytest.approx(0.05, abs=0.01)


@pytest.mark.parametrize("family", list(ALL))
def test_values_have_the_variance_of_the_dimension(family: str) -> None:
    x, y = Functions({family: 1.0}, dimension=6, noise=0.0).sequences(np.arange(3000), 3, 0)
    assert x.std() == pytest.approx(1.0, abs=0.02) and y.std() ** 2 == pytest.approx(6.0, rel=0.15)


def test_sequences_are_those_of_their_numbers() -> None:
    """Whatever others are drawn, and however long they are."""
    functions = Functions(ALL, dimension=3)
    x, y = functions.sequences(ROWS, 6, 1)
    some_x, some_y = functions.sequences(ROWS[7:9], 4, 1)
    assert np.array_equal(some_x, x[7:9, :4]) and np.array_equal(some_y, y[7:9, :4])
    assert not np.array_equal(functions.sequences(ROWS, 6, 2)[1], y)


def test_a_pool_of_functions() -> None:
    """Sequences have one of so many weights, the same in every run; without noise these give the values back."""
    functions = Functions({"dense": 1.0, "sparse": 1.0}, dimension=4, noise=0.0, tasks=3)
    weights = functions.weights()
    assert weights.shape == (3, 4)
    used = set()
    for seed in (0, 1):
        x, y = functions.sequences(ROWS, 5, seed)
        distance = np.abs(y[:, :, None] - x @ weights.T).max(1)
        assert distance.min(1).max() < 1e-9
        used |= set(distance.argmin(1).tolist())
    assert used == {0, 1, 2}
    assert not np.allclose(Functions(dimension=4, noise=0.0, tasks=3, pool=1).weights(), weights)


def test_sparse_functions_use_few_coordinates() -> None:
    weights = Functions({"sparse": 1.0}, dimension=6, nonzero=2, tasks=50).weights()
    assert ((weights != 0).sum(1) == 2).all()
    assert len({tuple(row) for row in weights != 0}) > 10


def test_a_spectrum_that_decays() -> None:
    x, _ = Functions(dimension=4, decay=2.0).sequences(np.arange(4000), 2, 0)
    assert x.var((0, 1)) == pytest.approx([1, 1 / 4, 1 / 9, 1 / 16], rel=0.1)


def test_ridge() -> None:
    functions = Functions(dimension=3, noise=0.4)
    x, y = functions.sequences(ROWS[:5], 7, 0)
    ours = estimators.ridge(x, y, 0.4)
    for row in range(5):
        for place in range(7):
            before, values = x[row, :place], y[row, :place]
            w = np.linalg.solve(before.T @ before + 0.16 * np.eye(3), before.T @ values)
            assert ours[row, place] == pytest.approx(x[row, place] @ w, abs=1e-9)


def test_discrete() -> None:
    functions = Functions(dimension=3, noise=0.5, tasks=6)
    weights = functions.weights()
    x, y = functions.sequences(ROWS[:4], 5, 0)
    ours = estimators.optimal(x, y, functions)
    for row in range(4):
        for place in range(5):
            chance = [np.exp(-np.sum((y[row, :place] - x[row, :place] @ w) ** 2) / 0.5) for w in weights]
            said = sum(p * (x[row, place] @ w) for p, w in zip(chance, weights, strict=True)) / sum(chance)
            assert ours[row, place] == pytest.approx(said, abs=1e-9)


def test_optimal_over_supports_and_families() -> None:
    """By the densities of all values before at once, for every support of the sparse functions."""
    functions = Functions({"dense": 3.0, "sparse": 1.0}, dimension=3, noise=0.5, nonzero=1)
    x, y = functions.sequences(ROWS[:6], 6, 0)
    ours = estimators.optimal(x, y, functions)
    priors = [(3 / 4, np.eye(3))]
    for support in combinations(range(3), 1):
        covariance = np.zeros((3, 3))
        covariance[support[0], support[0]] = 3.0
        priors.append((1 / 12, covariance))
    for row in range(6):
        for place in range(6):
            before, values = x[row, :place], y[row, :place]
            total = said = 0.0
            for share, covariance in priors:
                spread = before @ covariance @ before.T + 0.25 * np.eye(place)
                solved = np.linalg.solve(spread, values) if place else values
                density = share * np.exp(-0.5 * values @ solved) / np.sqrt(np.linalg.det(spread))
                total += density
                said += density * (x[row, place] @ covariance @ before.T @ solved)
            assert ours[row, place] == pytest.approx(said / total, abs=1e-9)


@pytest.mark.parametrize("family", ["sparse", "blend", "dense"])
def test_the_optimal_one_is_the_best(family: str) -> None:
    functions = Functions({family: 1.0}, dimension=5, noise=0.3, nonzero=1)
    x, y = functions.sequences(np.arange(400), 8, 0)
    best = np.square(estimators.optimal(x, y, functions) - y).mean()
    ridge = np.square(estimators.ridge(x, y, 0.3) - y).mean()
    assert best == pytest.approx(ridge) if family == "dense" else best < 0.97 * ridge


def test_linear_attention() -> None:
    """What it says by the formula; one step from zero by hand; with more tasks it comes near to the best matrix, which
    for inputs of variance 1 is the identity times 1 / (1 + (D + 1 + noise^2) / n)."""
    functions = Functions(dimension=2, noise=1.0)
    x, y = functions.sequences(ROWS[:3], 5, 0)
    gamma = np.array([[1.0, 2.0], [0.5, -1.0]])
    said = estimators.attended(x, y, gamma)
    for row in range(3):
        assert said[row, 0] == 0.0
        for place in range(1, 5):
            mean = sum(y[row, other] * x[row, other] for other in range(place)) / place
            assert said[row, place] == pytest.approx(x[row, place] @ gamma @ mean)
    first = estimators.linear_attention(functions, 1, 5, 0, 0.1)
    mean = sum(y[0, other] * x[0, other] for other in range(4)) / 4
    assert first == pytest.approx(0.1 * y[0, 4] * np.outer(x[0, 4], mean))
    learned = estimators.linear_attention(functions, 6000, 9, 1, 0.03)
    assert learned == pytest.approx(np.eye(2) / (1 + 4 / 8), abs=0.08)


def test_families_without_an_estimator() -> None:
    with pytest.raises(InputError, match="no best estimator"):
        estimators.optimal(np.zeros((1, 2, 8)), np.zeros((1, 2)), Functions({"relu": 1.0}))
    with pytest.raises(InputError, match="not linear"):
        Functions({"relu": 1.0}, tasks=2).weights()


def test_features() -> None:
    found = features(np.array([[[0.5, 2.0]]]), np.array([[3.0]]))
    assert found.tolist() == [[[0.5, 2.0, 0, 1, 0], [0, 0, 3.0, 0, 1]]]


def test_loss() -> None:
    """The squared errors of what the network says at each point, read from the pieces by hand."""
    objective: Any = objectives.create("in_context_regression", families=ALL, dimension=3)
    network = make_run(objective).network
    batch = batch_of([[list(range(5, 21))], [[5, 6, 7, 8, 9]]])
    batch.rows_B += 6
    found = objective.loss(network, objective.corrupt(batch, seed=4, progress=0.0).to("cpu"))
    x, y = objective.functions.sequences(np.array([6, 7]), 8, 4)
    wanted, table = 0.0, network.embedding.weight
    for row, points in ((0, 8), (1, 2)):
        vectors = []
        for place in range(points):
            point = sum(float(value) * table[axis] for axis, value in enumerate(x[row, place]))
            vectors += [point + table[4], float(y[row, place]) * table[3] + table[5]]
        with torch.no_grad():
            states = network.read(torch.stack(vectors)[None])[0, ::2]
            said = network.logits(states)[:, 3]
        wanted += float(np.square(said.double().numpy() - y[row, :points]).sum())
    assert found.count == 10
    assert float(found.sum.detach()) == pytest.approx(wanted, rel=1e-4)


def test_a_value_is_not_known_before_it_is_said() -> None:
    network = make_run("in_context_regression").network
    x, y = Functions().sequences(ROWS[:1], 4, 0)
    where = torch.arange(0, 8, 2)
    with torch.no_grad():
        before = answers(network, torch.from_numpy(features(x, y)), None, None, where)
        y[0, 2] += 1.0
        after = answers(network, torch.from_numpy(features(x, y)), None, None, where)
    assert (before != after).tolist() == [False, False, False, True]


def test_bad_settings() -> None:
    for name, value in (("families", {"cubic": 1.0}), ("families", {"dense": 0.0}), ("tasks", 0), ("nonzero", 9)):
        with pytest.raises(InputError, match=name):
            objectives.create("in_context_regression", **{name: value})
    with pytest.raises(InputError, match="more than the tokenizer"):
        objectives.create("in_context_regression", dimension=62).bind(vocabulary())
