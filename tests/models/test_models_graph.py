"""A graph beside a text: attention pair by pair, exchanges layer by layer, DistMult number by number."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch.nn import functional

from seedbed.core.errors import InputError
from seedbed.data.knowledge import KnowledgeGraph
from seedbed.models import backbones
from seedbed.models.graph import GraphLayer, GraphShape, GraphSide, check_layers
from seedbed.objectives.base import moved

GRAPH = KnowledgeGraph.of([("a", "r", "b"), ("b", "r", "c"), ("c", "s", "a"), ("d", "s", "a"), ("c", "r", "d")])
TOKENS_BL = torch.tensor([[2, 9, 8, 7, 3], [2, 11, 3, 0, 0]])
SEGMENTS_BL = torch.tensor([[0] * 5, [0, 0, 0, -1, -1]])


def pair(**settings: Any) -> tuple[Any, GraphSide]:
    """A network, and what stands beside it, both with numbers large enough to see."""
    network = backbones.create("encoder", layers=3, width=16, heads=2, max_length=16, kernel="products").network(
        40, 1, pad=0
    )
    side = GraphSide(GraphShape(**{"width": 8, "heads": 2, "fused": 2, "nodes": 6, **settings}), GRAPH, 16, 3)
    side.attach(network)
    with torch.no_grad():
        for parameter in [*network.parameters(), *side.parameters()]:
            parameter.add_(torch.randn(parameter.shape, generator=torch.Generator().manual_seed(5)), alpha=0.2)
    return network, side


def graphs(held: float = 0.0) -> Any:
    found = GRAPH.subgraphs([[0, 1], [3]], nodes=6, hops=1, held=held, negatives=3, rows_B=np.array([4, 9]))
    return moved(found, "cpu")


def attended(layer: GraphLayer, x_NG: torch.Tensor, types_NN: torch.Tensor) -> torch.Tensor:
    """Pair by pair, one row."""
    width, heads = x_NG.shape[1], layer.heads
    size, found = width // heads, torch.zeros_like(x_NG)
    q, k, v = layer.qkv(x_NG).split(width, -1)
    for i in range(len(x_NG)):
        near = [j for j in range(len(x_NG)) if types_NN[i, j] > 0]
        for head in range(heads):
            part = slice(head * size, (head + 1) * size)
            keys = [k[j, part] + layer.type_keys[types_NN[i, j], part] for j in near]
            weights = [math.exp(float(q[i, part] @ key) / math.sqrt(size)) for key in keys]
            for j, weight in zip(near, weights, strict=True):
                value = v[j, part] + layer.type_values[types_NN[i, j], part]
                found[i, part] += weight / sum(weights) * value
    return found


def layered(layer: GraphLayer, x_NG: torch.Tensor, types_NN: torch.Tensor) -> torch.Tensor:
    def norm(x: torch.Tensor, module: Any) -> torch.Tensor:
        centered = x - x.mean(-1, keepdim=True)
        return centered / (centered.pow(2).mean(-1, keepdim=True) + module.eps).sqrt() * module.weight + module.bias

    mixed = x_NG + layer.attention_out(attended(layer, norm(x_NG, layer.attention_norm), types_NN))
    return mixed + layer.feedforward_out(functional.gelu(layer.feedforward_in(norm(mixed, layer.feedforward_norm))))


@torch.no_grad()
def test_attention_equals_a_slow_formula() -> None:
    _, side = pair()
    given, x_BNG = graphs(), torch.randn(2, 6, 8, generator=torch.Generator().manual_seed(0))
    for row in range(2):
        slow_NG = layered(side.layers[0], x_BNG[row], given.types_BNN[row])
        assert torch.allclose(side.layers[0](x_BNG, given.types_BNN)[row], slow_NG, atol=1e-5)


@torch.no_grad()
def test_text_and_graph_meet_before_each_of_the_last_layers() -> None:
    network, side = pair()
    given = graphs()
    passed: list[tuple[torch.Tensor, torch.Tensor]] = []
    for layer in network.layers:
        layer.register_forward_hook(lambda module, given, output: passed.append((given[0], output)))
    hidden_BLD, nodes_BNG = side.read(network, TOKENS_BL, SEGMENTS_BL, None, given)

    x_BNG = torch.zeros(2, 6, 8)
    for row, column in np.ndindex(2, 6):
        number = int(given.nodes_BN[row, column])
        if number:
            x_BNG[row, column] = side.embedding.weight[number]
        if number - 2 in ({0, 1} if row == 0 else {3}):
            x_BNG[row, column] += side.mentioned
    for number, exchange in enumerate(side.exchanges):
        text_BLD, read_BLD = passed[number][1].clone(), passed[number + 1][0]
        both = torch.cat((text_BLD[:, 0], x_BNG[:, 0]), -1)
        change = exchange.outer(functional.gelu(exchange.inner(functional.layer_norm(both, (24,), *_affine(exchange)))))
        text_BLD[:, 0] += change[:, :16]
        x_BNG[:, 0] += change[:, 16:]
        assert change.abs().max() > 0.1 and torch.allclose(read_BLD, text_BLD, atol=1e-5)
        x_BNG = torch.stack([layered(side.layers[number], x_BNG[row], given.types_BNN[row]) for row in range(2)])
    assert torch.allclose(
        nodes_BNG, functional.layer_norm(x_BNG, (8,), side.last_norm.weight, side.last_norm.bias), atol=1e-4
    )
    assert torch.equal(passed[-1][1] if network.final_norm is None else network.final_norm(passed[-1][1]), hidden_BLD)


def _affine(exchange: Any) -> tuple[torch.Tensor, torch.Tensor]:
    return exchange.norm.weight, exchange.norm.bias


@torch.no_grad()
def test_late_fusion_has_the_same_parameters_and_meets_behind_the_last_layer() -> None:
    (network, deep), (_, late) = pair(), pair(fusion="late")
    assert [p.shape for p in deep.parameters()] == [p.shape for p in late.parameters()]
    plain_BLD = network.hidden(TOKENS_BL, SEGMENTS_BL)
    deep_BLD, deep_BNG = deep.read(network, TOKENS_BL, SEGMENTS_BL, None, graphs())
    deep.remove()
    late.attach(network)
    late_BLD, late_BNG = late.read(network, TOKENS_BL, SEGMENTS_BL, None, graphs())
    assert torch.equal(late_BLD[:, 1:], plain_BLD[:, 1:]) and not torch.allclose(late_BLD[:, 0], plain_BLD[:, 0])
    assert not torch.allclose(deep_BLD[0, 1:], plain_BLD[0, 1:]), "all tokens read what the first has from the graph"
    assert not torch.allclose(deep_BNG[:, 0], late_BNG[:, 0])
    other_BLD = late.read(network, TOKENS_BL + (TOKENS_BL > 5), SEGMENTS_BL, None, graphs())[1]
    assert torch.equal(other_BLD[:, 1:], late_BNG[:, 1:]), "nodes do not know what the text says"


@torch.no_grad()
def test_other_passes_of_the_network_are_as_they_were() -> None:
    network, side = pair()
    attached_BLD = network.hidden(TOKENS_BL, SEGMENTS_BL)
    with pytest.raises(RuntimeError):
        side.read(network, TOKENS_BL, SEGMENTS_BL[:1, :2], None, graphs())
    assert torch.equal(network.hidden(TOKENS_BL, SEGMENTS_BL), attached_BLD)
    side.remove()
    assert torch.equal(network.hidden(TOKENS_BL, SEGMENTS_BL), attached_BLD)


@torch.no_grad()
def test_links_are_scored_by_distmult() -> None:
    _, side = pair()
    given = graphs(held=0.6)
    assert len(given.row_P) > 1 and given.heads_P.any() and not given.heads_P.all()
    nodes_BNG = torch.randn(2, 6, 8, generator=torch.Generator().manual_seed(2))
    right_P, wrong_PK = side.link_scores(nodes_BNG, given)

    def score(row: int, head: int, relation: int, tail: int) -> float:
        parts = zip(nodes_BNG[row, head], side.relations[relation], nodes_BNG[row, tail], strict=True)
        return sum(float(h) * float(r) * float(t) for h, r, t in parts) / math.sqrt(8)

    for p in range(len(given.row_P)):
        row, head, relation, tail = (
            int(part[p]) for part in (given.row_P, given.head_P, given.relation_P, given.tail_P)
        )
        assert float(right_P[p]) == pytest.approx(score(row, head, relation, tail), abs=1e-5)
        for k in range(3):
            wrong = int(given.wrong_PK[p, k])
            ends = (wrong, relation, tail) if given.heads_P[p] else (head, relation, wrong)
            assert float(wrong_PK[p, k]) == pytest.approx(score(row, *ends), abs=1e-5)


@torch.no_grad()
def test_what_is_saved_is_loaded(tmp_path: Path) -> None:
    network, side = pair(fusion="late", hops=3)
    side.save(tmp_path)
    loaded = GraphSide.load(tmp_path, 16)
    assert loaded is not None and loaded.shape == side.shape
    assert loaded.graph.entities == GRAPH.entities and np.array_equal(loaded.graph.triples_E3, GRAPH.triples_E3)
    before = side.read(network, TOKENS_BL, SEGMENTS_BL, None, graphs())
    side.remove()
    loaded.attach(network)
    after = loaded.read(network, TOKENS_BL, SEGMENTS_BL, None, graphs())
    assert all(torch.equal(one, other) for one, other in zip(before, after, strict=True))
    assert GraphSide.load(tmp_path / "nowhere", 16) is None


def test_more_layers_than_there_are_is_an_error() -> None:
    network, _ = pair()
    check_layers(network, GraphShape(fused=3), "fused")
    with pytest.raises(InputError, match="the network's 3 layers"):
        check_layers(network, GraphShape(fused=4), "fused")
