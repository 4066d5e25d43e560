"""Training N steps equals training k, being killed, and training the rest: bit for bit."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import textwrap
import time
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from interruption import Killed, Killer, resumed_equals_whole
from train_world import MadeStream, assert_same_end, log_without_times, train, weights

from seedbed.core.schema import parameters_of
from seedbed.objectives import objectives
from seedbed.train import interventions
from seedbed.train.checkpoint import Checkpoints
from seedbed.train.intervention import Intervention
from seedbed.train.metrics import METRICS
from seedbed.train.run import Run

HERE = Path(__file__).parent
HOOKS = ["on_start", "before_step", "after_backward", "after_step", "on_end"]


def any_interruption(name: str, k: int, hook: str, every: int) -> None:
    with tempfile.TemporaryDirectory() as place:
        whole, cut = Path(place) / "whole", Path(place) / "cut"
        one = train(whole, name, steps=7, rows=2, save_every=_steps(every), interventions=[Killer("never", 0)])
        with pytest.raises(Killed):
            train(cut, name, steps=7, rows=2, save_every=_steps(every), interventions=[Killer(hook, k)])
        other = train(cut, name, steps=7, rows=2, save_every=_steps(every), interventions=[Killer("never", 0)])
        assert_same_end(one, other)
        assert log_without_times(whole) == log_without_times(cut)
        for part in ("model", "optimizer"):
            ours, theirs = (_last(folder) / f"{part}.safetensors" for folder in (whole, cut))
            assert ours.read_bytes() == theirs.read_bytes()


@settings(max_examples=20, deadline=None)
@given(k=st.integers(0, 6), hook=st.sampled_from(HOOKS), every=st.integers(1, 5))
def test_any_interruption_ends_with_the_same_bytes(k: int, hook: str, every: int) -> None:
    any_interruption("mlm", k, hook, every)


@pytest.mark.parametrize("name", sorted(set(objectives.names()) - {"mlm"}))
@settings(max_examples=2, deadline=None)
@given(k=st.integers(0, 6), hook=st.sampled_from(HOOKS), every=st.integers(1, 5))
def test_contract_every_objective_resumes_bitwise(name: str, k: int, hook: str, every: int) -> None:
    any_interruption(name, k, hook, every)


def _steps(number: int):
    from seedbed.train.budget import Every

    return Every(number, "steps")


def _last(folder: Path) -> Path:
    checkpoints = Checkpoints(folder / "checkpoints", run="made")
    return checkpoints.at(checkpoints.steps()[-1]).path


# those that need data or a network of their own have a test of their own
OWN = {"task_loss", "side_channels", "fixed_point_curriculum", "initial_embeddings", "load_concentration"}
ALONE = [name for name in interventions.names() if name not in OWN]


def test_what_the_contract_leaves_out_is_resumed_elsewhere() -> None:
    needing = {e.name for e in interventions if any(parameter.required for parameter in parameters_of(e.target))}
    assert needing < OWN < set(interventions.names()), "see their own tests"


@pytest.mark.parametrize("name", ALONE)
def test_contract_every_intervention_resumes_bitwise(name: str, tmp_path: Path) -> None:
    def settings() -> dict[str, Any]:
        held_out = [MadeStream(5).next(8)]
        return {"steps": 8, "interventions": [interventions.create(name)], "held_out": lambda rows: held_out}

    resumed_equals_whole(tmp_path, settings, 5, 7)


def test_a_finished_run_that_is_run_again_changes_nothing(tmp_path: Path) -> None:
    one = train(tmp_path, steps=6)
    before = (tmp_path / METRICS).read_bytes(), _last(tmp_path).stat().st_mtime_ns
    again = train(tmp_path, steps=6)
    assert_same_end(one, again)
    assert before == ((tmp_path / METRICS).read_bytes(), _last(tmp_path).stat().st_mtime_ns)


def test_a_damaged_newest_checkpoint_costs_steps_and_nothing_else(tmp_path: Path) -> None:
    whole = train(tmp_path / "whole", interventions=[Killer("never", 0)])
    with pytest.raises(Killed):
        train(tmp_path / "cut", interventions=[Killer("before_step", 10)])
    with open(tmp_path / "cut/checkpoints/step-00000008/optimizer.safetensors", "r+b") as file:
        file.truncate(50)
    said: list[str] = []
    cut = train(tmp_path / "cut", interventions=[Killer("never", 0)], say=said.append)
    assert "step-00000008 is damaged" in said[0] and "going on from step-00000004" in said[0]
    assert_same_end(whole, cut)
    assert log_without_times(tmp_path / "whole") == log_without_times(tmp_path / "cut")


def test_a_full_disk_while_training_leaves_the_last_good_checkpoint(tmp_path: Path, monkeypatch) -> None:
    import errno

    from seedbed.core.errors import StorageError
    from seedbed.train import checkpoint as module

    whole = train(tmp_path / "whole")
    real, calls = module.write_tensors, []

    def full(path: Path, tensors: dict) -> dict:
        calls.append(path)
        if len(calls) == 4:  # the optimizer of the second checkpoint
            raise OSError(errno.ENOSPC, "No space left on device", str(path))
        return real(path, tensors)

    with monkeypatch.context() as patch:
        patch.setattr(module, "write_tensors", full)
        with pytest.raises(StorageError, match="no space left on the device; the checkpoint step-00000004 stays"):
            train(tmp_path / "cut")
    assert_same_end(whole, train(tmp_path / "cut"))
    assert log_without_times(tmp_path / "whole") == log_without_times(tmp_path / "cut")


SCRIPT = textwrap.dedent(
    """
    import sys
    from pathlib import Path
    import torch
    torch.set_num_threads(int(sys.argv[4]))
    from train_world import train
    from seedbed.train.budget import Every
    train(Path(sys.argv[1]), sys.argv[2], steps=int(sys.argv[3]), save_every=Every(2, "steps"), say=print)
    """
)


def start(folder: Path, objective: str, steps: int, threads: int = 1) -> subprocess.Popen:
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(HERE), *sys.path])}
    command = [sys.executable, "-u", "-c", SCRIPT, str(folder), objective, str(steps), str(threads)]
    return subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def lines_logged(folder: Path) -> int:
    path = folder / METRICS
    return path.read_bytes().count(b"\n") if path.exists() else 0


def kill_at(process: subprocess.Popen, folder: Path, step: int, delay: float) -> bool:
    """SIGKILL a moment after a step was logged; False if the process was faster."""
    while lines_logged(folder) < step and process.poll() is None:
        time.sleep(0.001)
    time.sleep(delay)
    process.kill()
    process.wait()
    return process.returncode == -signal.SIGKILL


def finish_and_compare(whole: Path, cut: Path, objective: str, steps: int, threads: int = 1) -> None:
    process = start(cut, objective, steps, threads)
    output, _ = process.communicate(timeout=300)
    assert process.returncode == 0, output
    assert log_without_times(whole) == log_without_times(cut)
    assert _last(whole).name == _last(cut).name
    for part in ("model.safetensors", "optimizer.safetensors"):
        assert (_last(whole) / part).read_bytes() == (_last(cut) / part).read_bytes()
    states = [json.loads((_last(folder) / "state.json").read_text()) for folder in (whole, cut)]
    for state in states:
        del state["seconds"], state["cpu_seconds"], state["log_bytes"]
    assert states[0] == states[1]


def test_killed_processes_end_with_the_same_bytes(tmp_path: Path) -> None:
    """Two processes killed by SIGKILL, then one that finishes; against one that was never killed."""
    steps = 40
    train(tmp_path / "whole", "mlm", steps=steps, save_every=_steps(2))
    kills = 0
    for step, delay in ((7, 0.0), (24, 0.011)):
        kills += kill_at(start(tmp_path / "cut", "mlm", steps), tmp_path / "cut", step, delay)
    assert kills == 2
    finish_and_compare(tmp_path / "whole", tmp_path / "cut", "mlm", steps)


@pytest.mark.long
@pytest.mark.parametrize(("name", "threads"), [("mlm", 1), ("clm", 2)])
def test_fifty_kills_at_random_moments(name: str, threads: int, tmp_path: Path) -> None:
    """Saves take a good part of the time here (every second step), so many kills fall into one."""
    steps, dice = 800, random.Random(0)
    whole = start(tmp_path / "whole", name, steps, threads=threads)
    whole.communicate(timeout=900)
    assert whole.returncode == 0
    cut, into_a_save = tmp_path / "cut", 0
    for _ in range(50):
        process = start(cut, name, steps, threads=threads)
        process.stdout.readline()  # that it goes on, or its first step: the log is as the checkpoint had it
        further = dice.randrange(1, 12)
        assert kill_at(process, cut, lines_logged(cut) + further, dice.random() * 0.03), "it was faster than the kill"
        into_a_save += any((cut / "checkpoints").glob(".*.tmp"))
    assert into_a_save >= 3, "some kills fell into a save"
    finish_and_compare(tmp_path / "whole", cut, name, steps, threads=threads)


def test_sigterm_saves_and_ends_with_its_own_code(tmp_path: Path) -> None:
    steps = 2000
    process = start(tmp_path, "mlm", steps)
    while lines_logged(tmp_path) < 3:
        time.sleep(0.005)
        assert process.poll() is None
    process.send_signal(signal.SIGTERM)
    process.send_signal(signal.SIGTERM)  # launchers say it twice
    output, _ = process.communicate(timeout=60)
    assert process.returncode == 143, output
    assert "stopped by a signal after step" in output
    assert _last(tmp_path).name == f"step-{lines_logged(tmp_path):08d}", "the step in progress was saved"


def test_what_a_network_draws_by_torch_resumes_too(tmp_path: Path) -> None:
    """Dropout, which our backbones do not have but others may: its numbers follow from step and row."""

    def dropping(run: Run) -> None:
        run.network.layers[0].register_forward_hook(
            lambda module, inputs, output: torch.nn.functional.dropout(output, 0.3, training=module.training)
        )

    class Drop(Intervention):
        def on_start(self, run: Run) -> None:
            dropping(run)

    whole = train(tmp_path / "whole", interventions=[Drop(), Killer("never", 0)])
    with pytest.raises(Killed):
        train(tmp_path / "cut", interventions=[Drop(), Killer("after_step", 7)])
    torch.manual_seed(12345)
    cut = train(tmp_path / "cut", interventions=[Drop(), Killer("never", 0)])
    assert_same_end(whole, cut)
    plain = train(tmp_path / "plain")
    assert any(not torch.equal(value, weights(plain)[name]) for name, value in weights(whole).items())
