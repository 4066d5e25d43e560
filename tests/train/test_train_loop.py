"""The loop: what a step computes, in which order, and what it logs."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from train_world import (
    LENGTH,
    SIZE,
    MadeStream,
    assert_same_end,
    batch_of,
    log_without_times,
    make_loop,
    make_run,
    plain_objectives,
    train,
    vocabulary,
    weights,
)

from seedbed.core.errors import InputError
from seedbed.objectives import objectives
from seedbed.optim import schedules
from seedbed.train import Intervention, interventions
from seedbed.train import loop as loop_module
from seedbed.train.budget import Every
from seedbed.train.metrics import METRICS, MetricsLog, Progress, duration, idle_threads
from seedbed.train.precision import Precision
from seedbed.train.run import Run

NAMES = objectives.names()


@pytest.mark.parametrize("name", NAMES)
def test_the_loss_falls(name: str, tmp_path: Path) -> None:
    run = train(tmp_path, name, steps=60, rows=16, micro_tokens=10_000)
    losses = [line["loss"] for line in log_without_times(tmp_path)]
    assert len(losses) == run.step == 60
    if name in ("clm", "mlm", "mixture"):  # others have losses of other kinds
        assert losses[0] == pytest.approx(math.log(SIZE), rel=0.2)
    assert np.mean(losses[-5:]) < np.mean(losses[:5]) - 0.15


@pytest.mark.parametrize("name", NAMES)
def test_accumulation_equals_the_large_batch(name: str, tmp_path: Path) -> None:
    """Gradients of the first step and weights after six, in micro-batches of 3 and 8 rows, and of one (of `mlm`)."""
    ends = {}
    sizes = (1, 3) if name == "mlm" else (3,)
    for rows in (*sizes, 8):
        first = make_run(name, steps=1)
        make_loop(first, None, micro_tokens=rows * LENGTH, clip=0.0).train()
        run = train(tmp_path / str(rows), name, steps=6, micro_tokens=rows * LENGTH)
        losses = [line["loss"] for line in log_without_times(tmp_path / str(rows))]
        ends[rows] = (first.gradients.flat.clone(), losses, torch.cat([w.flatten() for w in weights(run).values()]))
    for rows in sizes:
        for small, large, tolerance in zip(ends[rows], ends[8], (1e-6, 1e-5, 1e-4), strict=True):
            torch.testing.assert_close(torch.as_tensor(small), torch.as_tensor(large), rtol=1e-4, atol=tolerance)


def test_the_gradient_is_that_of_the_mean_over_the_global_batch() -> None:
    run = make_run("mlm", steps=1)
    make_loop(run, None, micro_tokens=3 * LENGTH, clip=0.0).train()
    other = make_run("mlm", steps=1)
    batch = other.stream.next(8)
    progress = other.coming_progress()
    loss = other.objective.loss(other.network, other.objective.corrupt(batch, seed=3, progress=progress).to("cpu"))
    (loss.sum / loss.count).backward()
    expected = torch.cat(
        [(torch.zeros_like(p) if p.grad is None else p.grad).flatten() for p in other.network.parameters()]
    )
    torch.testing.assert_close(run.gradients.flat, expected, rtol=1e-4, atol=1e-6)
    assert run.metrics["grad_norm"] == pytest.approx(float(expected.norm()), rel=1e-4)
    assert run.metrics["loss"] == pytest.approx(float(loss.sum.detach()) / loss.count, rel=1e-6)


def test_clipping_limits_the_norm_of_the_update() -> None:
    run = make_run("mlm", steps=1)
    make_loop(run, None, clip=0.01).train()
    assert float(run.gradients.flat.norm()) == pytest.approx(0.01, rel=1e-4)
    assert run.metrics["grad_norm"] > 1, "the log has the norm before clipping"


def test_packed_documents_never_see_each_other() -> None:
    """The loss of a piece is the same whatever stands beside it in the row, and its gradient too."""
    for name in plain_objectives():
        run = make_run(name)
        piece = [2, 9, 10, 11, 12, 13, 3]
        beside = [[2, 40, 50, 60, 3], [2, 30, 31, 5, 3]]
        found = []
        for other in beside:
            batch = batch_of([[piece, other]])
            examples = run.objective.corrupt(batch, seed=1, progress=0.5)
            inside = examples.where_T < len(piece)
            examples.where_T, examples.targets_T = examples.where_T[inside], examples.targets_T[inside]
            assert examples.num_targets > 0
            run.network.zero_grad(set_to_none=True)
            loss = run.objective.loss(run.network, examples.to("cpu"))
            loss.sum.backward()
            grads = {n: p.grad.clone() for n, p in run.network.named_parameters() if "layers" in n}
            reached = run.network.embedding.weight.grad[[40, 50, 60, 30, 31]] if not _tied(run) else None
            found.append((float(loss.sum.detach()), grads, reached))
        assert found[0][0] == pytest.approx(found[1][0], rel=1e-6)
        for parameter, grad in found[0][1].items():
            torch.testing.assert_close(grad, found[1][1][parameter], rtol=1e-4, atol=1e-7)


def _tied(run: Run) -> bool:
    return run.network.output()[0] is run.network.embedding.weight


def test_learning_rates_follow_the_schedule_at_the_middle_of_each_step(tmp_path: Path) -> None:
    schedule = schedules.create("wsd", warmup=0.2, decay=0.5)
    train(tmp_path, steps=10, schedule=schedule)
    rates = [line["lr"] for line in log_without_times(tmp_path)]
    assert rates == pytest.approx([3e-3 * schedule((step + 0.5) / 10) for step in range(10)])
    assert 0 < rates[0] < 3e-3 and 0 < rates[-1] < 3e-3


def test_a_budget_of_tokens_counts_no_padding(tmp_path: Path) -> None:
    run = train(tmp_path, goal=(1000, "tokens"))
    lines = log_without_times(tmp_path)
    assert lines[-2]["tokens"] < 1000 <= lines[-1]["tokens"] == run.tokens
    stream = MadeStream(3)
    seen = [stream.next(8) for _ in range(run.step)]
    assert run.tokens == sum(int((batch.segments_BL >= 0).sum()) for batch in seen)
    assert run.positions == run.step * 8 * LENGTH
    assert run.stream.counts["tokens"]["made"] == run.tokens


def test_the_log_has_one_line_a_step_and_times_apart(tmp_path: Path) -> None:
    train(tmp_path, steps=5)
    lines = [json.loads(line) for line in (tmp_path / METRICS).read_text().splitlines()]
    assert [line["step"] for line in lines] == [1, 2, 3, 4, 5]
    for line in lines:
        assert {"step", "tokens", "loss", "accuracy", "targets", "grad_norm", "lr", "time"} == set(line)
        assert set(line["time"]) == {"seconds", "tokens_per_second"}
        assert 0 <= line["accuracy"] <= 1 and line["targets"] > 0


class Recorder(Intervention):
    """Writes down which hook was called when."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, int]] = []

    def on_start(self, run: Run) -> None:
        self.calls.append(("on_start", run.step))

    def before_step(self, run: Run) -> None:
        assert run.batch is None or run.step > 0
        self.calls.append(("before_step", run.step))

    def after_backward(self, run: Run) -> None:
        assert run.metrics["grad_norm"] > 0
        self.calls.append(("after_backward", run.step))

    def after_step(self, run: Run) -> None:
        run.metrics["twice"] = 2 * run.step
        self.calls.append(("after_step", run.step))

    def on_evaluate(self, run: Run) -> None:
        assert "validation_loss" in run.metrics
        self.calls.append(("on_evaluate", run.step))

    def on_end(self, run: Run) -> None:
        self.calls.append(("on_end", run.step))


