"""A loss that jumps: stop, skip, roll back."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from interruption import resumed_equals_whole
from test_train_non_finite import Leave, Poisoned
from train_world import Marked, log_without_times, train, weights

from seedbed.core.errors import InputError
from seedbed.objectives import Loss
from seedbed.train import interventions
from seedbed.train.hooks.spike_guard import SpikeError, deviations
from seedbed.train.run import Run


def shout(loss: Loss) -> None:
    loss.sum = loss.sum * 100


def shouting(rows: set[int]) -> Marked:
    """Causal language modeling in which some rows of the run count a hundredfold."""
    return Marked("clm", rows, shout)


def guard(policy: str = "skip", **parameters: Any) -> Any:
    return interventions.create("spike_guard", policy=policy, window=8, **parameters)


def small(rows: set[int]) -> dict[str, Any]:
    return {"objective": shouting(rows), "micro_tokens": 16}  # a row a micro-batch


def run_of(folder: Path | None, rows: set[int], **extra: Any) -> Run:
    return train(folder, **small(rows), **extra)


@pytest.mark.parametrize("seed", range(3))
def test_deviations_are_robust(seed: int) -> None:
    """Against the definition, by sorting; and one spike in the window hides no other."""
    window = np.random.default_rng(seed).normal(5, 0.5, 31).tolist()
    middle = sorted(window)[15]
    spread = 1.4826 * sorted(abs(value - middle) for value in window)[15]
    assert deviations(7.0, window) == pytest.approx(((7.0 - middle) / spread, middle))
    assert deviations(100.0, [*window[1:], 1e9])[0] > 50


def test_a_flat_window_has_a_least_deviation() -> None:
    assert deviations(1.005, [1.0] * 9)[0] == pytest.approx(0.5)
    assert deviations(0.0, [0.0] * 9) == (0.0, 0.0)


def test_skip_leaves_the_update_out_and_names_the_rows(tmp_path: Path) -> None:
    said: list[str] = []
    run = run_of(tmp_path / "a", {70}, interventions=[guard()], say=said.append)
    assert run.counts == {"skipped_steps": 1} and run.step == 12
    assert [line["step"] for line in log_without_times(tmp_path / "a") if line.get("skipped")] == [9]
    (message,) = [line for line in said if "deviations above its median" in line]
    assert message.startswith("step 9: the ") and "made: d7000, made: d7001" in message
    assert message.count("made: ") <= 6, "three rows of two documents"

    other = run_of(tmp_path / "b", set(), interventions=[Leave({8})])
    assert all(torch.equal(value, weights(other)[name]) for name, value in weights(run).items())


def test_stop_is_an_error_that_says_where_to_look(tmp_path: Path) -> None:
    with pytest.raises(SpikeError, match=r"step 9: the .* made: d7000") as caught:
        run_of(tmp_path, {70}, interventions=[guard("stop")])
    assert "seedbed inspect batch RUN 9" in str(caught.value)
    assert len(log_without_times(tmp_path)) == 8


def test_rollback(tmp_path: Path) -> None:
    run = run_of(tmp_path, {70}, interventions=[guard("rollback")])
    assert run.counts == {"skipped_steps": 1, "rollbacks": 1}
    assert log_without_times(tmp_path)[8]["rolled_back_to"] == 8


@pytest.mark.parametrize("policy", ["skip", "rollback"])
@pytest.mark.parametrize("killed_at", [5, 8, 9, 11])
def test_resume(policy: str, killed_at: int, tmp_path: Path) -> None:
    resumed_equals_whole(tmp_path, lambda: {**small({70}), "interventions": [guard(policy)]}, killed_at)


def test_a_new_level_ends_the_run_or_is_taken_up(tmp_path: Path) -> None:
    rows = set(range(56, 400))
    with pytest.raises(SpikeError, match="step 9"):
        run_of(tmp_path, rows, steps=20, interventions=[guard(patience=2)])
    run = run_of(None, rows, steps=20, interventions=[guard(patience=20)])
    assert 3 <= run.counts["skipped_steps"] <= 6, "until it fills half of the window"


def test_nothing_is_judged_before_half_a_window() -> None:
    run = run_of(None, {8}, interventions=[guard()])
    assert run.counts == {}


def test_numbers_that_are_not_finite_are_the_other_guards(tmp_path: Path) -> None:
    chosen = [guard(), interventions.create("non_finite", policy="skip")]
    run = train(tmp_path, Poisoned({60}), interventions=chosen)
    assert run.counts == {"skipped_steps": 1}
    assert chosen[0].state_dict()["in_a_row"] == 0 and all(map(np.isfinite, chosen[0].state_dict()["seen"]["loss"]))


def test_bad_parameters_are_named() -> None:
    for parameters, named in (
        ({"policy": "ignore"}, "policy"),
        ({"window": 3}, "window"),
        ({"threshold": 0}, "threshold"),
    ):
        with pytest.raises(InputError, match=named):
            interventions.create("spike_guard", **parameters)
