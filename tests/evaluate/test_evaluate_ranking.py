"""Ranks by hand, and both retrieval tasks."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from seedbed.core.source import Source
from seedbed.corpus.artifact import Corpus
from seedbed.evaluate import tasks
from seedbed.evaluate.ranking import Pair, _directions, _scored, ranks
from seedbed.evaluate.task import EvaluationContext, Task, TaskResult
from seedbed.models.artifact import Model


def make(name: str, **parameters: Any) -> Task:
    return tasks.get(name).target(**parameters)  # type: ignore[no-any-return]


def value(result: TaskResult, system: str, metric: str) -> float:
    return next(run for run in result.runs if run.system == system).measures[metric].value


def test_ranks_and_metrics_by_hand() -> None:
    scores = np.array([[0.9, 0.1, 0.5], [0.9, 0.1, 0.5], [0.2, 0.2, 0.2], [0.3, 0.3, 0.1]])
    right = np.array([0, 1, 1, 0])
    assert ranks(scores, right).tolist() == [1, 3, 2, 1.5]
    pairs = [Pair(f"p{n}", "q", f"d{right[n]}") for n in range(4)] + [Pair("p4", "q", "d2")]
    run = _scored("x", None, np.vstack([scores, [[0, 0, 1]]]), np.append(right, 2), pairs)
    assert run.measures["mrr"].value == pytest.approx((1 + 1 / 3 + 1 / 2 + 1 / 1.5 + 1) / 5)
    assert run.measures["recall_at_1"].value == pytest.approx(2 / 5)
    assert run.measures["recall_at_10"].value == 1.0
    assert list(run.items.truth) == ["p0", "p1", "p1", "p0", "p4"]
    assert list(run.items.prediction) == ["p0", "p0", "p0", "p0", "p4"]


def test_directions_do_not_see_what_all_texts_share() -> None:
    states = np.random.default_rng(0).normal(size=(6, 4))
    assert _directions(states + 1000.0) == pytest.approx(_directions(states), abs=1e-9)
    assert np.linalg.norm(_directions(states), axis=1) == pytest.approx(np.ones(6))
    assert _directions(np.ones((3, 4))).tolist() == np.zeros((3, 4)).tolist()


@pytest.fixture(scope="module")
def pairs(tmp_path_factory: pytest.TempPathFactory) -> Source:
    """A query names a bird and a place; its document says the same in letters, so that no word is shared."""
    draw = random.Random(0)
    birds, places = (
        ["gull", "owl", "crow", "wren", "finch", "stork", "heron", "robin"],
        ["roof", "river", "wall", "field", "bridge"],
    )
    records = [
        {"id": f"{b}{p}", "query": f"the {birds[b]} by the {places[p]}", "document": f"{'abcdefgh'[b]} {'pqrst'[p]}"}
        for b in range(8)
        for p in range(5)
    ]
    draw.shuffle(records)
    path = tmp_path_factory.mktemp("pairs") / "all.jsonl"
    path.write_text("".join(json.dumps(record) + "\n" for record in records))
    return Source(path)


def test_retrieval_learns_what_words_do_not_share(encoder: Model, pairs: Source) -> None:
    context = EvaluationContext(encoder, seeds=1)
    zero = make("retrieval", data=pairs, method="zero_shot").run(context)
    task = make("retrieval", data=pairs, epochs=20.0, lr=3e-3, batch_size=8)
    tuned = task.run(context)
    assert [run.system for run in tuned.runs] == ["model", "untrained", "tfidf", "bm25"]
    num = tuned.counts["candidates"]
    assert value(tuned, "tfidf", "mrr") == value(tuned, "bm25", "mrr") == pytest.approx(2 / (num + 1))  # all equal
    assert value(tuned, "model", "mrr") > 0.7 > value(zero, "model", "mrr")
    assert value(task.run(context), "model", "mrr") == value(tuned, "model", "mrr")


def test_docstring_retrieval(encoder: Model, python_corpus: Corpus) -> None:
    task = make("docstring_retrieval", corpus=python_corpus, epochs=4.0, lr=3e-3, max_length=64)
    result = task.run(EvaluationContext(encoder, seeds=1))
    num = result.counts["candidates"]
    assert 8 < num <= 16 and result.counts["queries"] == num
    assert value(result, "tfidf", "mrr") > 0.9  # the name says what the docstring says
    assert value(result, "model", "mrr") > np.mean([1 / rank for rank in range(1, num + 1)])
    texts = dict(result.test_texts)
    assert all('"""' not in text and text.split("\n")[1].startswith("def ") for text in texts.values())


def test_equal_documents_are_one_candidate(encoder: Model, tmp_path: Path) -> None:
    records = [{"query": f"owl {n}", "document": "the same"} for n in range(3)] + [{"query": "x", "document": "other"}]
    path = tmp_path / "test.jsonl"
    path.write_text("".join(json.dumps(record) + "\n" for record in records))
    task = make("retrieval", data=Source(path), test=Source(path), method="zero_shot")
    result = task.run(EvaluationContext(encoder, seeds=1))
    assert result.counts["candidates"] == 2 and result.counts["test_documents_in_train"] == 2
