"""What every optimizer keeps to."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from optim_world import Odd
from train_world import SIZE, assert_same_end, log_without_times, train

from seedbed.core.errors import InputError
from seedbed.models import backbones
from seedbed.optim import optimizers
from seedbed.train.hooks.validate import Validate
from seedbed.train.intervention import Intervention
from seedbed.train.run import Run

VARIANTS: list[tuple[str, dict[str, Any]]] = [
    *((name, {}) for name in optimizers.names()),
    ("adamw", {"state": "bf16"}),
    ("adamw", {"state": "int8"}),
    ("muon", {"scale": "spectral", "adamw_lr": 1e-3}),
]
every_optimizer = pytest.mark.parametrize(
    ("name", "options"), VARIANTS, ids=["-".join([name, *map(str, options.values())]) for name, options in VARIANTS]
)


def pulled(network: torch.nn.Module, target: list[torch.Tensor]) -> torch.Tensor:
    """A quadratic with another curvature for each parameter."""
    pairs = zip(network.parameters(), target, strict=True)
    return sum(((p - goal) ** 2).sum() * 2.0**number for number, (p, goal) in enumerate(pairs))  # type: ignore[return-value]


def bring_curvature(network: torch.nn.Module, optimizer: Any) -> None:
    """What the loop does for a rule that wants gradients of sampled losses; the quadratic's curvature is known."""
    if getattr(optimizer, "wants_sampled_gradient", False):
        for number, parameter in enumerate(network.parameters()):
            parameter.grad = torch.full_like(parameter, (2 * 2.0**number / 16) ** 0.5)
        optimizer.take_sampled_gradient(16.0)


def odd_run(name: str, options: dict[str, Any], steps: int = 150) -> tuple[Odd, Odd, list[float]]:
    """A network before and after, and the losses."""
    torch.manual_seed(3)
    network, start = Odd(), Odd()
    start.load_state_dict(network.state_dict())
    target = [torch.randn_like(parameter) for parameter in network.parameters()]
    optimizer = optimizers.create(name, **{"lr": 0.02, **options}).build(network)
    losses: list[float] = []

    for _ in range(steps):
        bring_curvature(network, optimizer)
        optimizer.zero_grad()
        loss = pulled(network, target)
        loss.backward()
        network.embedding.weight.grad[2] = 0.0
        losses.append(loss.item())
        optimizer.step()
    return start, network, losses


@every_optimizer
def test_a_quadratic_is_reduced_whatever_the_shapes(name: str, options: dict[str, Any]) -> None:
    start, network, losses = odd_run(name, options)
    assert losses[-1] < 0.5 * losses[0]
    assert torch.equal(network.frozen, start.frozen)
    for key, parameter in network.named_parameters():
        assert torch.isfinite(parameter).all(), key
        if parameter.requires_grad:
            assert not torch.equal(parameter, dict(start.named_parameters())[key]), key


@every_optimizer
def test_a_row_that_never_has_a_gradient_stays(name: str, options: dict[str, Any]) -> None:
    start, network, _ = odd_run(name, options, 12)
    assert torch.equal(network.embedding.weight[2], start.embedding.weight[2])


@every_optimizer
def test_the_same_twice(name: str, options: dict[str, Any]) -> None:
    one, other = odd_run(name, options, 12)[1], odd_run(name, options, 12)[1]
    for key, parameter in one.named_parameters():
        assert torch.equal(parameter, dict(other.named_parameters())[key]), key


class Killed(BaseException):
    """As sudden as a signal."""


class Killer(Intervention):
    def __init__(self, step: int | None) -> None:
        self.step = step

    def after_step(self, run: Run) -> None:
        if run.step == self.step:
            raise Killed


