"""Which parameters go to which rule."""

from __future__ import annotations

import pytest
import torch
from optim_world import Odd
from torch import nn

from seedbed.core.errors import InputError
from seedbed.optim import optimizers
from seedbed.optim.parameters import evaluation_weights, hidden_groups, matrix_parts


def test_hidden_matrices_and_the_rest() -> None:
    network = Odd()
    names = {id(p): name for name, p in network.named_parameters()}
    groups = hidden_groups(network, 0.3, rule="soap", betas=(0.5, 0.5))
    found = [(group["rule"], group["weight_decay"], sorted(names[id(p)] for p in group["params"])) for group in groups]
    matrices = sorted(f"matrices.{name}" for name in network.matrices)
    assert found == [
        ("soap", 0.3, matrices),
        ("adamw", 0.3, ["tensor"]),
        ("adamw", 0.0, ["embedding.weight", "scalar", "vector"]),
    ]
    assert ["betas" in group for group in groups] == [False, True, True]


def test_embeddings_are_the_same_as_under_adamw() -> None:
    """What a matrix method leaves to AdamW moves as AdamW moves it."""
    torch.manual_seed(0)
    ours, theirs = Odd(), Odd()
    theirs.load_state_dict(ours.state_dict())
    one = optimizers.create("muon", lr=0.01, betas=(0.8, 0.9), eps=1e-6, weight_decay=0.3).build(ours)
    other = optimizers.create("adamw", lr=0.01, betas=(0.8, 0.9), eps=1e-6, weight_decay=0.3).build(theirs)
    for _ in range(5):
        for mine, yours in zip(ours.parameters(), theirs.parameters(), strict=True):
            mine.grad = torch.randn_like(mine) if mine.requires_grad else None
            yours.grad = mine.grad
        one.step()
        other.step()
    for name in ("embedding.weight", "tensor", "vector", "scalar"):
        assert torch.equal(ours.get_parameter(name), theirs.get_parameter(name)), name
    assert not torch.equal(ours.matrices["square"], theirs.matrices["square"])


@pytest.mark.parametrize(
    ("name", "options"),
    [*((name, {}) for name in optimizers.names()), ("adamw", {"state": "bf16"}), ("adamw", {"state": "int8"})],
)
def test_a_state_of_zeros_begins_anew(name: str, options: dict[str, str]) -> None:
    """As for an optimizer that has seen nothing, whatever it saw before."""
    torch.manual_seed(0)
    used, fresh = nn.Linear(80, 60, bias=False), nn.Linear(80, 60, bias=False)
    one, other = (optimizers.create(name, lr=0.01, **options).build(layer) for layer in (used, fresh))
    for _ in range(5):
        used.weight.grad = torch.randn(60, 80)
        one.step()
    for value in one.state[used.weight].values():
        value.zero_()
    fresh.load_state_dict(used.state_dict())
    start = fresh.weight.detach().clone()
    for _ in range(3):
        used.weight.grad = torch.randn(60, 80)
        fresh.weight.grad = used.weight.grad.clone()
        one.step()
        other.step()
    way = (fresh.weight - start).norm()
    assert (used.weight - fresh.weight).norm() <= 0.02 * way


def test_what_lies_in_shards_is_refused_by_rules_for_whole_matrices() -> None:
    layer = nn.Linear(4, 6)
    layer.weight.full_tensor = lambda: None
    optimizers.create("lion").build(layer)
    for name, options in (("soap", {}), ("shampoo", {}), ("muon", {}), ("galore", {}), ("adamw", {"state": "int8"})):
        with pytest.raises(InputError, match="shards"):
            optimizers.create(name, **options).build(layer)


def test_parts_must_be_all_rows() -> None:
    layer = nn.Linear(4, 6)
    assert matrix_parts(layer) == {}
    layer.parts = (4, 2)
    assert matrix_parts(layer) == {layer.weight: (4, 2)}
    layer.parts = (4, 4)
    with pytest.raises(AssertionError, match="6 rows"):
        matrix_parts(layer)


def test_most_optimizers_are_judged_by_the_weights_they_train() -> None:
    layer = nn.Linear(4, 6)
    for name in optimizers.names():
        if name != "schedule_free":
            optimizer = optimizers.create(name).build(layer)
            layer.weight.grad = torch.ones_like(layer.weight)
            optimizer.step()
            before = layer.weight.detach().clone()
            with evaluation_weights(optimizer):
                assert torch.equal(layer.weight, before)
