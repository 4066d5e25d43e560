"""Samples: what is counted is what was written."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest

from seedbed.core.errors import InputError
from seedbed.corpus.artifact import Corpus
from seedbed.evaluate import tasks
from seedbed.evaluate.task import EvaluationContext
from seedbed.models.artifact import Model


def test_rates(decoder: Model, corpus: Corpus) -> None:
    made: Any = tasks.get("samples").target(corpus, pattern="gull", samples=12, most=10, prompt=2)
    result = made.run(EvaluationContext(decoder, seeds=1))
    assert [run.system for run in result.runs] == ["model", "untrained", "corpus"]
    for run in result.runs:
        found = [bool(re.search("gull", text)) for text in run.items.prediction]
        assert run.measures["rate"].value == pytest.approx(np.mean(found))
    assert 0 < result.runs[-1].measures["rate"].value < 1, "the corpus has gulls"


def test_the_likeliest_is_what_one_of_one_is(decoder: Model, corpus: Corpus) -> None:
    said = []
    for settings in ({"temperature": 0.0}, {"top_k": 1}, {"top_p": 1e-9}, {"top_k": 5}, {}):
        made: Any = tasks.get("samples").target(corpus, pattern="gull", samples=6, most=6, prompt=2, **settings)
        said.append(made.run(EvaluationContext(decoder, seeds=1)).runs[0].items.prediction)
    assert said[0] == said[1] == said[2] and said[0] != said[3] != said[4]


def test_bad_settings(decoder: Model, corpus: Corpus) -> None:
    with pytest.raises(InputError, match="no regular expression"):
        tasks.get("samples").target(corpus, pattern="(")
    for name, value in (("temperature", -1.0), ("top_k", 0), ("top_p", 1.5)):
        with pytest.raises(InputError, match=name):
            tasks.get("samples").target(corpus, pattern="x", **{name: value})
    for parameters, problem in (({"mark": "<|good|>"}, "does not have this token"), ({"most": 5000}, "max_length")):
        made: Any = tasks.get("samples").target(corpus, pattern="x", **parameters)
        with pytest.raises(InputError, match=problem):
            made.run(EvaluationContext(decoder))
