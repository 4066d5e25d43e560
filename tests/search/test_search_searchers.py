"""What every searcher promises, and what each computes."""

from __future__ import annotations

import itertools
import math
from typing import Any

import numpy as np
import pytest
import torch

from seedbed.search import searchers
from seedbed.search.features import embedded, features
from seedbed.search.neural import Surrogate
from seedbed.search.regression import expected_improvement, process, ridge
from seedbed.search.searcher import Trial, View
from seedbed.search.searching.tree import grown, path, rewards
from seedbed.search.space import Point, Space

SPACE = Space({"w": {"between": [1, 4]}, "kind": ["a", {"b": {"one of": [1, 2]}}], "n": [1, 2]})


def worth(point: Point) -> float:
    return (point.values["w"] - 3) ** 2 + (0 if point.values["kind"] == "a" else 1) + 0.1 * point.values["n"]


def searched(name: str, num: int, seed: int = 0, **more: Any) -> list[Trial]:
    searcher, trials = searchers.create(name), list[Trial]()
    while len(trials) < num:
        point = searcher.propose(View(SPACE, seed, trials, **more))
        if point is None:
            break
        trials.append(Trial(point, worth(point) if point.values["n"] == 1 or point.values["w"] != 2 else None))
    return trials


@pytest.mark.parametrize("name", searchers.names())
def test_every_searcher_tries_each_point_once_and_only_what_it_may(name: str) -> None:
    trials = searched(name, 30, allowed=lambda point: point.values["w"] == 2)
    keys = [trial.point.key for trial in trials]
    assert len(set(keys)) == len(keys) == 6
    assert all(trial.point.values["w"] == 2 for trial in trials)


@pytest.mark.parametrize("name", searchers.names())
def test_every_searcher_goes_on_as_it_would_have(name: str) -> None:
    trials = searched(name, 5, seed=4)
    again = searchers.create(name).propose(View(SPACE, 4, trials[:-1]))
    assert again is not None and again.key == trials[-1].point.key
    assert [t.point.key for t in searched(name, 3, seed=5)] != [t.point.key for t in trials[:3]]


def test_rewards_are_ranks() -> None:
    points = list(SPACE.points())
    trials = [Trial(point, value) for point, value in zip(points, [3.0, 1.0, None, 2.0, 1.0], strict=False)]
    assert rewards(trials) == pytest.approx([0, 1, 0, 1 / 3, 1])


def test_a_path_halves_numbers() -> None:
    (point,) = (p for p in SPACE.points() if p.values == {"w": 3, "kind": {"b": 2}, "n": 1})
    assert list(path(point, True)) == [(1, 2), (0, 2), (1, 2), (1, 2), (0, 2)]  # upper half, lower of it; b; 2; 1
    assert list(path(point, False)) == [(2, 4), (1, 2), (1, 2), (0, 2)]


def test_the_tree_and_its_bounds_equal_a_slow_count() -> None:
    trials = searched("tree", 12)
    root, reward = grown(trials, True), rewards(trials)
    prefixes = [list(itertools.accumulate(path(t.point, True), lambda a, b: (*a, b), initial=())) for t in trials]
    there, visited = {()}, []  # places of the tree: a trial adds the branches of the last place that it reaches
    for steps in prefixes:
        last = max((place for place in steps if place in there), key=len)
        if len(steps) > len(last) + 1:
            _, size = steps[len(last) + 1][-1]
            there |= {(*last, (which, size)) for which in range(size)}
        visited.append({place for place in steps if place in there})
    stack, places = [((), root)], 0
    while stack:
        prefix, node = stack.pop()
        places += 1
        mine = [value for value, seen in zip(reward, visited, strict=True) if prefix in seen]
        assert node.trials == len(mine) and node.total == pytest.approx(sum(mine))
        stack += [((*prefix, (which, len(node.children))), child) for which, child in enumerate(node.children)]
    assert places == len(there)
    scores = root.scores(0.5)
    for child, score in zip(root.children, scores, strict=True):
        assert score == pytest.approx(child.total / child.trials + 0.5 * math.sqrt(2 * math.log(12) / child.trials))


def test_features_of_open_and_closed_decisions() -> None:
    a, b = (
        p for p in SPACE.points() if p.values["w"] == 3 and p.values["n"] == 1 and p.values["kind"] in ("a", {"b": 1})
    )
    rows = features([a, b])
    assert rows.shape == (2, 8)  # w, n and b are numbers with a column of presence each; kind has two options
    assert {tuple(column) for column in rows.T} == {(1, 0), (0, 1), (0, 0), (1, 1), (2 / 3, 2 / 3)}


