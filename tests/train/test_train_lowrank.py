"""Low-rank training: factors, adapters, restarts, and what is saved in the end."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from interruption import method_resumes
from pretrain_world import DECODER, World
from train_world import LENGTH, SIZE, make_loop, make_run, train

from seedbed.core.errors import InputError
from seedbed.models import backbones
from seedbed.models.layers import Linear
from seedbed.models.lowrank import AdaptedLinear, LowRankLinear
from seedbed.train import accounting, interventions, optimizer_state
from seedbed.train.intervention import Intervention


def layer_of(outputs: int, inputs: int) -> Linear:
    torch.manual_seed(outputs)
    linear = Linear(inputs, outputs, bias=True).double()
    torch.nn.init.normal_(linear.weight)
    torch.nn.init.normal_(linear.bias)
    return linear


@pytest.mark.parametrize(("outputs", "inputs"), [(9, 6), (6, 9), (7, 7)])
def test_the_factors_are_the_best_approximation_and_stay_so_when_balanced(outputs: int, inputs: int) -> None:
    linear = layer_of(outputs, inputs)
    layer = LowRankLinear(linear, 4, "w")
    left, values, right = np.linalg.svd(linear.weight.detach().numpy(), full_matrices=False)
    best = sum(values[k] * np.outer(left[:, k], right[k]) for k in range(4))
    np.testing.assert_allclose(layer.merged().detach().numpy(), best, atol=1e-12)
    x = torch.randn(3, 5, inputs, dtype=torch.float64)
    by_hand = x.numpy() @ best.T + linear.bias.detach().numpy()
    np.testing.assert_allclose(layer(x).detach().numpy(), by_hand, atol=1e-12)
    with torch.no_grad():  # a change of basis: the same product from factors that are far from balanced
        basis = torch.randn(4, 4, dtype=torch.float64)
        layer.up.copy_(layer.up @ basis)
        layer.down.copy_(torch.linalg.solve(basis, layer.down))
        layer.refactor()
    np.testing.assert_allclose(layer.merged().detach().numpy(), best, atol=1e-10)
    up, down = layer.up.detach().numpy(), layer.down.detach().numpy()
    np.testing.assert_allclose(up.T @ up, np.diag(values[:4]), atol=1e-10)
    np.testing.assert_allclose(down @ down.T, np.diag(values[:4]), atol=1e-10)


def test_an_adapted_layer_and_its_merger() -> None:
    linear = layer_of(6, 9)
    plain = linear.weight.detach().clone()
    layer = AdaptedLinear(linear, 3, 2.5, "w").double()
    layer.begin(1, "w", 0)
    x = torch.randn(4, 9, dtype=torch.float64)
    assert torch.allclose(layer(x), linear(x), atol=1e-12), "an adapter begins with no effect"
    assert layer.down.abs().max() <= 1 / 3 and layer.down.std().item() == pytest.approx(1 / 3 / 3**0.5, rel=0.3)
    torch.nn.init.normal_(layer.up)
    by_hand = plain + 2.5 * layer.up.detach() @ layer.down.detach()
    assert torch.allclose(layer.merged(), by_hand, atol=1e-12)
    assert torch.allclose(layer(x), x @ by_hand.T + layer.bias, atol=1e-12)
    layer(x).sum().backward()
    assert layer.weight.grad is None


def test_pruning_and_clearing_what_an_optimizer_remembers() -> None:
    parameter, other = torch.nn.Parameter(torch.zeros(5, 4)), torch.nn.Parameter(torch.zeros(3))
    optimizer = torch.optim.AdamW([parameter, other])
    parameter.grad, other.grad = torch.arange(20.0).view(5, 4) - 9.5, torch.ones(3)
    optimizer.step()
    before = {name: value.clone() for name, value in optimizer.state[parameter].items()}
    optimizer_state.prune(optimizer, [parameter], 0.9)
    for name in ("exp_avg", "exp_avg_sq"):
        value = optimizer.state[parameter][name]
        assert torch.equal(value.nonzero(), torch.tensor([[0, 0], [4, 3]])), "the two of largest magnitude"
        assert torch.equal(value[value != 0], before[name][value != 0])
    assert optimizer.state[parameter]["step"] == 1
    optimizer_state.clear(optimizer, [parameter])
    assert not any(bool(value.any()) for value in optimizer.state[parameter].values())
    assert optimizer.state[other]["exp_avg"].all()


def test_factorized_training_resumes_refactors_and_forgets(tmp_path: Path) -> None:
    seen: dict[int, tuple[bool, bool]] = {}

    class Look(Intervention):
        def after_step(self, run: Any) -> None:
            layer = run.network.layers[0].qkv
            gram = layer.up.T @ layer.up
            balanced = torch.allclose(gram, layer.down @ layer.down.T, atol=1e-6)
            state = run.optimizer.state[layer.up]
            seen[run.step] = (balanced, not bool(state["exp_avg"].any()))

    whole = method_resumes(tmp_path, "low_rank", 7, rank=6, refactor="3 steps", reset="4 steps")
    run = make_run("clm", interventions=[interventions.create("low_rank", rank=6, refactor=3, reset=4), Look()])
    make_loop(run, None).train(None)
    assert [step for step, (balanced, _) in seen.items() if balanced] == [3, 6, 9]
    assert [step for step, (_, forgotten) in seen.items() if forgotten] == [4, 8]
    assert torch.equal(whole.network.layers[1].qkv.up, run.network.layers[1].qkv.up)


def test_balancing_alone_changes_nothing_that_the_network_computes() -> None:
    run = train(None, "clm", interventions=[interventions.create("low_rank", rank=6, refactor="never")])
    tokens = torch.arange(LENGTH)[None]
    before = run.network.hidden(tokens)
    for layer in (run.network.layers[0].qkv, run.network.layers[1].feedforward_out):
        layer.refactor()
    assert torch.allclose(run.network.hidden(tokens), before, atol=1e-5)


@pytest.mark.parametrize(
    ("name", "parameters"),
    [("low_rank", {"rank": 6}), ("relora", {"rank": 6, "every": 5, "warmup": 2}), ("nm_sparsity", {"last": 0.5})],
)
def test_the_exported_network_is_a_plain_one_that_computes_the_same(name: str, parameters: dict[str, Any]) -> None:
    method = interventions.create(name, **parameters)
    run = train(None, "clm", interventions=[method])
    tokens = torch.arange(LENGTH)[None] % SIZE
    before = run.network.logits(run.network.hidden(tokens)[0])
    method.export(run.network)
    assert torch.allclose(run.network.logits(run.network.hidden(tokens)[0]), before, atol=1e-5)
    plain = backbones.create("decoder", layers=2, width=32, heads=2, max_length=64).network(SIZE, 0)
    shapes = {name: p.shape for name, p in run.network.named_parameters()}
    assert shapes == {name: p.shape for name, p in plain.named_parameters()}


def test_relora_restarts(tmp_path: Path) -> None:
    """Weights change at restarts only, by what the adapters were; rates are jagged; the sum of updates has a rank above
    that of one adapter; and it resumes."""
    whole = method_resumes(tmp_path, "relora", 7, rank=4, every=5, warmup=2, prune=0.9)
    assert whole.counts["restarts"] == 2
    log: list[dict[str, Any]] = []

    class Before(Intervention):  # stands before ReLoRA, and sees a step's end before it merges
        def after_step(self, run: Any) -> None:
            layer = run.network.layers[0].qkv
            log.append({"merged": layer.merged().clone(), "down": layer.down.clone(), "lr": run.metrics["lr"]})

    class After(Intervention):
        def after_step(self, run: Any) -> None:
            layer = run.network.layers[0].qkv
            moment = run.optimizer.state[layer.up]["exp_avg"]
            log[-1] |= {"weight": layer.weight.clone(), "up": layer.up.clone(), "kept": int((moment != 0).sum())}

    settings = {"rank": 4, "every": 5, "warmup": 2, "prune": 0.9}
    run = make_run("clm", interventions=[Before(), interventions.create("relora", **settings), After()])
    first = run.network.layers[0].qkv.weight.clone()
    rates = [3e-3 * run.schedule((step + 0.5) / 12) for step in range(12)]
    make_loop(run, None).train(None)
    for step, line in enumerate(log, 1):
        restarted = step in (5, 10)
        before = first if step == 1 else log[step - 2]["weight"]
        assert torch.equal(line["weight"], line["merged"] if restarted else before)
        assert bool(line["up"].any()) is not restarted
        assert line["kept"] == (round(0.1 * 96 * 4) if restarted else line["kept"])
    assert not torch.allclose(log[4]["down"], log[5]["down"], atol=0.05), "drawn anew"
    factors = [1] * 5 + [0.25, 0.75, 1, 1, 1] + [0.25, 0.75]
    assert [line["lr"] for line in log] == pytest.approx([f * r for f, r in zip(factors, rates, strict=True)])
    change = run.network.layers[0].qkv.merged() - first
    assert 4 < torch.linalg.matrix_rank(change, rtol=1e-4) <= 12


def test_adapters_come_late_and_without_decay(tmp_path: Path) -> None:
    method_resumes(tmp_path / "early", "nm_sparsity", 3, last=0.5)
    method_resumes(tmp_path / "late", "nm_sparsity", 9, last=0.5)
    run = make_run("clm", interventions=[interventions.create("nm_sparsity", last=0.5)])
    down, seen = run.network.layers[0].qkv.down.clone(), []

    class Look(Intervention):
        def after_step(self, run: Any) -> None:
            layer = run.network.layers[0].qkv
            seen.append((torch.equal(layer.down, down), bool(layer.up.any()), layer.down in run.optimizer.state))

    run.interventions = [*run.interventions, Look()]
    make_loop(run, None).train(None)
    assert seen[:6] == [(True, False, False)] * 6 and seen[6][1:] == (True, True)
    assert float((run.network.layers[1].qkv.weight == 0).float().mean()) == pytest.approx(0.5, abs=0.01)


def test_what_the_methods_cost() -> None:
    """By hand, for a network of two layers of width 32: qkv 96 x 32, out 32 x 32, in 2F x 32, out 32 x F."""
    architecture = make_run("clm").network.architecture
    inner = architecture.feedforward
    shapes = [(96, 32), (32, 32), (2 * inner, 32), (32, inner)] * 2
    dense = sum(6 * m * n for m, n in shapes)
    rest = architecture.flops_per_token(LENGTH) - dense

    def cost(name: str, **parameters: Any) -> float:
        return accounting.flops_per_token(architecture, [interventions.create(name, **parameters)], LENGTH) - rest

    assert cost("low_rank", rank=5) == pytest.approx(sum(6 * 5 * (m + n) for m, n in shapes))
    assert cost("relora", rank=5) == pytest.approx(sum(4 * m * n + 6 * 5 * (m + n) for m, n in shapes))
    sparse = sum(4 * m * n + 0.1 * 6 * 5 * (m + n) for m, n in shapes)
    assert cost("nm_sparsity", rank=5, last=0.1) == pytest.approx(sparse)
    assert cost("nm_sparsity", rank=0, double=False) == pytest.approx(5 / 6 * dense)

    run = train(None, "clm", steps=2, interventions=[interventions.create("low_rank", rank=5)])
    tables = 32 * (SIZE + 5)  # embedding and five norms
    kept = tables + sum(5 * (m + n) for m, n in shapes)
    counts = accounting.memory(run, LENGTH)
    assert counts["weights"] == counts["gradients"] == 4 * kept and counts["trained_weights"] == kept
    run = train(None, "clm", steps=2, interventions=[interventions.create("relora", rank=5)])
    counts = accounting.memory(run, LENGTH)
    assert counts["weights"] == 4 * (kept + sum(m * n for m, n in shapes)) and counts["gradients"] == 4 * kept
    assert counts["optimizer"] == pytest.approx(8 * kept, rel=0.01)


def test_what_does_not_fit_is_named() -> None:
    with pytest.raises(InputError, match=r"rank: is above the rank of layers\.0\.qkv"):
        make_run("clm", interventions=[interventions.create("low_rank", rank=64)])
    with pytest.raises(InputError, match="m: does not divide"):
        make_run("clm", interventions=[interventions.create("nm_sparsity", n=2, m=7)])
    with pytest.raises(InputError, match="refactor: goes by steps"):
        interventions.create("low_rank", refactor="3 minutes")
    wide = backbones.create("decoder", layers=1, width=64, heads=2, width_transfer=32).network(SIZE, 0)
    with pytest.raises(InputError, match="does not go with width_transfer"):
        interventions.create("relora").prepare(wide, 0)


def test_through_the_step(world: World) -> None:
    """The saved model is an ordinary one, and the counts say what training needed."""
    given = {"model": DECODER, "tokenizer": world["pieces"], "data": {world["news"]: 1.0}, "objective": "clm"}
    full = world.pretrain(**given)
    low = world.pretrain(**given, interventions=[{"low_rank": {"rank": 4}}])
    assert low.counts["parameters"] == full.counts["parameters"] == sum(p.numel() for p in low.network().parameters())
    assert low.counts["trainable_parameters"] == low.counts["memory"]["trained_weights"]
    assert low.counts["memory"]["optimizer"] < 0.5 * full.counts["memory"]["optimizer"]
    assert low.counts["flops"] < 0.75 * full.counts["flops"]
    assert torch.linalg.matrix_rank(low.network().layers[0].qkv.weight) == 4
    assert low.counts["validation_loss"] < low.counts["loss"] + 1
    on = world.pretrain(**{**given, "model": low}, interventions=[{"relora": {"rank": 2, "every": 5, "warmup": 1}}])
    assert on.counts["restarts"] == 2