def trained(folder: Path, name: str, options: dict[str, Any], kill: int | None, validate: bool = True) -> Run:
    """Eleven steps of a small decoder; a checkpoint every four."""
    network = backbones.create("decoder", layers=2, width=32, heads=2, max_length=64, kernel="products").network(
        SIZE, 3, pad=0
    )
    optimizer = optimizers.create(name, **options).build(network)
    interventions: list[Intervention] = [Killer(kill)]
    extra: dict[str, Any] = {"network": network, "optimizer": optimizer, "steps": 11, "rows": 4}
    if validate:
        from train_world import MadeStream

        interventions.insert(0, Validate(every=_every(3), rows=4))
        extra["held_out"] = lambda rows: [MadeStream(5).next(rows)]
    return train(folder, "clm", interventions=interventions, **extra)


def _every(steps: int) -> Any:
    from seedbed.train.budget import Every

    return Every(steps, "steps")


@every_optimizer
def test_a_killed_run_ends_with_the_same_bytes(name: str, options: dict[str, Any], tmp_path: Path) -> None:
    whole = trained(tmp_path / "whole", name, options, None)
    for kill in (6, 10):
        with pytest.raises(Killed):
            trained(tmp_path / "cut", name, options, kill)
    cut = trained(tmp_path / "cut", name, options, None)
    assert_same_end(whole, cut)
    assert log_without_times(tmp_path / "whole") == log_without_times(tmp_path / "cut")
    loaded = trained(tmp_path / "whole", name, options, None)  # nothing is left to train
    assert_same_end(whole, loaded)
    ours, theirs = whole.optimizer.state_dict()["state"], loaded.optimizer.state_dict()["state"]
    for index, values in ours.items():
        assert {key: v.dtype for key, v in values.items()} == {key: v.dtype for key, v in theirs[index].items()}


@every_optimizer
def test_validation_changes_nothing(name: str, options: dict[str, Any], tmp_path: Path) -> None:
    with_it = trained(tmp_path / "with", name, options, None)
    without = trained(tmp_path / "without", name, options, None, validate=False)
    for (key, one), other in zip(with_it.network.named_parameters(), without.network.parameters(), strict=True):
        assert torch.equal(one, other), key


@pytest.mark.parametrize("name", optimizers.names())
@pytest.mark.parametrize(
    ("given", "key"), [({"lr": 0}, "lr"), ({"weight_decay": -1.0}, "weight_decay"), ({"typo": 1}, "typo")]
)
def test_bad_parameters_are_named(name: str, given: dict[str, Any], key: str) -> None:
    with pytest.raises(InputError) as caught:
        optimizers.create(name, **given)
    assert caught.value.key.endswith(key)


@pytest.mark.parametrize(
    ("name", "given", "key"),
    [
        ("adafactor", {"second_decay": 0.8}, "second_decay"),
        ("adafactor", {"clip": 0.5}, "clip"),
        ("adamw", {"state": "int4"}, "adamw.state"),
        ("galore", {"rank": 0}, "rank"),
        ("lion", {"betas": (0.9, 1.0)}, "betas"),
        ("muon", {"adamw_lr": 0.0}, "adamw_lr"),
        ("schedule_free", {"betas": (0.0, 0.9)}, "betas"),
        ("shampoo", {"damping": 0.0}, "damping"),
        ("soap", {"every": 0}, "every"),
        ("sophia", {"gamma": 0.0}, "gamma"),
    ],
)
def test_bad_parameters_of_one_are_named(name: str, given: dict[str, Any], key: str) -> None:
    with pytest.raises(InputError) as caught:
        optimizers.create(name, **given)
    assert caught.value.key == key


@every_optimizer
def test_the_schedule_reaches_every_group(name: str, options: dict[str, Any]) -> None:
    """A rate of zero moves nothing."""
    torch.manual_seed(0)
    network = Odd()
    before = {key: value.clone() for key, value in network.state_dict().items()}
    optimizer = optimizers.create(name, **options).build(network)
    for group in optimizer.param_groups:
        group["lr"] = 0.0
    for _ in range(3):
        for parameter in network.parameters():
            parameter.grad = torch.ones_like(parameter) if parameter.requires_grad else None
        optimizer.step()
    assert all(torch.equal(value, before[key]) for key, value in network.state_dict().items())