def test_ridge_is_the_solution_of_its_equations() -> None:
    random = np.random.default_rng(0)
    x, y, asked = random.normal(size=(12, 3)), random.normal(size=12), random.normal(size=(4, 3))
    mean, deviation = ridge(x, y, asked, weight=0.7)
    rows = np.vstack(
        [np.hstack([np.ones((12, 1)), x - x.mean(0)]), np.hstack([np.zeros((3, 1)), math.sqrt(0.7) * np.eye(3)])]
    )
    solution = np.linalg.lstsq(rows, np.concatenate([y, np.zeros(3)]), rcond=None)[0]
    np.testing.assert_allclose(mean, solution[0] + (asked - x.mean(0)) @ solution[1:])
    near, far = ridge(x, y, np.stack([x.mean(0), x.mean(0) + 10]))[1]
    assert near < far and (deviation > 0).all()


def test_the_process_is_the_likeliest_of_its_grid() -> None:
    from scipy.special import gamma, kv

    def kernel(first: np.ndarray, second: np.ndarray, length: float) -> np.ndarray:
        scaled = np.sqrt(5 * ((first[:, None] - second[None]) ** 2).sum(-1)) / length
        safe = np.maximum(scaled, 1e-9)
        return np.where(scaled > 0, 2**-1.5 / gamma(2.5) * safe**2.5 * kv(2.5, safe), 1.0)

    random = np.random.default_rng(3)
    x, asked = random.random((15, 2)), random.random((5, 2))
    y = np.sin(5 * x[:, 0]) + 0.1 * random.normal(size=15)
    y = (y - y.mean()) / y.std()
    apart = np.sqrt(((x[:, None] - x[None]) ** 2).sum(-1))
    found = []
    for length in (0.25, 0.5, 1.0, 2.0, 4.0):
        for noise in (1e-4, 1e-2, 1e-1, 0.5):
            unit = length * float(np.median(apart[apart > 0]))
            inverse = np.linalg.inv(kernel(x, x, unit) + noise * np.eye(15))
            across = kernel(x, asked, unit)
            mean, variance = across.T @ inverse @ y, 1 - (across * (inverse @ across)).sum(0)
            found.append((-y @ inverse @ y + np.linalg.slogdet(inverse)[1], mean, np.sqrt(variance)))
    _, expected, spread = max(found, key=lambda row: float(row[0]))
    mean, deviation = process(x, y, asked)
    np.testing.assert_allclose(mean, expected, rtol=1e-5, atol=1e-7)
    np.testing.assert_allclose(deviation, spread, rtol=1e-4)


def test_expected_improvement_is_an_expectation() -> None:
    mean, deviation = np.array([0.0, 1.0, -0.5]), np.array([1.0, 0.3, 0.2])
    z = np.linspace(-8, 8, 20001)
    density = np.exp(-(z**2) / 2) / math.sqrt(2 * math.pi)
    gains = np.maximum(0.2 - (mean[:, None] + deviation[:, None] * z), 0)
    np.testing.assert_allclose(
        expected_improvement(mean, deviation, 0.2), (gains * density).sum(1) * (z[1] - z[0]), rtol=1e-4
    )


def test_scaling_keeps_distances_that_a_plane_has() -> None:
    places = np.random.default_rng(0).random((9, 2))
    apart = np.sqrt(((places[:, None] - places[None]) ** 2).sum(-1))
    found = embedded(apart, 8)
    assert found.shape == (9, 2) and found.min() == 0 and found.max() == 1
    again = np.sqrt(((found[:, None] - found[None]) ** 2).sum(-1))
    np.testing.assert_allclose(again / again.max(), apart / apart.max(), atol=1e-9)
    assert embedded(np.zeros((3, 3)), 2).shape == (3, 1)


def test_the_neural_surrogate_learns_and_descends() -> None:
    x = np.random.default_rng(0).random((20, 2))
    surrogate = Surrogate(x, (x**2).sum(1), (0.2, 0.2), seed=1)
    corners = torch.tensor([[0.05, 0.05], [0.95, 0.95]])
    low, high = surrogate.bound(corners).tolist()
    assert low < high
    start = np.array([0.6, 0.7], dtype=np.float32)
    found = surrogate.descend(start)
    assert ((found >= 0) & (found <= 1)).all()
    before, after = surrogate.bound(torch.tensor(np.stack([start, found]))).tolist()
    assert after < before


def test_a_step_is_the_gradient_over_the_curvature(monkeypatch: pytest.MonkeyPatch) -> None:
    from seedbed.search import neural

    x = np.random.default_rng(0).random((8, 2))
    surrogate = Surrogate(x, x[:, 0], (0.2, 0.2), seed=1)
    monkeypatch.setattr(neural, "_DESCENT", 2)  # the best of the start and of what one step leads to
    monkeypatch.setattr(neural, "_REACH", 10.0)
    start = torch.tensor([0.5, 0.5])

    def bound(place: torch.Tensor) -> torch.Tensor:
        return surrogate.bound(place[None])[0]

    gradient = torch.autograd.functional.jacobian(bound, start)
    curvature = torch.autograd.functional.hessian(bound, start).diagonal()
    stepped = (start - gradient / curvature.abs().clamp(min=1e-3)).clamp(0, 1)
    expected = stepped if bound(stepped) < bound(start) else start
    np.testing.assert_allclose(surrogate.descend(start.numpy()), expected.numpy(), rtol=1e-4, atol=1e-5)
