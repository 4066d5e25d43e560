"""The labeled task beside the objective."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import tokenizers
import torch
import torch.nn.functional as F
from interruption import resumed_equals_whole
from pretrain_world import World
from train_world import SIZE, Watch, log_without_times, make_run, train
from typer.testing import CliRunner

from seedbed.cli.main import app
from seedbed.core.artifact import Artifact
from seedbed.core.counters import generator
from seedbed.core.errors import InputError
from seedbed.core.source import Source
from seedbed.train.hooks.task_loss import TaskLoss


class Words:
    """A tokenizer in which word w7 is token 7."""

    def load(self) -> Any:
        tokenizer = tokenizers.Tokenizer(
            tokenizers.models.WordLevel({f"w{index}": index for index in range(SIZE)}, unk_token="w1")
        )
        tokenizer.pre_tokenizer = tokenizers.pre_tokenizers.WhitespaceSplit()
        return tokenizer


@pytest.fixture
def task(tmp_path: Path) -> Path:
    """Texts whose label is whether low or high words stand in them, of different lengths."""
    dice = generator(2, "task")
    rows = []
    for number in range(24):
        low = number % 2
        words = dice.integers(5 + 30 * low, 30 + 30 * low, 3 + number % 5)
        rows.append({"text": " ".join(f"w{word}" for word in words), "label": ["low", "high"][low]})
    (tmp_path / "task").mkdir()
    (tmp_path / "task" / "train.jsonl").write_text("\n".join(map(json.dumps, rows)))
    (tmp_path / "task" / "test.jsonl").write_text('{"text": "w7", "label": "neither"}')
    return tmp_path / "task"


def made(task: Path, **settings: Any) -> TaskLoss:
    return TaskLoss(Source(task), Words(), **settings)  # type: ignore[arg-type]


@pytest.mark.parametrize("objective", ["mlm", "clm"])
def test_the_gradient_is_that_of_the_sum_of_both_losses(objective: str, task: Path) -> None:
    before, after = Watch(), Watch()
    joint = made(task, weight=0.3, rows=5)
    train(None, objective, interventions=[before, joint, after], steps=1, clip=0.0)
    run = make_run(objective, steps=1, interventions=[(again := made(task, weight=0.3, rows=5))])
    order = generator(3, "task_loss", 0).permutation(24)[:5].tolist()
    records = [json.loads(line) for line in (task / "train.jsonl").read_text().splitlines()]
    total = torch.zeros(())
    for index in order:  # one text at a time, without padding
        ids = torch.tensor([[int(word[1:]) for word in records[index]["text"].split()]])
        mean_1D = run.network.hidden(ids).mean(1)
        logits_1C = run.network.task_head(mean_1D)
        total = total + F.cross_entropy(logits_1C, torch.tensor([["high", "low"].index(records[index]["label"])]))
    parts = torch.autograd.grad(0.3 * total / 5, list(run.network.parameters()), materialize_grads=True)
    wanted = torch.cat([part.flatten() for part in parts])
    torch.testing.assert_close(after.gradients[0] - before.gradients[0], wanted, rtol=1e-3, atol=1e-6)
    assert again._classes.tolist() == [1, 0] * 12


def test_every_text_comes_once_an_epoch_in_new_orders(task: Path) -> None:
    joint = made(task, rows=7)
    joint._read()
    lengths = [tuple(text.tolist()) for text in joint._texts]
    seen: list[tuple[int, ...]] = []
    for step in range(24):  # seven epochs
        tokens_BL, segments_BL, _ = joint._batch(3, step)
        for row, segments in zip(tokens_BL.tolist(), segments_BL.tolist(), strict=True):
            seen.append(tuple(token for token, segment in zip(row, segments, strict=True) if segment == 0))
    epochs = [seen[start : start + 24] for start in range(0, 168, 24)]
    assert all(sorted(epoch) == sorted(lengths) for epoch in epochs) and epochs[0] != epochs[1]


def test_the_task_is_learned_and_the_layer_goes(task: Path, tmp_path: Path) -> None:
    joint = made(task, rows=8)
    run = train(tmp_path / "run", "mlm", interventions=[joint], steps=30)
    lines = log_without_times(tmp_path / "run")
    assert sum(line["task_accuracy"] for line in lines[-5:]) / 5 > 0.95
    assert lines[0]["task_accuracy"] < 0.8
    assert lines[-1]["task_loss"] < 0.3 * lines[0]["task_loss"]
    assert 30 * 8 * 3 <= run.counts["task_tokens"] <= 30 * 8 * 7
    assert any("task_head" in name for name, _ in run.network.named_parameters())
    joint.export(run.network)
    assert not any("task_head" in name for name, _ in run.network.named_parameters())


def test_resuming_is_bitwise(task: Path, tmp_path: Path) -> None:
    resumed_equals_whole(tmp_path, lambda: {"interventions": [made(task)], "steps": 8}, 6)


def test_in_a_recipe(world: World, tmp_path: Path) -> None:
    rows = [{"body": "abc ab", "kind": 1}, {"body": "cab", "kind": 2}]
    (tmp_path / "train.jsonl").write_text("\n".join(map(json.dumps, rows)))
    settings = {"data": str(tmp_path), "tokenizer": world["vocabulary"], "text": "body", "label": "kind", "length": 16}
    model = world.pretrain(budget="3 steps", interventions=[{"task_loss": settings}])
    assert model.counts["task_tokens"] > 0
    assert not any("task" in name for name, _ in model.network().named_parameters())
    assert model.counts["parameters"] == sum(p.numel() for p in model.network().parameters())

    # and in a branch of it, whose recipe is read from the manifest: with the files' path and the tokenizer's
    options = ["--schedule", "linear", "--budget", "2 steps", "--name", "branched"]
    result = CliRunner().invoke(app, ["branch", f"{model.path}@3", *options])
    assert result.exit_code == 0, (result.output, result.exception)
    branch = Artifact.kinds["model"].open(world.root / "runs" / "branched" / "branch")
    assert branch.counts["steps"] == 2 and branch.counts["task_tokens"] > 0
    assert branch.manifest is not None and model.manifest is not None
    assert branch.manifest["parameters"]["interventions"] == model.manifest["parameters"]["interventions"]


def test_what_is_no_task_is_refused(task: Path, tmp_path: Path) -> None:
    for name, value in (("weight", 0.0), ("rows", 0), ("length", 1)):
        with pytest.raises(InputError, match=name) as caught:
            made(task, **{name: value})
        assert caught.value.value == value
    with pytest.raises(InputError, match="lacks 'body'"):
        made(task, text="body")._read()
    with pytest.raises(InputError, match="no file of training texts"):
        made(task / "test.jsonl")._read()
    (tmp_path / "one.jsonl").write_text('{"text": "w7", "label": "only"}')
    with pytest.raises(InputError, match="single label"):
        made(tmp_path / "one.jsonl")._read()
