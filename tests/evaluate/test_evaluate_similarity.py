"""Similarities: correlation of ranks and anisotropy against slow formulas."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from scipy.stats import spearmanr

from seedbed.core.errors import InputError
from seedbed.core.source import Source
from seedbed.evaluate import tasks
from seedbed.evaluate.suite.similarity import ranks
from seedbed.evaluate.task import EvaluationContext, TaskResult
from seedbed.models.artifact import Model

PAIRS = [
    ("the gull sees the owl .", "the owl sees the gull .", 4.0),
    ("the heron wakes the robin .", "a crow .", 1),
    ("the owl hears a crow .", "the crow hears an owl by the river .", 3.5),
    ("the robin by the roof .", "the gull by the river .", 1),
    ("a heron .", "the heron wakes .", 2),
]


def asked(folder: Path, model: Model, pairs: list[tuple[Any, ...]], **parameters: Any) -> TaskResult:
    folder.mkdir(exist_ok=True)
    for part, rows in (("train", PAIRS[:1]), ("test", pairs)):
        records = [json.dumps(dict(zip(("first", "second", "score"), row, strict=True))) for row in rows]
        (folder / f"{part}.jsonl").write_text("\n".join(records))
    task: Any = tasks.get("similarity").target(Source(folder), **parameters)
    result: TaskResult = task.run(EvaluationContext(model, seeds=1))
    return result


@pytest.mark.parametrize("pooling", ["mean", "first"])
def test_scores_equal_slow_formulas(encoder: Model, tmp_path: Path, pooling: str) -> None:
    result = asked(tmp_path / "data", encoder, PAIRS, pooling=pooling)
    assert [run.system for run in result.runs] == ["model", "untrained", "tfidf"]
    run, network, tokenizer = result.runs[0], EvaluationContext(encoder).trained, encoder.tokenizer().load()

    def vector(text: str) -> np.ndarray:
        with torch.no_grad():
            hidden = network.hidden(torch.tensor([tokenizer.encode(text).ids]))[0].double().numpy()
        found: np.ndarray = hidden.mean(0) if pooling == "mean" else hidden[0]
        return found / np.linalg.norm(found)

    one, other = ([vector(pair[side]) for pair in PAIRS] for side in (0, 1))
    cosines = [a @ b for a, b in zip(one, other, strict=True)]
    expected = spearmanr(cosines, [pair[2] for pair in PAIRS]).statistic
    assert run.measures["spearman"].value == pytest.approx(expected, abs=1e-6)
    elsewhere = [one[i] @ other[j] for i in range(5) for j in range(5) if i != j]
    assert run.measures["anisotropy"].value == pytest.approx(np.mean(elsewhere), abs=1e-5)
    assert result.higher_is_better == {"spearman": True, "anisotropy": False} and result.counts["pairs"] == 5


def test_equal_values_share_a_rank() -> None:
    assert ranks(np.array([3.0, 1.0, 3.0, 2.0, 3.0])).tolist() == [4, 1, 4, 2, 4]


def test_errors(encoder: Model, tmp_path: Path) -> None:
    for pairs, message in (
        ([("a", "b", "high"), ("c", "d", 1)], "is no number"),
        ([("a", "b", 1), ("c", "d", 1)], "the same score"),
    ):
        with pytest.raises(InputError, match=message):
            asked(tmp_path / "data", encoder, pairs)
