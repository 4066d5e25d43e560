"""In-context regression: systems and their distances."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from seedbed.core.errors import InputError
from seedbed.evaluate import tasks
from seedbed.evaluate.task import EvaluationContext
from seedbed.models.artifact import Model


def scores(model: Model, **parameters: Any) -> dict[str, dict[str, float]]:
    made: Any = tasks.create("in_context_regression", sequences=60, points=6, dimension=3, **parameters)
    result = made.run(EvaluationContext(model, seeds=1))
    assert set(result.runs[0].measures) == set(result.higher_is_better)
    return {run.system: {name: measure.value for name, measure in run.measures.items()} for run in result.runs}


def test_new_functions(decoder: Model) -> None:
    found = scores(decoder, tasks=None, reference=2)
    assert set(found) == {"model", "untrained", "ridge", "optimal", "pool"}
    assert found["ridge"]["to_ridge"] == found["pool"]["to_pool"] == 0
    assert found["ridge"]["to_optimal"] == pytest.approx(0, abs=1e-12), "with dense functions they are one"
    assert found["ridge"]["error"] < min(found[name]["error"] for name in ("model", "untrained", "pool"))


def test_functions_of_the_pool(decoder: Model) -> None:
    """Who knows the pool does better on it, and last points are better than all."""
    found = scores(decoder, tasks=2)
    assert found["pool"]["error"] < found["ridge"]["error"]
    assert found["ridge"]["last"] < found["ridge"]["error"]


def test_linear_attention(decoder: Model) -> None:
    """With many tasks it is better than with one, and not as good as the best."""
    one, many = (scores(decoder, linear_attention=tasks, noise=2.0, rate=0.02) for tasks in (1, 1500))
    assert one["linear_attention"]["last"] > many["linear_attention"]["last"] > many["ridge"]["last"]


def test_families_without_estimator(decoder: Model) -> None:
    assert set(scores(decoder, families={"relu": 1.0})) == {"model", "untrained", "ridge"}


def test_what_was_known_may_be_something_else(decoder: Model) -> None:
    """Blends, asked of who expects either family."""
    found = scores(decoder, families={"blend": 1.0}, known={"dense": 1.0, "sparse": 1.0}, nonzero=1)
    assert found["optimal"]["to_ridge"] > 0


def test_items_are_errors_by_place(decoder: Model) -> None:
    made: Any = tasks.create("in_context_regression", sequences=20, points=5, dimension=3)
    (run, *_) = made.run(EvaluationContext(decoder, baselines=False)).runs
    assert len(run.items.score) == 5
    assert np.mean(run.items.score) == pytest.approx(run.measures["error"].value)


def test_encoders_are_refused(encoder: Model) -> None:
    with pytest.raises(InputError, match="needs a causal model"):
        scores(encoder)
