"""A loss that is not finite: stop, skip, roll back."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from interruption import Killed, Killer
from train_world import Marked, assert_same_end, log_without_times, make_run, train, weights

from seedbed.core.errors import InputError
from seedbed.objectives import Loss
from seedbed.train import interventions
from seedbed.train.checkpoint import Checkpoints
from seedbed.train.hooks.non_finite import NonFiniteError
from seedbed.train.intervention import Intervention
from seedbed.train.run import Run


class Poisoned(Marked):
    """Masked language modeling whose loss is NaN (or its gradient) where a row of the run is poisoned."""

    def __init__(self, rows: set[int], how: str = "loss") -> None:
        super().__init__("mlm", rows, self.poison)
        self.how = how

    def poison(self, loss: Loss) -> None:
        if self.how == "loss":
            loss.sum = loss.sum * float("nan")
        elif loss.sum.requires_grad:
            loss.sum.register_hook(lambda grad: grad * float("inf"))


def policy(name: str, **parameters: Any) -> Any:
    return interventions.create("non_finite", policy=name, **parameters)


def test_stop_names_the_step_and_the_documents(tmp_path: Path) -> None:
    """Row 42 is in step 6 (rows 40 to 47); its documents are 4200 and 4201."""
    with pytest.raises(NonFiniteError) as caught:
        train(tmp_path, Poisoned({42}), interventions=[policy("stop")])
    message = str(caught.value)
    assert "step 6: the loss is not finite; its documents: made: d4200, made: d4201\n" in message
    assert "skip" in message
    assert len(log_without_times(tmp_path)) == 5
    good = Checkpoints(tmp_path / "checkpoints", run="made").newest()
    assert good is not None and good.step == 4
    assert all(bool(tensor.isfinite().all()) for tensor in good.tensors("model").values())


def test_stop_comes_before_the_update(tmp_path: Path) -> None:
    run = make_run(Poisoned({0}), interventions=[policy("stop")])
    before = weights(run)
    from train_world import make_loop

    with pytest.raises(InputError):
        make_loop(run, tmp_path).train()
    assert all(torch.equal(value, before[name]) for name, value in weights(run).items())


def test_a_gradient_that_is_not_finite_is_found_too(tmp_path: Path) -> None:
    with pytest.raises(NonFiniteError, match="step 6: the gradient is not finite; the batch's documents: made: d4000"):
        train(tmp_path, Poisoned({42}, "gradient"), interventions=[policy("stop")])


class Leave(Intervention):
    """Leaves out the update of some steps, as `skip` should have done."""

    def __init__(self, steps: set[int]) -> None:
        self.steps = steps

    def after_backward(self, run: Run) -> None:
        run.skip_update = run.step in self.steps


def test_skip_leaves_the_update_out_and_counts(tmp_path: Path) -> None:
    said: list[str] = []
    run = train(tmp_path / "skip", Poisoned({42, 70}), interventions=[policy("skip")], say=said.append)
    assert run.step == 12 and run.counts == {"skipped_steps": 2}
    lines = log_without_times(tmp_path / "skip")
    assert [line["step"] for line in lines if line.get("skipped")] == [6, 9]
    assert lines[5]["loss"] is None
    assert any("step 6: the loss is not finite; its documents: made: d4200" in line for line in said)
    other = train(tmp_path / "plain", "mlm", interventions=[Leave({5, 8})])
    for name, value in weights(run).items():
        assert torch.equal(value, weights(other)[name]), name


def test_rollback_takes_the_weights_of_the_checkpoint(tmp_path: Path) -> None:
    run = train(tmp_path / "a", Poisoned({50}), interventions=[policy("rollback")])  # step 7; the checkpoint is step 4
    assert run.step == 12 and run.counts == {"skipped_steps": 1, "rollbacks": 1}
    assert [line.get("rolled_back_to") for line in log_without_times(tmp_path / "a")] == [None] * 6 + [4] + [None] * 5
    other = train(tmp_path / "b", "mlm", interventions=[Leave({4, 5, 6})])
    for name, value in weights(run).items():
        assert torch.equal(value, weights(other)[name]), name


def test_rollback_in_the_first_step(tmp_path: Path) -> None:
    run = train(tmp_path / "a", Poisoned({0}), interventions=[policy("rollback")])
    other = train(tmp_path / "b", "mlm", interventions=[Leave({0})])
    assert run.counts["rollbacks"] == 1
    assert all(torch.equal(value, weights(other)[name]) for name, value in weights(run).items())


@pytest.mark.parametrize("name", ["skip", "rollback"])
@pytest.mark.parametrize("killed_at", [5, 6, 7, 9])
def test_policies_resume_bitwise(name: str, killed_at: int, tmp_path: Path) -> None:
    whole = train(tmp_path / "whole", Poisoned({42, 70}), interventions=[policy(name)])
    with pytest.raises(Killed):
        train(tmp_path / "cut", Poisoned({42, 70}), interventions=[policy(name), Killer("after_step", killed_at)])
    cut = train(tmp_path / "cut", Poisoned({42, 70}), interventions=[policy(name), Killer("never", 0)])
    assert_same_end(whole, cut)
    assert log_without_times(tmp_path / "whole") == log_without_times(tmp_path / "cut")


@pytest.mark.parametrize("name", ["skip", "rollback"])
def test_patience_ends(name: str, tmp_path: Path) -> None:
    poisoned = Poisoned(set(np.arange(16, 96).tolist()))
    with pytest.raises(NonFiniteError, match="step 5"):
        train(tmp_path, poisoned, interventions=[policy(name, patience=3)])


def test_bad_parameters_are_named() -> None:
    with pytest.raises(InputError, match=r"non_finite\.policy"):
        interventions.create("non_finite", policy="ignore")
    with pytest.raises(InputError, match="patience"):
        interventions.create("non_finite", patience=0)