def test_hooks_come_in_their_order(tmp_path: Path) -> None:
    recorder, validate = Recorder(), interventions.create("validate", every=2, rows=4)
    train(tmp_path, steps=2, interventions=[recorder, validate], held_out=lambda rows: [MadeStream(9).next(rows)])
    step = ["before_step", "after_backward", "after_step"]
    assert [name for name, _ in recorder.calls] == ["on_start", *step, *step, "on_evaluate", "on_end"]
    assert [number for _, number in recorder.calls] == [0, 0, 0, 1, 1, 1, 2, 2, 2]
    lines = log_without_times(tmp_path)
    assert [line["twice"] for line in lines] == [2, 4]
    assert "validation_loss" not in lines[0] and lines[1]["validation_loss"] > 0


class Halve(Intervention):
    """Changes gradients, and the rate of the step."""

    def before_step(self, run: Run) -> None:
        run.optimizer.param_groups[0]["lr"] = 1e-9

    def after_backward(self, run: Run) -> None:
        run.gradients.scale(0.5)
        run.measure_gradients()


def test_interventions_may_change_gradients_and_rates(tmp_path: Path) -> None:
    train(tmp_path / "plain", steps=1)
    train(tmp_path / "changed", steps=1, interventions=[Halve()])
    plain, changed = (log_without_times(tmp_path / name)[0] for name in ("plain", "changed"))
    assert changed["grad_norm"] == pytest.approx(plain["grad_norm"] / 2)
    assert changed["lr"] == 1e-9


