"""multiple_choice: the right one of several, from the text or from a graph beside it."""

from __future__ import annotations

import json
import random
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from seedbed.core.errors import InputError
from seedbed.core.source import Source
from seedbed.data.knowledge import KnowledgeGraph
from seedbed.evaluate import tasks
from seedbed.evaluate.choosing import Chooser
from seedbed.evaluate.task import EvaluationContext, TaskResult
from seedbed.models.artifact import Model
from seedbed.models.graph import GraphShape, GraphSide

BIRDS = ["gull", "owl", "crow", "wren", "finch", "stork", "heron", "robin"]


def make(**parameters: Any) -> Any:
    return tasks.get("multiple_choice").target(**parameters)


def write(path: Path, records: list[dict[str, Any]]) -> Source:
    path.write_text("".join(json.dumps(record) + "\n" for record in records))
    return Source(path)


def values(result: TaskResult, system: str) -> dict[str, float]:
    run = next(run for run in result.runs if run.system == system)
    return {name: measure.value for name, measure in run.measures.items()}


def questions(count: int, seed: int = 0) -> list[dict[str, Any]]:
    """The right one of three is the only one that is no owl and no gull."""
    draw, found = random.Random(seed), []
    for number in range(count):
        wrong, right = [f"the {draw.choice(BIRDS[:2])} sees {n}" for n in range(2)], f"the {draw.choice(BIRDS[2:])}"
        choices = [*wrong, f"{right} sees {number}"]
        draw.shuffle(choices)
        label = next(place for place, choice in enumerate(choices) if choice.startswith(right))
        found.append({"id": f"q{number}", "text": f"{number} by the wall", "choices": choices, "label": label})
    return found


def test_the_right_choice_is_learned_and_told_by_hops(encoder: Model, tmp_path: Path) -> None:
    records = questions(120)
    for number, record in enumerate(records):
        record["hops"] = 1 + number % 2
    result = make(data=write(tmp_path / "all.jsonl", records), epochs=6.0, lr=3e-3).run(
        EvaluationContext(encoder, seeds=1)
    )
    assert {run.system for run in result.runs} == {"model", "untrained", "usual"}
    model, usual = values(result, "model"), values(result, "usual")
    assert model["accuracy"] > 0.9 and usual["accuracy"] < 0.65
    assert set(model) == set(result.higher_is_better) == {"accuracy", "accuracy_1", "accuracy_2"}
    items = next(run for run in result.runs if run.system == "model").items
    assert items is not None
    parts = items.item, items.truth, items.prediction
    hops = {record["id"]: record["hops"] for record in records}
    right = [(hops[name], truth == said) for name, truth, said in zip(*parts, strict=True)]
    for number in (1, 2):
        assert model[f"accuracy_{number}"] == pytest.approx(np.mean([ok for of, ok in right if of == number]))
    assert result.counts["truncated_tokens"] == 0 and result.counts["mentions"] == 0


def with_graph(encoder: Model, folder: Path, triples: list[tuple[str, str, str]]) -> Model:
    """The same model, with a graph side that has learned nothing."""
    shutil.copytree(encoder.path, folder)
    GraphSide(GraphShape(width=16, heads=2, fused=2, nodes=8, hops=1), KnowledgeGraph.of(triples), 32, 1).save(folder)
    return Model.open(folder)


def test_a_graph_tells_what_no_text_does(encoder: Model, tmp_path: Path) -> None:
    """The right one is joined to the one that the question names."""
    draw = random.Random(1)
    names = [f"{bird} {place}" for bird in BIRDS for place in ("roof", "river", "wall", "field", "bridge")]
    mates = dict(zip(names, draw.sample(names, len(names)), strict=True))
    records = []
    for number in range(400):
        asked = draw.choice(names)
        wrong = draw.choice([name for name in names if mates[name] != asked and name not in (mates[asked], asked)])
        choices = draw.sample([mates[asked], wrong], 2)
        records.append({"id": f"q{number}", "text": asked, "choices": choices, "label": choices.index(mates[asked])})
    model = with_graph(encoder, tmp_path / "model", [(one, "mate", other) for one, other in mates.items()])
    result = make(data=write(tmp_path / "all.jsonl", records), epochs=4.0, lr=3e-3).run(
        EvaluationContext(model, seeds=1, baselines=False)
    )
    assert values(result, "model")["accuracy"] > 0.8
    assert result.counts["mentions"] > 2 * result.counts["test"]


@torch.no_grad()
def test_the_head_equals_its_formula() -> None:
    head = Chooser(6, 4, 3)
    token_RD, nodes_RNG = torch.randn(2, 6), torch.randn(2, 3, 4)
    there_RN = torch.tensor([[True, True, True], [True, True, False]])
    assert head.query is not None
    for row in range(2):
        near = [n for n in range(3) if there_RN[row, n]]
        weights = [float((head.query(token_RD[row]) @ nodes_RNG[row, n] / 2).exp()) for n in near]
        mean = sum(w / sum(weights) * nodes_RNG[row, n] for w, n in zip(weights, near, strict=True))
        read = torch.cat((token_RD[row], nodes_RNG[row, 0], mean))
        wanted = head.outer(torch.nn.functional.gelu(head.inner(read)))
        assert float(head(token_RD, nodes_RNG, there_RN)[row]) == pytest.approx(float(wanted), abs=1e-5)


@pytest.mark.parametrize(
    ("change", "named"),
    [({"choices": ["one"]}, "as many in every record"), ({"label": 3}, "no place"), ({"label": -1}, "no place")],
)
def test_wrong_records_are_named(encoder: Model, tmp_path: Path, change: dict[str, Any], named: str) -> None:
    records = [{**record, **change} for record in questions(20)]
    with pytest.raises(InputError, match=named):
        make(data=write(tmp_path / "all.jsonl", records)).run(EvaluationContext(encoder, seeds=1))


def test_decoders_are_sent_elsewhere(decoder: Model, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cloze"):
        make(data=write(tmp_path / "all.jsonl", questions(20))).run(EvaluationContext(decoder, seeds=1))
