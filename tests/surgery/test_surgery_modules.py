"""Growth of networks of experts: what stays, what is new, what is refused."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from seedbed.core.errors import InputError
from seedbed.models import backbones
from seedbed.surgery import growth
from seedbed.surgery.learn import materialize

SMALL = {"layers": 2, "width": 16, "heads": 2, "max_length": 16, "positions": "none", "kernel": "products"}


def network_of(experts: int, seed: int = 1, **more: Any) -> Any:
    blocks = {"mixer": {"stick_breaking": {"experts": experts}}, "feed": {"experts": {"experts": experts, **more}}}
    return backbones.create("decoder", **SMALL, **blocks).network(40, seed, pad=0)


def grown(small: Any, large: Any) -> None:
    weights = {name: parameter.detach() for name, parameter in small.named_parameters()}
    materialize(growth.create("modules").operator(weights, small.architecture, large.architecture, 5), large)


@torch.no_grad()
def test_old_experts_stay_and_new_ones_are_drawn() -> None:
    small, large = network_of(3), network_of(5, seed=2)
    grown(small, large)
    for name, parameter in small.named_parameters():
        found = large.get_parameter(name)
        assert torch.equal(found[tuple(slice(size) for size in parameter.shape)], parameter), name
    for part in ("mixer", "feedforward"):
        new = large.get_parameter(f"layers.1.{part}.expert_in")
        assert new[3:].std() > 0.01 and not torch.equal(new[3], new[0])
        assert large.get_parameter(f"layers.1.{part}.router.weight").shape == (5, 16)
    tokens = torch.arange(9)[None]
    # with routers that never choose the new ones the function is the same but for their share of the probability
    for layer in large.layers:
        for part in (layer.mixer, layer.feedforward):
            part.router.weight[3:] = 0
    small_states, large_states = small.hidden(tokens), large.hidden(tokens)
    assert torch.nn.functional.cosine_similarity(small_states, large_states, dim=-1).min() > 0.9


@pytest.mark.parametrize(
    ("large", "message"),
    [
        (network_of(2), "mixers.experts: is smaller than before"),
        (network_of(3), "has no router with more experts"),
        (network_of(4, inner=8), "feedforwards: differs in more than `experts`"),
    ],
)
def test_what_cannot_grow_is_said(large: Any, message: str) -> None:
    with pytest.raises(InputError, match=message):
        grown(network_of(3), large)