def test_validation_is_the_same_for_all_batch_sizes_and_seeds(tmp_path: Path) -> None:
    held_out = MadeStream(9).next(30)

    def first_loss(**extra: Any) -> float:
        place = tmp_path / str(len(list(tmp_path.iterdir())))
        train(
            place,
            steps=1,
            schedule=schedules.create("constant", value=0.0),
            interventions=[interventions.create("validate", every=1, rows=30)],
            **extra,
        )
        return log_without_times(place)[0]["validation_loss"]

    whole = first_loss(held_out=lambda rows: [held_out])
    parts = first_loss(
        held_out=lambda rows: [held_out.select(slice(0, 7)), held_out.select(slice(7, 30))], micro_tokens=16
    )
    assert whole == pytest.approx(parts, rel=1e-6)
    run = make_run("mlm")
    examples = run.objective.corrupt(held_out, seed=20, progress=1.0).to("cpu")
    with torch.no_grad():
        loss = run.objective.loss(run.network, examples)
    assert whole == pytest.approx(float(loss.sum) / loss.count, rel=1e-6)


def test_validation_without_held_out_data_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no held-out documents"):
        train(tmp_path, steps=1, interventions=[interventions.create("validate")])


def test_validation_changes_nothing_else(tmp_path: Path) -> None:
    plain = train(tmp_path / "plain", steps=6)
    watched = train(
        tmp_path / "watched",
        steps=6,
        interventions=[interventions.create("validate", every=2, rows=5)],
        held_out=lambda rows: [MadeStream(9).next(rows)],
    )
    assert_same_end(plain, watched)


def test_steps_without_targets_are_counted_and_change_nothing(tmp_path: Path) -> None:
    objective = objectives.create("mlm", rate={"linear": {"start": 0.0, "end": 0.0}})
    before = weights(make_run(objective))
    run = train(tmp_path, objective, steps=3)
    assert run.counts == {"steps_without_targets": 3}
    assert all(torch.equal(value, before[name]) for name, value in weights(run).items())
    assert [line["loss"] for line in log_without_times(tmp_path)] == [None] * 3


