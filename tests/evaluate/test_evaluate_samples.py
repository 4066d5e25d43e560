"""Samples: what is drawn follows the network's chances, and what is counted is what was written."""

from __future__ import annotations

import re
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

from seedbed.core.errors import InputError
from seedbed.corpus.artifact import Corpus
from seedbed.evaluate import tasks
from seedbed.evaluate.sampling import continued
from seedbed.evaluate.task import EvaluationContext
from seedbed.models.artifact import Model

END, SIZE = 3, 8


def chain(chances_VV: np.ndarray) -> Any:
    """A network whose next token hangs on the last one alone."""
    log_VV = torch.from_numpy(np.log(np.maximum(chances_VV, 1e-12)))
    return SimpleNamespace(
        vocabulary_size=len(chances_VV),
        parameters=lambda: iter([log_VV]),
        hidden=lambda tokens_BL, segments_BL: log_VV[tokens_BL],
        logits=lambda hidden: hidden,
    )


def test_tokens_are_drawn_as_they_are_likely() -> None:
    chances = np.random.default_rng(0).dirichlet(np.ones(SIZE), SIZE)
    forbidden = np.zeros(SIZE, bool)
    forbidden[[0, 5]] = True
    said = continued(chain(chances), [[4]] * 4000, 2, seed=0, end=END, forbidden_V=forbidden)
    allowed = np.where(forbidden, 0, chances)
    allowed /= allowed.sum(1, keepdims=True)
    first = np.bincount([row[0] if row else END for row in said], minlength=SIZE) / 4000
    np.testing.assert_allclose(first, allowed[4], atol=0.03)
    behind = [row for row in said if row and row[0] == 6]
    second = np.bincount([row[1] if len(row) > 1 else END for row in behind], minlength=SIZE) / len(behind)
    np.testing.assert_allclose(second, allowed[6], atol=0.08)


def test_the_end_ends() -> None:
    chances = np.zeros((SIZE, SIZE))
    chances[1, 2] = chances[2, END] = chances[4, 4] = 1.0
    said = continued(chain(chances), [[1], [4]], 5, seed=0, end=END, forbidden_V=np.zeros(SIZE, bool))
    assert said == [[2], [4] * 5]


def test_the_same_whatever_else_is_asked() -> None:
    network = chain(np.random.default_rng(1).dirichlet(np.ones(SIZE), SIZE))
    free = np.zeros(SIZE, bool)
    whole = continued(network, [[1], [2], [6]], 6, seed=4, end=None, forbidden_V=free)
    assert continued(network, [[1], [2]], 6, seed=4, end=None, forbidden_V=free) == whole[:2]
    assert continued(network, [[1], [2], [6]], 6, seed=5, end=None, forbidden_V=free) != whole


def test_rates(decoder: Model, corpus: Corpus) -> None:
    made: Any = tasks.get("samples").target(corpus, pattern="gull", samples=12, most=10, prompt=2)
    result = made.run(EvaluationContext(decoder, seeds=1))
    assert [run.system for run in result.runs] == ["model", "untrained", "corpus"]
    for run in result.runs:
        found = [bool(re.search("gull", text)) for text in run.items.prediction]
        assert run.measures["rate"].value == pytest.approx(np.mean(found))
    assert 0 < result.runs[-1].measures["rate"].value < 1, "the corpus has gulls"


def test_bad_settings(decoder: Model, corpus: Corpus) -> None:
    with pytest.raises(InputError, match="no regular expression"):
        tasks.get("samples").target(corpus, pattern="(")
    for parameters, problem in (({"mark": "<|good|>"}, "does not have this token"), ({"most": 5000}, "max_length")):
        made: Any = tasks.get("samples").target(corpus, pattern="x", **parameters)
        with pytest.raises(InputError, match=problem):
            made.run(EvaluationContext(decoder))
