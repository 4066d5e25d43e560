"""Embeddings that are forgotten: what begins anew, what stays, and at which rates."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from interruption import method_resumes
from pretrain_world import DECODER, World
from train_world import SIZE, make_loop, make_run, train, weights

from seedbed.core.errors import InputError
from seedbed.models import backbones
from seedbed.optim import optimizers, schedules
from seedbed.train import interventions
from seedbed.train.intervention import Intervention

UNTIED = {"layers": 1, "width": 16, "heads": 2, "max_length": 32, "kernel": "products", "tied": False}


def network(**options: Any) -> Any:
    return backbones.create("decoder", **{**UNTIED, **options}).network(SIZE, 3, pad=0)


def forgetting(every: int = 4, **options: Any) -> Any:
    return interventions.create("active_forgetting", every=every, **options)


def trained(method: Any, *, name: str = "adamw", steps: int = 9, tied: bool = False, watch: Any = None) -> Any:
    """A run with forgetting, and someone who looks at it."""
    made = network(tied=tied)
    method.prepare(made, 3)
    optimizer = optimizers.create(name).build(made)
    hooks = [method, *([watch] if watch else [])]
    run = make_run("clm", network=made, optimizer=optimizer, steps=steps, interventions=[])
    run.interventions = hooks
    make_loop(run, None).train(None)
    return run


def moments(run: Any, parameter: Any) -> list[torch.Tensor]:
    return [value for value in run.optimizer.state[parameter].values() if hasattr(value, "shape")]


class Look(Intervention):
    """What a step begins with: tables, their optimizer states, and the rest of the weights."""

    def __init__(self) -> None:
        self.seen: dict[int, dict[str, Any]] = {}

    def on_batch(self, run: Any) -> None:
        names = [name for name in weights(run) if name.endswith("embedding.weight")]
        parameters = dict(run.network.named_parameters())
        self.seen[run.step] = {
            "tables": {name: parameters[name].detach().clone() for name in names},
            "began": {n: not any(bool(v.any()) for v in moments(run, parameters[n])) for n in parameters},
            "body": {n: p.detach().clone() for n, p in parameters.items() if n not in names},
        }


@pytest.mark.parametrize("tied", [True, False])
def test_tables_and_their_states_begin_anew_and_nothing_else(tied: bool) -> None:
    look = Look()
    run = trained(forgetting(4), tied=tied, watch=look)
    tables = ["embedding.weight"] if tied else ["embedding.weight", "output_embedding.weight"]
    assert list(look.seen[0]["tables"]) == tables
    for step in range(1, 9):
        for name in dict(run.network.named_parameters()):
            assert look.seen[step]["began"][name] is (name in tables and step in (4, 8)), (step, name)
    for name in tables:
        drawn = [look.seen[step]["tables"][name] for step in (4, 8)]
        for table in drawn:
            assert table.std().item() == pytest.approx(0.02, rel=0.1) and table.abs().max() <= 0.06
        assert not torch.equal(*drawn)
    assert tied or not torch.equal(*look.seen[4]["tables"].values())
    assert run.counts["forgettings"] == 2


def test_the_last_step_and_a_checkpoint_have_learned_embeddings() -> None:
    run = trained(forgetting(4), steps=8)
    assert run.counts["forgettings"] == 1
    assert moments(run, run.network.embedding.weight)[0].any()


def test_the_tables_rate_runs_through_the_schedule_in_every_episode() -> None:
    """Against AdamW written out, of one row and one weight of the body, at the rates that the log should show."""
    log: list[tuple[float, float]] = []

    class Rates(Intervention):
        def after_step(self, run: Any) -> None:
            log.append((run.metrics["lr"], run.metrics["embedding_lr"]))

    trained(forgetting(4, schedule={"linear": {}}), steps=8, watch=Rates())
    wsd = schedules.create("wsd")
    assert [body for body, _ in log] == pytest.approx([1e-3 * wsd((step + 0.5) / 8) for step in range(8)])
    assert [table for _, table in log] == pytest.approx([1e-3 * (1 - (step + 0.5) / 4) for step in range(4)] * 2)
    log.clear()
    trained(forgetting(4), steps=8, watch=Rates())
    assert [table for _, table in log] == pytest.approx([1e-3 * wsd((step + 0.5) / 4) for step in range(4)] * 2)


def test_updates_are_those_of_two_optimizers_written_out() -> None:
    """One Adam for the body, at the run's rate; one for the tables, at its own, made anew in each episode."""
    gradients: list[dict[str, torch.Tensor]] = []
    begins: dict[int, torch.Tensor] = {}

    class Record(Intervention):
        def before_step(self, run: Any) -> None:
            if run.step % 4 == 0:
                begins[run.step] = run.network.embedding.weight.detach().clone()

        def after_backward(self, run: Any) -> None:
            gradients.append({n: p.grad.clone() for n, p in run.network.named_parameters()})

    made = network(tied=True)
    start = {name: p.detach().clone() for name, p in made.named_parameters()}
    run = make_run("clm", network=made, steps=8, optimizer=optimizers.create("adamw", lr=1e-3).build(made))
    method = forgetting(4, schedule={"linear": {}})
    method.prepare(made, 3)
    run.interventions = [method, Record()]
    make_loop(run, None, clip=0.0).train(None)

    def adam(name: str, begin: torch.Tensor, steps: range, rates: list[float], decay: float) -> torch.Tensor:
        w, m, v = begin.double(), 0.0, 0.0
        for count, step in enumerate(steps, 1):
            g = gradients[step][name].double()
            m, v = 0.9 * m + 0.1 * g, 0.98 * v + 0.02 * g * g
            w = w - rates[step] * (m / (1 - 0.9**count) / ((v / (1 - 0.98**count)).sqrt() + 1e-8) + decay * w)
        return w

    wsd = schedules.create("wsd")
    body = [1e-3 * wsd((step + 0.5) / 8) for step in range(8)]
    own = [1e-3 * (1 - (step % 4 + 0.5) / 4) for step in range(8)]
    name = "layers.0.qkv.weight"
    wanted = adam(name, start[name], range(8), body, 0.1)
    torch.testing.assert_close(dict(made.named_parameters())[name].detach().double(), wanted, rtol=1e-4, atol=1e-6)
    wanted = adam("embedding.weight", begins[4], range(4, 8), own, 0.0)
    torch.testing.assert_close(made.embedding.weight.detach().double(), wanted, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("name", optimizers.names())
def test_with_every_optimizer_a_forgotten_table_moves_as_with_a_new_one(name: str) -> None:
    """The first update after forgetting is that of an optimizer that has just been built, from the same gradient."""
    kept: dict[str, Any] = {}

    class Record(Intervention):
        def on_batch(self, run: Any) -> None:
            if run.step == 4:
                kept["before"] = run.network.embedding.weight.detach().clone()

        def after_backward(self, run: Any) -> None:
            kept["gradient"] = run.network.embedding.weight.grad.clone()

        def after_step(self, run: Any) -> None:
            kept["groups"] = [len(group["params"]) for group in run.optimizer.param_groups]

    run = trained(forgetting(4, schedule="constant"), name=name, steps=5, tied=True, watch=Record())
    fresh = network(tied=True)
    optimizer = optimizers.create(name).build(fresh)
    assert kept["groups"] == [len(group["params"]) for group in optimizer.param_groups]
    with torch.no_grad():
        fresh.embedding.weight.copy_(kept["before"])
    fresh.embedding.weight.grad = kept["gradient"]
    optimizer.step()
    torch.testing.assert_close(run.network.embedding.weight.detach(), fresh.embedding.weight.detach())
    assert not torch.equal(fresh.embedding.weight, kept["before"])


def test_it_resumes(tmp_path: Path) -> None:
    for step in (3, 4, 5):
        method_resumes(tmp_path / str(step), "active_forgetting", step, every=4)


def test_without_a_second_episode_and_with_the_runs_rate_nothing_changes() -> None:
    plain = train(None, "clm")
    with_it = train(None, "clm", interventions=[forgetting(12)])
    assert all(torch.equal(value, weights(with_it)[name]) for name, value in weights(plain).items())


def test_a_trunk_with_forgetting_branches_into_a_run_without(world: World) -> None:
    common = {"model": DECODER, "objective": "clm", "tokenizer": world["pieces"], "validate_every": 0}
    trunk = world.pretrain(budget="8 steps", interventions=[{"active_forgetting": {"every": 4}}], **common)
    assert trunk.counts["forgettings"] == 1
    branch = world.pretrain(
        budget="4 steps", branch="last", schedule="linear", **{**common, "model": trunk, "tokenizer": None}
    )
    again = world.pretrain(
        budget="8 steps",
        branch="last",
        interventions=[{"active_forgetting": {"every": 4}}],
        **{**common, "model": branch, "tokenizer": None},
    )
    assert "forgettings" not in branch.counts and again.counts["forgettings"] == 1


def test_bad_input() -> None:
    with pytest.raises(InputError, match="at least 1"):
        forgetting(0)
    with pytest.raises(InputError, match="whole runs"):
        trained(forgetting(4, schedule="power"))
    frozen = network()
    frozen.output_embedding.weight.requires_grad_(False)
    with pytest.raises(InputError, match="leaves embeddings out"):
        forgetting(4).prepare(frozen, 0)
