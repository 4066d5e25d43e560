"""A run that begins where another one stood."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from pretrain_world import World
from safetensors.torch import load_file
from typer.testing import CliRunner

from seedbed.cli.main import app
from seedbed.core.artifact import Artifact
from seedbed.core.errors import InputError
from seedbed.train.numerics import Numerics, taken_over
from seedbed.train.precision import Precision

CONSTANT = {"constant": {"value": 0.5, "warmup": 0.25}}


@pytest.fixture(scope="module")
def trunk(world: World) -> Artifact:
    return world.pretrain(budget="8 steps", schedule=CONSTANT, validate_every=0)


def log(artifact: Artifact) -> list[dict]:
    return [json.loads(line) for line in (artifact.path / "metrics.jsonl").read_text().splitlines()]


def weights(artifact: Artifact) -> dict[str, torch.Tensor]:
    return load_file(artifact.path / "model.safetensors")


def test_a_branch_that_changes_nothing_is_the_trunk_going_on(trunk: Artifact, world: World) -> None:
    """Bit for bit: optimizer, place in the data, rate, randomness."""
    whole = world.pretrain(budget="12 steps", schedule={"constant": {"value": 0.5, "warmup": 2 / 12}}, validate_every=0)
    assert [line["lr"] for line in log(whole)[:8]] == pytest.approx([line["lr"] for line in log(trunk)])
    branch = world.pretrain(model=trunk, branch="last", budget="4 steps", schedule="constant", validate_every=0)
    ours, theirs = log(branch), log(whole)[8:]
    assert [line["loss"] for line in ours] == [line["loss"] for line in theirs]
    assert [line["lr"] for line in ours] == [line["lr"] for line in theirs] == [5e-4] * 4
    assert all(torch.equal(value, weights(whole)[name]) for name, value in weights(branch).items())
    assert branch.counts["branched_from"] == {
        "run": trunk.fingerprint,
        "step": 8,
        "tokens": trunk.counts["tokens"],
    }
    assert branch.counts["steps"] == 4 and branch.counts["tokens"] == sum(
        source["tokens"] for source in branch.counts["data"].values()
    )


@pytest.mark.parametrize("other", ["sdpa", "products"])
def test_a_branch_keeps_what_a_stopwatch_chose_for_its_trunk(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, other: str
) -> None:
    """The attention kernel changes the last bits. A branch's network comes from a folder that names none."""
    from seedbed.models import kernel

    def chooses(name: str) -> None:
        monkeypatch.setattr(kernel, "_memory", {})
        monkeypatch.setattr(kernel, "_probe", lambda *_, **__: (name, ""))

    first = {"sdpa": "products", "products": "sdpa"}[other]
    free = {"encoder": {"layers": 2, "width": 32, "heads": 2}}
    chooses(first)
    trunk, whole = (
        world.pretrain(tmp_path, model=free, budget=f"{steps} steps", schedule="constant", validate_every=0)
        for steps in (4, 6)
    )
    chooses(other)
    branch = world.pretrain(
        tmp_path, model=trunk, branch="last", budget="2 steps", schedule="constant", validate_every=0
    )
    anew = world.pretrain(
        tmp_path, model=trunk, branch="last", budget="2 steps", schedule="constant", validate_every=0, length=16
    )
    assert [numerics(artifact)["kernel"] for artifact in (trunk, whole, branch, anew)] == [first, first, first, other]
    assert all(torch.equal(value, weights(whole)[name]) for name, value in weights(branch).items())


def test_a_branch_chooses_anew_where_its_trunk_does_not_fit() -> None:
    saved = Numerics("cpu", 7, Precision("fp32", "medium").as_dict(), "sdpa").as_dict()
    cpu = torch.device("cpu")
    kept = taken_over(saved, cpu, "auto")
    assert kept is not None and kept == {**saved, "threads": 1}, "the tests' one thread"
    assert taken_over(saved, cpu, "fp32") == kept
    assert taken_over(saved, cpu, "bf16") is None
    assert taken_over({**saved, "device": "cuda"}, cpu, "auto") is None


def numerics(artifact: Artifact) -> dict:
    (path,) = (artifact.path / "checkpoints").glob("step-*/state.json")
    return json.loads(path.read_text())["numerics"]


def test_an_optimizer_that_rounds_at_random_goes_on_with_the_same_numbers(world: World) -> None:
    settings = {"optimizer": {"adamw": {"state": "bf16"}}, "schedule": "constant", "validate_every": 0}
    trunk, whole = (world.pretrain(budget=f"{steps} steps", **settings) for steps in (4, 8))
    branch = world.pretrain(model=trunk, branch="last", budget="4 steps", **settings)
    assert all(torch.equal(value, weights(whole)[name]) for name, value in weights(branch).items())


def test_continuing_without_branching_forgets_the_optimizer(trunk: Artifact, world: World) -> None:
    branch = world.pretrain(model=trunk, branch="last", budget="4 steps", schedule="constant", validate_every=0)
    other = world.pretrain(model=trunk, budget="4 steps", schedule={"constant": {"value": 0.5}}, validate_every=0)
    assert log(branch)[0]["loss"] != log(other)[0]["loss"], "other data"


def test_a_cooldown_falls_from_the_rate_that_there_was(trunk: Artifact, world: World) -> None:
    branch = world.pretrain(model=trunk, branch=8, budget="4 steps", schedule="linear", validate_every=0)
    assert [line["lr"] for line in log(branch)] == pytest.approx(
        [5e-4 * (1 - share) for share in (1 / 8, 3 / 8, 5 / 8, 7 / 8)]
    )
    lower = world.pretrain(
        model=trunk, branch=8, budget="2 steps", schedule="constant", optimizer={"adamw": {"lr": 1e-4}}
    )
    assert log(lower)[0]["lr"] == pytest.approx(5e-5), "the branch's own peak, times the trunk's factor"


def test_other_data_begin_anew(trunk: Artifact, world: World) -> None:
    branch = world.pretrain(
        model=trunk, branch=8, budget="2 steps", data={world["news"]: 0.5, world["code"]: 0.5}, schedule="linear"
    )
    assert set(branch.counts["data"]) == {"news", "code"}


def test_what_cannot_be_a_branch(trunk: Artifact, world: World) -> None:
    with pytest.raises(InputError, match="no checkpoint of that step") as caught:
        world.pretrain(model=trunk, branch=5, budget="2 steps")
    assert caught.value.allowed == "8"
    with pytest.raises(InputError, match="trained here"):
        world.pretrain(branch=5, budget="2 steps")


def test_the_command(trunk: Artifact, world: World) -> None:
    options = ["--schedule", "{linear: {end: 0.1}}", "--budget", "3 steps"]
    result = CliRunner().invoke(app, ["branch", f"{trunk.path}@8", "clip=0.5", *options, "--name", "cooled"])
    assert result.exit_code == 0, result.output
    made = Artifact.kinds["model"].open(world.root / "runs" / "cooled" / "branch")
    assert made.counts["steps"] == 3 and made.manifest is not None
    assert made.manifest["parameters"]["clip"] == 0.5
    assert made.manifest["parameters"]["length"] == 32, "as the trunk's"
    wrong = CliRunner().invoke(app, ["branch", f"{trunk.path}@x", *options])
    assert isinstance(wrong.exception, InputError) and "is a number, or last" in str(wrong.exception)
    assert not (Path.cwd() / "runs").exists()


def test_another_optimizer_is_refused(trunk: Artifact, world: World) -> None:
    with pytest.raises(InputError, match="another one than the checkpoint's"):
        world.pretrain(model=trunk, branch="last", budget="2 steps", optimizer="lion")
