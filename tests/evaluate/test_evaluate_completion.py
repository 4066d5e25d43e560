"""Completions: scores against a plain forward pass, and against writing token by token."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from seedbed.core.errors import InputError
from seedbed.core.source import Source
from seedbed.evaluate import tasks
from seedbed.evaluate.task import EvaluationContext, TaskResult
from seedbed.models.artifact import Model

TEXT = "the gull sees the owl by the river ."


def asked(folder: Path, model: Model, records: list[dict[str, Any]]) -> TaskResult:
    folder.mkdir(exist_ok=True)
    for part in ("train", "test"):
        (folder / f"{part}.jsonl").write_text("".join(json.dumps(record) + "\n" for record in records))
    task: Any = tasks.get("completion").target(Source(folder))
    result: TaskResult = task.run(EvaluationContext(model, baselines=False))
    return result


def ending(text: str, answer: str) -> dict[str, Any]:
    return {"text": text, "start": text.index(answer), "end": text.index(answer) + len(answer)}


def test_nats_and_exact(decoder: Model, tmp_path: Path) -> None:
    """The answer that the network itself would write is exact; another one is not."""
    network: Any = decoder.network()
    tokenizer = decoder.tokenizer().load()
    ids = tokenizer.encode(TEXT).ids
    with torch.no_grad():
        log_p = network.logits(network.hidden(torch.tensor([ids]))[0]).double().log_softmax(-1)
    offsets = tokenizer.encode(TEXT).offsets
    record = ending(TEXT, "owl by")
    columns = [c for c, (a, b) in enumerate(offsets) if b > a and a < record["end"] and b > record["start"]]
    result = asked(tmp_path / "data", decoder, [record])
    (run,) = result.runs
    assert run.measures["nats"].value == pytest.approx(-sum(float(log_p[c - 1, ids[c]]) for c in columns), rel=1e-4)
    right = [int(log_p[c - 1].argmax()) == ids[c] for c in columns]
    assert run.measures["tokens"].value == pytest.approx(np.mean(right))
    assert run.measures["exact"].value == float(all(right))


def test_nothing_before_the_answer(decoder: Model, tmp_path: Path) -> None:
    result = asked(tmp_path / "data", decoder, [ending(TEXT, "the"), ending(TEXT, "river")])
    prefix = EvaluationContext(decoder).coder(64).prefix
    assert result.counts == ({"records": 2, "left_out": 0} if prefix else {"records": 1, "left_out": 1})


def test_encoders_are_refused(encoder: Model, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="needs a causal model"):
        asked(tmp_path / "data", encoder, [ending(TEXT, "owl")])
