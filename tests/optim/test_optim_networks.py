"""What our own networks tell the optimizers: which weights are embeddings, and which hold several matrices."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from seedbed.models import backbones
from seedbed.optim import optimizers
from seedbed.optim.parameters import matrix_parts

TABLES = {"embedding.weight", "position_embedding.weight", "output_embedding.weight"}


def network_of(kind: str, **options: Any) -> Any:
    return backbones.create(kind, layers=2, width=32, heads=4, max_length=16, **options).network(50, 0, pad=0)


@pytest.mark.parametrize("name", ["adamw", "soap", "muon"])
def test_no_table_decays_or_is_taken_for_a_hidden_matrix(name: str) -> None:
    network = network_of("encoder", tied=False, positions="learned")
    names = {id(parameter): key for key, parameter in network.named_parameters()}
    for group in optimizers.create(name, weight_decay=0.3).build(network).param_groups:
        found = {names[id(parameter)] for parameter in group["params"]}
        assert bool(found & TABLES) == (group["weight_decay"] == 0.0)
        assert name == "adamw" or not (found & TABLES and group["rule"] == name)


def test_fused_weights_tell_their_parts() -> None:
    network = network_of("decoder", kv_heads=2, gated=True, feedforward=40)
    names = {parameter: key for key, parameter in network.named_parameters()}
    parts = {names[weight].split(".")[-2]: rows for weight, rows in matrix_parts(network).items()}
    assert parts["qkv"] == (32, 16, 16)
    assert parts["feedforward_in"] == (40, 40)
    assert len(matrix_parts(network_of("encoder", gated=False))) >= 2


def test_queries_keys_and_values_are_orthogonalized_one_by_one() -> None:
    torch.manual_seed(0)
    network = network_of("decoder", kv_heads=2)
    weights = network.layers[0].qkv.weight
    before = weights.detach().clone()
    for parameter in network.parameters():
        parameter.grad = torch.randn_like(parameter)
    weights.grad[:32] *= 100  # beside it the others would vanish
    optimizers.create("muon", weight_decay=0.0).build(network).step()
    for part in (weights - before).split((32, 16, 16)):
        values = torch.linalg.svdvals(part) / (1e-3 * 0.2 * 32**0.5)
        assert values.min() > 0.3 and values.max() < 1.3