def test_frozen_parameters_stay_and_have_no_state(tmp_path: Path) -> None:
    from seedbed.optim import optimizers
    from seedbed.train.network import freeze

    run = make_run("mlm", steps=3)
    freeze(run.network, ["layers.1.*", "head_*"])
    run.optimizer = optimizers.create("adamw").build(run.network)
    before = weights(run)
    make_loop(run, tmp_path).train()
    changed = {name for name, value in weights(run).items() if not torch.equal(value, before[name])}
    assert changed and all(name.startswith(("layers.1.", "head_")) for name in changed)
    with pytest.raises(InputError, match="matches no parameter"):
        freeze(run.network, ["layer.1.*"])
    with pytest.raises(InputError, match="nothing to train"):
        freeze(run.network, [])


def test_bf16_trains_too(tmp_path: Path) -> None:
    run = train(tmp_path, steps=40, rows=16, precision=Precision("bf16"))
    losses = [line["loss"] for line in log_without_times(tmp_path)]
    assert np.mean(losses[-5:]) < np.mean(losses[:5])
    assert {value.dtype for value in weights(run).values()} == {torch.float32}


class TestProgress:
    """What a person sees."""

    def test_lines_are_said_where_there_is_no_terminal(self, tmp_path: Path) -> None:
        said: list[str] = []
        train(tmp_path, steps=3, say=said.append)
        assert said[0].startswith("step 1/3 · loss 4.") and "tokens/s" in said[0] and "left" in said[0]
        assert said[-1].startswith("step 3/3")

    def test_a_terminal_gets_one_line_rewritten(self) -> None:
        class Terminal:
            text = ""

            def isatty(self) -> bool:
                return True

            def write(self, text: str) -> None:
                self.text += text

            def flush(self) -> None:
                pass

        terminal, said = Terminal(), list[str]()
        progress = Progress(said.append, terminal)  # type: ignore[arg-type]
        progress.on_terminal = True  # also where CI is set
        progress.show("a long line", force=True)
        progress.show("short", force=True)
        progress.end()
        assert terminal.text == "\ra long line\rshort      \n" and not said

    def test_durations(self) -> None:
        assert [duration(s) for s in (0.4, 59, 61, 3599, 3660, 90000)] == [
            "0 s", "59 s", "1:01 min", "59:59 min", "1:01 h", "25:00 h",
        ]  # fmt: skip


def test_idle_threads_are_said_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert idle_threads(100, 170, 2) is None and idle_threads(100, 20, 1) is None
    assert "2 threads were at work for 45% of the time" in str(idle_threads(100, 90, 2))
    assert "SEEDBED_CORES=3" in str(idle_threads(10, 32, 8)) and "SEEDBED_CORES=1" in str(idle_threads(10, 1, 8))
    monkeypatch.setattr(loop_module, "_LOOK_AFTER", 0.0)
    monkeypatch.setattr(loop_module, "idle_threads", lambda *_: "idle")
    said: list[str] = []
    train(tmp_path, steps=3, say=said.append)
    assert said.count("idle") == 1


def test_a_log_that_lost_lines_is_said(tmp_path: Path) -> None:
    said: list[str] = []
    log = MetricsLog(tmp_path / METRICS)
    (tmp_path / METRICS).write_text('{"step": 1}\n')
    log.open(100, said.append)
    log.write({"step": 2, "loss": math.inf})
    log.close()
    assert "has lost lines" in said[0]
    assert (tmp_path / METRICS).read_text() == '{"step": 1}\n{"step": 2, "loss": null}\n'


def test_never_saving_is_possible(tmp_path: Path) -> None:
    run = make_run("mlm", steps=2)
    make_loop(run, None, save_every=Every.parse("never")).train()
    assert run.step == 2 and not list(tmp_path.iterdir())


def test_more_processes_than_rows_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WORLD_SIZE", "4")
    monkeypatch.setenv("RANK", "0")
    with pytest.raises(InputError, match="gives 2 rows for 4 processes"):
        make_loop(make_run("mlm", rows=2), None)


def test_the_made_vocabulary_has_words_of_several_tokens() -> None:
    assert 0 < vocabulary().word_start_V.mean() < 0.5
