"""AdamW against the published update, and which parameters decay."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from seedbed.core.errors import InputError
from seedbed.optim import optimizers


class Tied(nn.Module):
    """An embedding that is also the output, a matrix, a norm, a bias, something frozen."""

    def __init__(self) -> None:
        super().__init__()
        self.embedding = nn.Embedding(7, 4)
        self.inner = nn.Linear(4, 4)
        self.norm = nn.LayerNorm(4)
        self.frozen = nn.Parameter(torch.ones(3, 3), requires_grad=False)

    def output(self) -> tuple[torch.Tensor, None]:
        return self.embedding.weight, None


def names_by_decay(**parameters: object) -> dict[float, set[str]]:
    network = Tied()
    names = {id(p): name for name, p in network.named_parameters()}
    groups = optimizers.create("adamw", weight_decay=0.3, **parameters).build(network).param_groups
    return {group["weight_decay"]: {names[id(p)] for p in group["params"]} for group in groups}


def test_only_matrices_decay() -> None:
    vectors = {"inner.bias", "norm.weight", "norm.bias"}
    assert names_by_decay() == {0.3: {"inner.weight"}, 0.0: vectors | {"embedding.weight"}}
    assert names_by_decay(decay_embeddings=True) == {0.3: {"inner.weight", "embedding.weight"}, 0.0: vectors}


@pytest.mark.parametrize("fused", [True, False])
def test_update_is_the_published_one(fused: bool) -> None:
    lr, b1, b2, eps, decay = 0.01, 0.9, 0.95, 1e-6, 0.2
    torch.manual_seed(0)
    network = nn.Linear(5, 3)
    optimizer = optimizers.create("adamw", lr=lr, betas=(b1, b2), eps=eps, weight_decay=decay, fused=fused).build(
        network
    )
    weight = network.weight.detach().double().clone()
    bias = network.bias.detach().double().clone()
    moments = {name: [torch.zeros_like(w), torch.zeros_like(w)] for name, w in (("weight", weight), ("bias", bias))}
    for step in range(1, 6):
        gradients = {name: torch.randn(p.shape) for name, p in network.named_parameters()}
        for name, p in network.named_parameters():
            p.grad = gradients[name].clone()
        optimizer.step()
        for name, w, rate in (("weight", weight, decay), ("bias", bias, 0.0)):
            g = gradients[name].double()
            m, v = moments[name]
            m.mul_(b1).add_((1 - b1) * g)
            v.mul_(b2).add_((1 - b2) * g * g)
            step_size = (m / (1 - b1**step)) / ((v / (1 - b2**step)).sqrt() + eps)
            w.sub_(lr * (step_size + rate * w))
    torch.testing.assert_close(network.weight.double(), weight, atol=1e-6, rtol=1e-5)
    torch.testing.assert_close(network.bias.double(), bias, atol=1e-6, rtol=1e-5)


@pytest.mark.parametrize("fused", [True, False])
def test_it_is_torchs_own_bit_for_bit(fused: bool) -> None:
    torch.manual_seed(0)
    ours, theirs = nn.Linear(5, 3, bias=False), nn.Linear(5, 3, bias=False)
    theirs.load_state_dict(ours.state_dict())
    own = optimizers.create("adamw", lr=0.01, fused=fused).build(ours)
    other = torch.optim.AdamW(theirs.parameters(), lr=0.01, betas=(0.9, 0.98), weight_decay=0.1, fused=fused)

    for _ in range(5):
        ours.weight.grad = theirs.weight.grad = torch.randn(3, 5)
        own.step()
        other.step()
    assert torch.equal(ours.weight, theirs.weight)


@pytest.mark.parametrize(
    ("given", "key"),
    [
        ({"lr": 0}, "lr"),
        ({"betas": (0.9, 1.0)}, "betas"),
        ({"weight_decay": -1}, "weight_decay"),
        ({"lr": "x"}, "adamw.lr"),
    ],
)
def test_bad_parameters_are_named(given: dict, key: str) -> None:
    with pytest.raises(InputError) as caught:
        optimizers.create("adamw", **given)
    assert caught.value.key.startswith(key)
