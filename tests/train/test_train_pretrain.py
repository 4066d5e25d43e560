"""The step `pretrain`, from a corpus to a model's folder."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from pretrain_world import DECODER, SMALL, World
from safetensors.torch import load_file

from seedbed.core.artifact import Artifact
from seedbed.core.errors import InputError
from seedbed.recipe.execute import Workspace, run_plan, workspace
from seedbed.recipe.plan import make_plan
from seedbed.recipe.recipe import Recipe
from seedbed.train.numerics import compilation


def lines(artifact: Artifact) -> list[dict[str, Any]]:
    found = [json.loads(line) for line in (artifact.path / "metrics.jsonl").read_text().splitlines()]
    return [{name: value for name, value in line.items() if name != "time"} for line in found]


def test_the_artifact_holds_model_log_and_last_checkpoint(encoder: Artifact) -> None:
    assert encoder.kind == "model"
    names = {path.name for path in encoder.path.iterdir()}
    assert {
        "config.json",
        "model.safetensors",
        "tokenizer.json",
        "README.md",
        "metrics.jsonl",
        "manifest.json",
    } <= names
    assert [path.name for path in (encoder.path / "checkpoints").iterdir()] == ["step-00000040"]
    log = lines(encoder)
    assert np.mean([line["loss"] for line in log[-5:]]) < np.mean([line["loss"] for line in log[:5]])
    assert [line["step"] for line in log if "validation_loss" in line] == [10, 20, 30, 40]
    network = encoder.network()  # type: ignore[attr-defined]
    saved = load_file(encoder.path / "checkpoints" / "step-00000040" / "model.safetensors")
    for name, parameter in network.named_parameters():
        assert torch.equal(parameter, saved[name]), name


def test_counts_add_up(encoder: Artifact, world: World) -> None:
    counts = encoder.counts
    log = lines(encoder)
    (label,) = counts["data"]
    assert label == "news"
    assert counts["steps"] == 40 == len(log)
    assert counts["tokens"] == log[-1]["tokens"] == counts["data"]["news"]["tokens"]
    assert counts["padding"] == counts["data"]["news"]["padded"] == 40 * 256 - counts["tokens"]
    assert counts["targets"] == sum(line["targets"] for line in log)
    assert counts["loss"] == pytest.approx(np.mean([line["loss"] for line in log]), abs=1e-5)
    assert counts["validation_loss"] == log[-1]["validation_loss"]
    assert counts["skipped_steps"] == counts["rollbacks"] == 0
    network = encoder.network()  # type: ignore[attr-defined]
    number = sum(parameter.numel() for parameter in network.parameters())
    assert counts["parameters"] == counts["trainable_parameters"] == number
    share = counts["targets"] / (counts["tokens"] + counts["padding"])
    assert counts["flops"] == pytest.approx(network.architecture.flops_per_token(32, share) * 40 * 256, rel=1e-6)
    assert counts["cpu_seconds"] > 0
    assert counts["tokens_per_second"] == pytest.approx(counts["tokens"] / counts["seconds"], rel=0.05)
    card = (encoder.path / "README.md").read_text()
    assert "mlm" in card and f"{counts['tokens']:,}" in card


def test_the_same_again_is_the_same_bytes(encoder: Artifact, world: World, tmp_path: Path) -> None:
    again = world.pretrain(tmp_path, budget="40 steps", validate_every=10)
    assert (again.path / "model.safetensors").read_bytes() == (encoder.path / "model.safetensors").read_bytes()
    assert lines(again) == lines(encoder)
    assert world.pretrain(budget="40 steps", validate_every=10).path == encoder.path, "from the store"


def test_a_model_is_continued(encoder: Artifact, world: World) -> None:
    more = world.pretrain(model=encoder, budget="3 steps", schedule={"constant": {"value": 0.0}})
    before, after = (artifact.network() for artifact in (encoder, more))  # type: ignore[attr-defined]
    for one, other in zip(before.parameters(), after.parameters(), strict=True):
        assert torch.equal(one, other), "a rate of zero changes nothing"
    losses = [line["loss"] for line in lines(more)]
    assert np.mean(losses) == pytest.approx(encoder.counts["validation_loss"], rel=0.3)
    assert np.mean(losses) < lines(encoder)[0]["loss"] - 0.3


def test_a_model_is_continued_with_its_own_tokenizer(encoder: Artifact, world: World) -> None:
    given = world.pretrain(model=encoder, budget="2 steps")
    own = world.pretrain(model=encoder, budget="2 steps", tokenizer=None)
    # the order of samples goes by the tokens' fingerprint, and these were made by a copy of the tokenizer
    assert own.counts["validation_loss"] == pytest.approx(given.counts["validation_loss"], rel=0.05)
    assert own.tokenizer().digest == given.tokenizer().digest  # type: ignore[attr-defined]


def test_a_mixture_follows_its_weights(world: World) -> None:
    mixed = world.pretrain(
        data={world["news"]: 0.25, world["code"]: 0.75}, budget="60 steps", optimizer={"adamw": {"lr": 1e-4}}
    )
    seen = {name: counts["tokens"] for name, counts in mixed.counts["data"].items()}
    assert seen["code"] / sum(seen.values()) == pytest.approx(0.75, abs=0.05)


def test_a_decoder_and_epochs(world: World) -> None:
    model = world.pretrain(
        model=DECODER, tokenizer=world["pieces"], data={world["code"]: 1.0}, objective="clm", budget="2 epochs"
    )
    assert model.counts["epochs"] == pytest.approx(2.0, abs=0.1)
    assert "validation_loss" not in model.counts


def test_only_what_is_trainable_changes(encoder: Artifact, world: World) -> None:
    tuned = world.pretrain(model=encoder, budget="3 steps", trainable=["layers.1.*"])
    before, after = (dict(artifact.network().named_parameters()) for artifact in (encoder, tuned))  # type: ignore[attr-defined]
    changed = {name for name in before if not torch.equal(before[name], after[name])}
    assert changed and all(name.startswith("layers.1.") for name in changed)
    assert 0 < tuned.counts["trainable_parameters"] < tuned.counts["parameters"]


def test_settings_reach_the_run(world: World) -> None:
    model = world.pretrain(
        budget="6 steps",
        objective={"mlm": {"rate": {"linear": {"start": 0.6, "end": 0.1}}}},
        optimizer={"adamw": {"lr": 0.5}},
        schedule={"linear": {"start": 1.0, "end": 0.0}},
        interventions=[{"non_finite": "skip"}, {"validate": {"every": 2, "rows": 8}}],
    )
    log = lines(model)
    assert [line["lr"] for line in log] == pytest.approx([0.5 * (1 - (step + 0.5) / 6) for step in range(6)])
    assert log[0]["targets"] > 2 * log[-1]["targets"]
    assert [line["step"] for line in log if "validation_loss" in line] == [2, 4, 6]


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"objective": "clm"}, "trains networks with causal attention"),
        ({"model": DECODER}, "trains networks with bidirectional attention"),
        ({"tokenizer": None}, "tokenizer: is required for a new model"),
        ({"length": 1024, "batch_tokens": 2048, "micro_tokens": 2048}, "above the model's max_length"),
        ({"length": 1}, "length: must be at least 2"),
        ({"batch_tokens": 16}, "batch_tokens: must hold at least one row"),
        ({"clip": -1.0}, "clip"),
        ({"trainable": ["nothing.*"]}, "trainable: matches no parameter"),
        ({"budget": "12 parsecs"}, "unknown unit 'parsecs'"),
        ({"objectiv": "mlm"}, "did you mean 'objective'"),
        ({"data": {}}, "data: names no source"),
        ({"compile": "graphs"}, "compile: CUDA graphs need a CUDA device"),
    ],
)
def test_what_does_not_fit_is_named(parameters: dict[str, Any], message: str, world: World) -> None:
    with pytest.raises(InputError, match=message):
        world.pretrain(**parameters)


def test_weights_of_zero_and_below(world: World) -> None:
    with pytest.raises(InputError, match="all weights are zero"):
        world.pretrain(data={world["news"]: 0.0})
    with pytest.raises(InputError, match=r"data\.news: a weight is a number that is not negative"):
        world.pretrain(data={world["news"]: -1.0})


def test_tokens_of_another_tokenizer_are_refused(world: World) -> None:
    from seedbed.data.tokenize import tokenize

    with workspace(world.root / "runs"):
        tokens = tokenize(corpus=world["code"], tokenizer=world["pieces"])  # type: ignore[arg-type]
    with pytest.raises(InputError, match="were made by another tokenizer") as caught:
        world.pretrain(data={tokens: 1.0})
    assert "allow_tokenizer: true" in str(caught.value)
    with pytest.raises(InputError, match=r"its ids go up to \d+"):
        world.pretrain(data={tokens: 1.0}, allow_tokenizer=True)
    with workspace(world.root / "runs"):
        tokens = tokenize(corpus=world["code"], tokenizer=world["larger"])  # type: ignore[arg-type]
    decoder = {"model": DECODER, "objective": "clm", "tokenizer": world["pieces"]}
    assert world.pretrain(**decoder, data={tokens: 1.0}, allow_tokenizer=True).counts["steps"] > 0


def test_a_model_refuses_a_larger_vocabulary(encoder: Artifact, world: World) -> None:
    with pytest.raises(InputError, match=r"tokenizer: has \d+ tokens, and the model only \d+"):
        world.pretrain(model=encoder, tokenizer=world["larger"], data={world["code"]: 1.0})


def test_the_plan_says_what_it_would_cost(world: World) -> None:
    """Tokens, parameters and FLOPs exactly; the time within a factor of two of a step of the real shape."""
    steps = {
        "encoder": {
            "pretrain": {
                "model": {"encoder": {"layers": 2, "width": 128, "heads": 2}},
                "tokenizer": str(world["vocabulary"].path),
                "data": {str(world["news"].path): 1.0},
                "length": 64,
                "batch_tokens": 2048,
                "micro_tokens": 2048,
                "precision": "fp32",
                "budget": "25 steps",
                "validate_every": "never",
            }
        }
    }
    plan = make_plan(Recipe("planned", steps), Workspace(world.root / "runs").store)
    clock = time.monotonic()
    estimate = plan.estimate(plan["encoder"])
    seconds = estimate.duration()
    assert time.monotonic() - clock < 10
    made = run_plan(plan, say=lambda line: None)["encoder"]
    assert estimate.tokens == 25 * 2048
    assert estimate.parameters == made.counts["parameters"]
    assert estimate.flops == pytest.approx(made.counts["flops"], rel=0.05)
    assert seconds is not None
    assert made.counts["seconds"] / 4 < seconds < made.counts["seconds"] * 4


def test_non_finite_names_documents_of_the_corpus(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    from seedbed.objectives.mlm import MaskedLanguageModeling
    from seedbed.train.hooks.non_finite import NonFiniteError

    real = MaskedLanguageModeling.loss

    def poisoned(self: Any, network: Any, examples: Any) -> Any:
        loss = real(self, network, examples)
        loss.sum = loss.sum * float("nan")
        return loss

    monkeypatch.setattr(MaskedLanguageModeling, "loss", poisoned)
    with pytest.raises(
        NonFiniteError, match=r"step 1: the loss is not finite; its documents: news: news-\d+, news: news-"
    ):
        world.pretrain(seed=99)


SCRIPT = textwrap.dedent(
    """
    import json, os, sys
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    from seedbed.recipe.execute import run_recipe, Workspace
    from seedbed.recipe.recipe import Recipe
    from pathlib import Path
    run_recipe(Recipe("killed", json.loads(sys.argv[1])), Workspace(Path(sys.argv[2])))
    """
)


def test_a_killed_step_goes_on_when_it_is_run_again(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The whole step in a process of its own, killed by SIGKILL; then resumed, against one that was never killed.
    What a stopwatch chooses (the kernel) is taken from the checkpoint, not measured again."""
    parameters = {
        **SMALL,
        "model": {"encoder": {"layers": 2, "width": 32, "heads": 2}},
        "tokenizer": str(world["vocabulary"].path),
        "data": {str(world["news"].path): 0.5, str(world["code"].path): 0.5},
        "budget": "200 steps",
        "validate_every": 30,
    }
    command = [sys.executable, "-c", SCRIPT, json.dumps({"encoder": {"pretrain": parameters}}), str(tmp_path / "cut")]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    process = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    while not any((tmp_path / "cut").glob("store/*/pretrain-*/checkpoints/step-*")):
        assert process.poll() is None, process.communicate()[0]
        time.sleep(0.002)
    process.kill()
    assert process.wait() == -signal.SIGKILL
    (work,) = (tmp_path / "cut" / "store").glob("*/pretrain-*/")
    state = json.loads((sorted((work / "checkpoints").glob("step-*"))[-1] / "state.json").read_text())
    result = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120, check=False)
    assert result.returncode == 0, result.stdout + result.stderr
    assert "going on from step-" in result.stdout
    (folder,) = (tmp_path / "cut" / "store").glob("pretrain-*/")
    cut, numerics = Artifact(folder), state["numerics"]
    assert "ms" in numerics["kernel_note"]
    assert cut.counts["numerics"] == numerics, "with the times that were measured first"
    monkeypatch.setattr("seedbed.train.numerics.usable_cores", lambda: numerics["threads"])
    whole = world.pretrain(
        tmp_path / "whole",
        **{
            **parameters,
            "tokenizer": world["vocabulary"],
            "data": {world["news"]: 0.5, world["code"]: 0.5},
            "model": {"encoder": {"layers": 2, "width": 32, "heads": 2, "kernel": numerics["kernel"]}},
        },
    )
    assert lines(cut) == lines(whole)
    assert [line["step"] for line in lines(cut)] == list(range(1, 201))
    for name in ("model.safetensors", "checkpoints/step-00000200/optimizer.safetensors"):
        assert (cut.path / name).read_bytes() == (whole.path / name).read_bytes()


