"""Checkpoints that are kept: which, that they survive, and that a run can branch off them."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from interruption import Killed, Killer
from pretrain_world import World
from train_world import train, weights

from seedbed.core.errors import InputError
from seedbed.train import interventions
from seedbed.train.checkpoint import Checkpoints


def steps(folder: Path) -> list[int]:
    return Checkpoints(folder / "checkpoints", run="made").steps()


@pytest.mark.parametrize(
    ("parameters", "wanted"),
    [
        ({}, [0, 1, 2, 4, 8, 16]),
        ({"steps": [3, 7]}, [3, 7]),
        ({"steps": [], "every": 6}, [6, 12, 18]),
        ({"steps": "doubling", "every": "9 steps"}, [0, 1, 2, 4, 8, 9, 16, 18]),
    ],
)
def test_which_steps(parameters: dict, wanted: list[int]) -> None:
    hook = interventions.create("keep_checkpoints", **parameters)
    assert [step for step in range(20) if hook.wants(step)] == wanted


def test_kept_ones_are_never_pruned(tmp_path: Path) -> None:
    hook = interventions.create("keep_checkpoints", steps=[0, 3, 6])
    run = train(tmp_path, steps=12, interventions=[hook])
    checkpoints = Checkpoints(tmp_path / "checkpoints", run="made")
    assert checkpoints.steps() == [0, 3, 6, 8, 12], "the newest two besides"
    checkpoints.prune(1)
    assert checkpoints.steps() == [0, 3, 6, 12]
    assert all(checkpoints.problem(checkpoints.at(step)) is None for step in checkpoints.steps())
    early = train(tmp_path / "early", steps=12, interventions=[], goal=(6, "steps"), schedule=lambda progress: 1.0)
    late = train(tmp_path / "late", steps=12, interventions=[hook], schedule=lambda progress: 1.0)
    kept = Checkpoints(tmp_path / "late/checkpoints", run="made").at(6).tensors("model")
    assert late.step == 12 and run.step == 12
    assert all(torch.equal(value, kept[name]) for name, value in weights(early).items()), "the weights after six steps"


def test_after_a_kill_the_same_ones_are_there(tmp_path: Path) -> None:
    def chosen() -> list:
        return [interventions.create("keep_checkpoints", steps=[0, 2, 5, 9])]

    for hook, step in (("on_start", 0), ("after_step", 3), ("before_step", 7), ("after_step", 9)):
        with pytest.raises(Killed):
            train(tmp_path, interventions=[*chosen(), Killer(hook, step)])
    train(tmp_path, interventions=[*chosen(), Killer("never", 0)])
    assert set(steps(tmp_path)) >= {0, 2, 5, 9, 12}


def test_a_run_branches_off_a_step_that_the_artifact_kept(world: World) -> None:
    constant = {"constant": {"value": 0.5, "warmup": 0}}
    keep = [{"keep_checkpoints": [2, 5]}]
    trunk = world.pretrain(budget="9 steps", schedule=constant, validate_every=0, interventions=keep)
    assert Checkpoints(trunk.path / "checkpoints", run=trunk.fingerprint).steps() == [2, 5, 9]
    branch = world.pretrain(model=trunk, branch=5, budget="4 steps", schedule="constant", validate_every=0)
    from safetensors.torch import load_file

    one, other = (load_file(artifact.path / "model.safetensors") for artifact in (trunk, branch))
    assert all(torch.equal(one[name], other[name]) for name in one), "the same four steps once more"


def test_bad_parameters_are_named() -> None:
    for parameters, named in (
        ({"steps": [-1]}, "steps"),
        ({"every": "2 minutes"}, "every"),
        ({"steps": "all"}, "steps"),
    ):
        with pytest.raises(InputError, match=named):
            interventions.create("keep_checkpoints", **parameters)
