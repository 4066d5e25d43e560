"""Sharpness-aware minimization against its two gradients taken by hand."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from interruption import resumed_equals_whole
from train_world import LENGTH, log_without_times, make_loop, make_run, train

from seedbed.core.errors import InputError
from seedbed.models import backbones
from seedbed.train import interventions
from seedbed.train.accounting import flops_per_token
from seedbed.train.intervention import Intervention
from seedbed.train.run import Run


class Keep(Intervention):
    """The gradient and the weights as the optimizer is to meet them."""

    def after_backward(self, run: Run) -> None:
        assert run.gradients is not None
        self.gradient = run.gradients.flat.clone()
        self.weights = torch.cat([parameter.detach().flatten() for parameter in run.gradients.parameters])


def mean_gradient(run: Run, batch: Any) -> tuple[torch.Tensor, float]:
    run.network.zero_grad()
    loss = run.objective.loss(run.network, run.objective.corrupt(batch, seed=3, progress=0.0).to("cpu"))
    (loss.sum / loss.count).backward()
    grads = [torch.zeros_like(p) if p.grad is None else p.grad for p in run.network.parameters()]
    return torch.cat([grad.flatten() for grad in grads]), float((loss.sum / loss.count).detach())


@pytest.mark.parametrize("adaptive", [False, True])
def test_it_is_the_gradient_at_the_top_of_the_climb(adaptive: bool, tmp_path: Path) -> None:
    keep = Keep()
    sam = interventions.create("sharpness_aware", radius=0.3, adaptive=adaptive)
    train(tmp_path, "clm", steps=1, interventions=[sam, keep], micro_tokens=3 * LENGTH)
    run = make_run("clm")
    parameters = list(run.network.parameters())
    before = torch.nn.utils.parameters_to_vector(parameters).detach().clone()
    assert torch.equal(keep.weights, before), "back at the very same weights"
    batch = run.stream.next(8)
    first, low = mean_gradient(run, batch)
    climb = before**2 * first / (before.abs() * first).norm() if adaptive else first / first.norm()
    torch.nn.utils.vector_to_parameters(before + 0.3 * climb, parameters)
    second, high = mean_gradient(run, batch)
    torch.testing.assert_close(keep.gradient, second, rtol=1e-4, atol=1e-6)
    assert (first - second).norm() > 0.02 * second.norm()
    (line,) = log_without_times(tmp_path)
    assert line["sharpness"] == pytest.approx(high - low, rel=1e-3) and high > low
    assert line["loss"] == pytest.approx(low) and line["grad_norm"] == pytest.approx(float(second.norm()), rel=1e-4)


@pytest.mark.parametrize("killed_at", [2, 5])
def test_resume(killed_at: int, tmp_path: Path) -> None:
    resumed_equals_whole(tmp_path, lambda: {"interventions": [interventions.create("sharpness_aware")]}, killed_at)


def test_what_an_objective_counts_is_counted_once(tmp_path: Path) -> None:
    """crts counts its losses in buffers: with a climb of next to nothing they are those of a plain run."""
    tiny = [interventions.create("sharpness_aware", radius=1e-9)]
    ours, plain = (
        train(tmp_path / name, "crts", steps=3, interventions=some) for name, some in [("o", tiny), ("p", [])]
    )
    counted = [dict(network.named_buffers()) for network in (ours.network, plain.network)]
    assert counted[0] and counted[0].keys() == counted[1].keys()
    for name, buffer in counted[0].items():
        torch.testing.assert_close(buffer, counted[1][name], rtol=1e-3, atol=1e-4)


def test_it_costs_two_passes_and_excludes_private(tmp_path: Path) -> None:
    sam = interventions.create("sharpness_aware")
    architecture = backbones.create("decoder", layers=1, width=32, heads=1).architecture(100)
    assert flops_per_token(architecture, [sam], 16) == 2 * flops_per_token(architecture, [], 16)
    both = [interventions.create("private"), sam]
    with pytest.raises(InputError, match="does not account for"):
        make_loop(make_run(interventions=both, goal=(2, "steps")), tmp_path).train()
    with pytest.raises(InputError, match="radius"):
        interventions.create("sharpness_aware", radius=0.0)