def test_what_the_compiler_takes() -> None:
    network, toy = torch.nn.Linear(1, 1), torch.nn.Linear(1, 1)
    network.compile_layers = lambda graphs: None  # type: ignore[assignment]
    cpu, options = torch.device("cpu"), {"touched": False, "sharded": False}
    assert compilation("auto", network, cpu, **options) == "none"
    assert compilation("layers", network, cpu, touched=True, sharded=False) == "layers", "if asked for"
    assert compilation("graphs", network, torch.device("cuda"), **options) == "graphs"
    assert compilation("auto", network, torch.device("cuda"), touched=True, sharded=False) == "none"
    with pytest.raises(InputError, match="compile: this network has no layers"):
        compilation("layers", toy, cpu, **options)
    with pytest.raises(InputError, match="compile: is not for `sharding: full`"):
        compilation("layers", network, cpu, touched=False, sharded=True)


@contextmanager
def gone_half_way(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The masked run in here ends in its seventh step of twelve."""
    from seedbed.objectives.mlm import MaskedLanguageModeling

    real_loss, calls = MaskedLanguageModeling.loss, iter(range(1000))

    def failing(self: Any, network: Any, examples: Any) -> Any:
        if next(calls) == 12:  # two for each step
            raise RuntimeError("gone")
        return real_loss(self, network, examples)

    with monkeypatch.context() as patched, pytest.raises(RuntimeError, match="gone"):
        patched.setattr(MaskedLanguageModeling, "loss", failing)
        yield


def test_on_another_device_the_kernel_is_chosen_anew(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A run whose checkpoint names a GPU, with a kernel that has no gradients here, goes on on a CPU."""
    from seedbed.train.checkpoint import Checkpoint

    real_state = Checkpoint.state

    def of_a_gpu(self: Any) -> Any:
        state = real_state(self)
        return {**state, "numerics": {**state["numerics"], "device": "cuda", "kernel": "flex", "compiled": "layers"}}

    with gone_half_way(monkeypatch):
        world.pretrain(tmp_path)
    said: list[str] = []
    monkeypatch.setattr(Checkpoint, "state", of_a_gpu)
    monkeypatch.setattr("seedbed.train.session.differences", lambda saved, device, say: said.append(saved["device"]))
    model = world.pretrain(tmp_path)
    assert said == ["cuda"] and len(lines(model)) == 12
    assert model.counts["numerics"] == {**model.counts["numerics"], "device": "cpu", "compiled": "none"}


def test_a_run_does_not_import_torchs_compiler(tmp_path: Path) -> None:
    """Two seconds of every start, for what it does not use."""
    code = (
        "import sys; from pathlib import Path; from pretrain_world import World\n"
        "World(Path(sys.argv[1])).pretrain(budget='2 steps')\n"
        "print([name for name in ('torch._dynamo', 'sympy') if name in sys.modules])"
    )
    command = [sys.executable, "-c", code, str(tmp_path)]
    output = subprocess.run(command, cwd=Path(__file__).parent, capture_output=True, text=True, check=True).stdout
    assert output.splitlines()[-1] == "[]"


@pytest.mark.long
def test_compiled_layers_learn_the_same(world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """By torch's compiler and a C++ compiler: the losses of the run without them, up to rounding, and a run that stops
    half-way goes on with the same bytes."""
    plain = world.pretrain(tmp_path / "plain", budget="12 steps")
    whole = world.pretrain(tmp_path / "whole", budget="12 steps", compile="layers")
    for mine, theirs in zip(lines(whole), lines(plain), strict=True):
        assert mine["loss"] == pytest.approx(theirs["loss"], rel=1e-4)
    assert whole.counts["numerics"]["compiled"] == "layers" and plain.counts["numerics"]["compiled"] == "none"
    with gone_half_way(monkeypatch):
        world.pretrain(tmp_path / "again", budget="12 steps", compile="layers")
    again = world.pretrain(tmp_path / "again", budget="12 steps", compile="layers")
    assert (again.path / "model.safetensors").read_bytes() == (whole.path / "model.safetensors").read_bytes()
