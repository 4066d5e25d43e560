"""A graph hypernetwork's parts, against formulas written out, and the weights that it predicts."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch

from seedbed.core.errors import InputError
from seedbed.models import backbones
from seedbed.models.transformer import Transformer
from seedbed.surgery.hypernetwork.decoder import LowRankDecoder, normalized
from seedbed.surgery.hypernetwork.encoder import Encoder, EncoderLayer, GraphFeatures, waves
from seedbed.surgery.hypernetwork.graph import graph_of
from seedbed.surgery.hypernetwork.network import GraphHypernetwork, Sizes, Target
from seedbed.surgery.hypernetwork.sampling import check_kind, sample

SIZES = {"layers": 2, "width": 32, "heads": 2, "max_length": 16}
NETWORKS = [
    ("decoder", {}),
    ("decoder", {"tied": False, "bias": True, "heads": 4, "kv_heads": 2}),
    ("decoder", {"gated": False, "positions": "learned", "norm": "post"}),
    ("encoder", {}),
    ("encoder", {"norm": "post", "positions": "learned", "gated": False, "bias": True}),
]


def architecture_of(kind: str, settings: dict[str, Any]) -> Any:
    return backbones.create(kind, **{**SIZES, **settings}).architecture(50, 0)


@pytest.mark.parametrize(("kind", "settings"), NETWORKS)
def test_every_parameter_is_at_one_node_and_ways_are_the_shortest(kind: str, settings: dict[str, Any]) -> None:
    architecture = architecture_of(kind, settings)
    graph = graph_of(architecture)
    named = [name for name in graph.names if name is not None]
    assert sorted(named) == sorted(architecture.shapes()) and len(set(named)) == len(named)
    size = len(graph.names)
    slow = np.full((size, size), np.inf)  # Floyd and Warshall, over the edges
    for node, sources in enumerate(graph.sources):
        slow[list(sources), node] = 1
    for middle in range(size):
        slow = np.minimum(slow, slow[:, middle, None] + slow[None, middle])
    np.testing.assert_array_equal(graph.distances(), np.where(np.isinf(slow), 0, slow))
    assert (graph.distances()[0, 1:] > 0).all(), "all comes from the input"
    assert len(graph.sources[0]) == 0 and all(graph.sources[1:])


def test_the_graph_of_a_small_decoder() -> None:
    graph = graph_of(architecture_of("decoder", {"layers": 1}))
    expected = [
        *("input", "embedding", "norm", "qkv", "attention", "attention_out", "sum"),
        *("norm", "feedforward_in", "gate", "feedforward_out", "sum", "norm", "output"),
    ]
    assert graph.operations == expected
    assert graph.sources[6] == (1, 5) and graph.sources[11] == (6, 10)
    distances_NN = graph.distances()
    assert distances_NN[1, 6] == 1, "past the block"
    assert distances_NN[1, 13] == 4 and distances_NN[13, 1] == 0
    post = graph_of(architecture_of("decoder", {"layers": 1, "norm": "post"}))
    assert post.operations[2:7] == ["qkv", "attention", "attention_out", "sum", "norm"]


def test_configurations_differ_lie_in_their_ranges_and_are_of_one_kind() -> None:
    like = architecture_of("decoder", {"heads": 4, "kv_heads": 2, "bias": True, "feedforward": 96})
    drawn = sample(like, (1, 3), (32, 80), 30, 5)
    assert drawn == sample(like, (1, 3), (32, 80), 30, 5) != sample(like, (1, 3), (32, 80), 30, 6)
    assert len({(one.layers, one.width, one.feedforward) for one in drawn}) == 30
    for one in drawn:
        assert 1 <= one.layers <= 3 and 32 <= one.width <= 80 and one.width <= one.feedforward <= 4 * one.width
        assert one.heads == 2 * one.kv_heads and one.heads * 8 == one.width
        check_kind(like, one)
    assert {one.layers for one in drawn} == {1, 2, 3}


@pytest.mark.parametrize(
    ("layers", "width", "number", "message"),
    [
        ((0, 2), (32, 64), 5, "layers: is no range"),
        ((1, 2), (64, 32), 5, "width: is no range"),
        ((1, 1), (16, 32), 12, "configurations: there are 11 of these"),
        ((1, 1), (17, 31), 1, "configurations: there are 0 of these"),
        ((1, 1), (16, 32), 0, "configurations"),
    ],
)
def test_ranges_that_hold_nothing_are_named(layers: Any, width: Any, number: int, message: str) -> None:
    with pytest.raises(InputError, match=message):
        sample(architecture_of("decoder", {}), layers, width, number, 0)


def test_another_kind_is_named() -> None:
    like = architecture_of("decoder", {})
    with pytest.raises(InputError, match=r"to: is of another kind .*: gated, activation"):
        check_kind(like, architecture_of("decoder", {"gated": False, "activation": "gelu"}))


PREDICTOR = Sizes(hidden=16, blocks=2, heads=2, rank=4, widest=256)


def array(tensor: torch.Tensor) -> np.ndarray:
    return np.asarray(tensor.detach().double())


def linear(layer: Any, x: np.ndarray) -> Any:
    return x @ array(layer.weight).T + (0 if layer.bias is None else array(layer.bias))


def hypernetwork_of(architecture: Any, seed: int = 1) -> GraphHypernetwork:
    return GraphHypernetwork(PREDICTOR, architecture, [architecture], seed=seed, kernel="products")


def test_a_factor_against_equations_11_to_13() -> None:
    """With the whole of Y, and with shapes that use several rows of X; rank 12 and 3 rows, so that rows are cut."""
    torch.manual_seed(0)
    rank, widest, shapes = 24, 40, [(40, 33), (7,), (3, 40)]
    decoder = LowRankDecoder(8, rank, widest)
    nodes_PD = torch.randn(3, 8)
    assert 40 * rank > decoder.mask > 33 * 16, "the widest needs a second row"
    for node, shape, found in zip(array(nodes_PD), shapes, decoder(nodes_PD, shapes), strict=True):
        inner = np.maximum(linear(decoder.second, np.maximum(linear(decoder.first, node), 0)), 0)
        x = linear(decoder.third, inner).reshape(2 * rank, rank)
        y = linear(decoder.fourth, np.maximum(x, 0)).reshape(2 * decoder.mask, rank)
        a, b = y[: shape[0]], y[decoder.mask :][: (*shape, 1)[1]].T
        np.testing.assert_allclose(array(found), (a @ b).reshape(shape), rtol=1e-4, atol=1e-6)


def test_scales() -> None:
    architecture, value = architecture_of("decoder", {"layers": 3}), torch.randn(6, 8)
    by_hand = {
        "layers.0.qkv.weight": value * math.sqrt(2 / 8),
        "layers.0.attention_out.weight": value * math.sqrt(2 / 8) / math.sqrt(6),
        "layers.2.feedforward_out.weight": value * math.sqrt(2 / 8) / math.sqrt(6),
        "embedding.weight": value * math.sqrt(2 / 8),
        "layers.0.qkv.bias": torch.tanh(value / 5),
        "output_bias": torch.tanh(value / 5),
        "final_norm.weight": 2 / (1 + torch.exp(-value / 2)),
        "final_norm.bias": torch.tanh(value / 5),
    }
    for name, expected in by_hand.items():
        assert torch.allclose(normalized(name, value, architecture), expected, atol=1e-6), name


def test_a_layer_of_the_encoder_node_by_node() -> None:
    torch.manual_seed(0)
    layer, x, bias = EncoderLayer(8, 2), torch.randn(5, 8), torch.randn(2, 5, 5)

    def norm(values: np.ndarray) -> np.ndarray:
        return np.asarray((values - values.mean(-1, keepdims=True)) / np.sqrt(values.var(-1, keepdims=True) + 1e-5))

    expected = array(x)
    q, k, v = np.split(linear(layer.qkv, norm(expected)), 3, axis=1)
    mixed = np.zeros((5, 8))
    for head, columns in enumerate((slice(0, 4), slice(4, 8))):
        for i in range(5):
            scores = np.array([q[i, columns] @ k[j, columns] / 2 + float(bias[head, i, j]) for j in range(5)])
            shares = np.exp(scores) / np.exp(scores).sum()
            mixed[i, columns] = sum(shares[j] * v[j, columns] for j in range(5))
    expected = expected + linear(layer.out, mixed)
    inner = linear(layer.feedforward_in, norm(expected))
    inner = inner * 0.5 * (1 + np.vectorize(math.erf)(inner / math.sqrt(2)))
    expected = expected + linear(layer.feedforward_out, inner)
    np.testing.assert_allclose(array(layer(x, bias)), expected, atol=1e-5)


def test_a_node_begins_with_its_operation_shape_degrees_and_depth() -> None:
    torch.manual_seed(0)
    graph = graph_of(architecture_of("decoder", {"layers": 1}))
    features, encoder = GraphFeatures(graph), Encoder(8, 0, 2)
    node = graph.names.index("layers.0.qkv.weight")
    assert features.degrees_N2[6].tolist() == [2, 2], "a residual sum has two edges in, and two out"
    shape = [math.log2(96) * 16 + 1, math.log2(32) * 16 + 1]

    def wave(number: float, width: int) -> list[float]:
        angles = [number / 10_000 ** (2 * i / width) for i in range(width // 2)]
        return [*map(math.sin, angles), *map(math.cos, angles)]

    size = linear(encoder.size, np.array([*wave(shape[0], 16), *wave(shape[1], 16)]))
    depth = linear(encoder.depth, np.array(wave(3, 8)))
    degrees = array(encoder.edges_in.weight[1] + encoder.edges_out.weight[1])
    begun = array(encoder.operation.weight[8]) + size + depth + degrees
    normed = (begun - begun.mean()) / np.sqrt(begun.var() + 1e-5)
    np.testing.assert_allclose(array(encoder(features)[node]), normed, atol=1e-4)
    assert (waves(torch.tensor([0.0]), 8) == 0).all()


def test_ways_in_both_directions_bias_the_attention() -> None:
    torch.manual_seed(0)
    features, encoder = GraphFeatures(graph_of(architecture_of("decoder", {"layers": 1}))), Encoder(8, 1, 2)
    before = encoder(features)
    seen: list[torch.Tensor] = []
    encoder.layers[0].register_forward_pre_hook(lambda _, arguments: seen.append(arguments[1]))
    encoder(features)
    forward, backward = waves(torch.tensor([4, 0]), 8).unbind(0)  # from the embedding to the output
    inner = np.maximum(linear(encoder.way_in, array(torch.cat((forward, backward)))), 0)
    np.testing.assert_allclose(array(seen[0][:, 1, 13]), linear(encoder.way_out, inner), atol=1e-5)
    with torch.no_grad():
        encoder.way_out.weight.mul_(50)
    assert not torch.allclose(before, encoder(features), atol=1e-3)


@pytest.mark.parametrize(("kind", "settings"), NETWORKS)
def test_all_weights_of_all_kinds_are_predicted(kind: str, settings: dict[str, Any]) -> None:
    """Names and shapes, the same twice, others for other networks; logits are those of a network that has them."""
    architecture, wider = (architecture_of(kind, {**settings, "width": width}) for width in (32, 48))
    predictor = hypernetwork_of(architecture)
    weights = predictor.weights(Target(architecture))
    assert {name: tuple(value.shape) for name, value in weights.items()} == architecture.shapes()
    again = hypernetwork_of(architecture).weights(Target(architecture))
    assert all(torch.equal(value, again[name]) for name, value in weights.items())
    assert all(bool(torch.isfinite(value).all()) and float(value.detach().std()) > 0 for value in weights.values())
    other = predictor.weights(Target(wider))
    assert all(not torch.equal(value, other[name][tuple(map(slice, value.shape))]) for name, value in weights.items())
    first, second = (name for name in weights if name.endswith("qkv.weight"))
    assert not torch.equal(weights[first], weights[second]), "layers differ"

    network, tokens_BL = Transformer(wider, kernel="products"), torch.arange(24).view(2, 12)
    with torch.no_grad():
        for name, parameter in network.named_parameters():
            parameter.copy_(other[name])
    through = Target(wider, "products").apply_with(other, lambda one: one.logits(one.hidden(tokens_BL).flatten(0, 1)))
    assert torch.equal(through, network.logits(network.hidden(tokens_BL).flatten(0, 1)))


def test_decoded_entries_begin_about_as_large_as_said() -> None:
    """Before their scale, a deviation near 0.2; and the place in a network counts from the beginning."""
    architecture = architecture_of("decoder", {"layers": 4, "width": 64, "feedforward": 256})
    for seed in range(3):
        weights = GraphHypernetwork(Sizes(64, 3, 8, 32, 512), architecture, seed=seed).weights(Target(architecture))
        entries = [weights[f"layers.{index}.feedforward_in.weight"].detach() / math.sqrt(2 / 64) for index in (0, 3)]
        assert all(0.08 < float(value.std()) < 0.3 for value in entries)
        assert float((entries[0] - entries[1]).std()) > 0.3 * float(entries[0].std())


def test_gradients_reach_the_hypernetwork() -> None:
    """All its weights, and some against difference quotients."""
    architecture = architecture_of("decoder", {"layers": 1})
    predictor = hypernetwork_of(architecture).double()
    (target,) = predictor.targets

    def loss() -> Any:
        tokens_BL = torch.arange(24).view(2, 12)
        weights = predictor.weights(target)
        assert all(value.dtype == torch.float64 for value in weights.values())
        return target.apply_with(weights, lambda one: one.logits(one.hidden(tokens_BL)[0]).square().mean())

    loss().backward()
    grads: dict[str, Any] = {name: parameter.grad for name, parameter in predictor.named_parameters()}
    assert all(grad is not None and bool(grad.any()) for grad in grads.values())
    for name in ("encoder.depth.weight", "encoder.way_out.weight", "decoder.third.bias", "decoder.fourth.weight"):
        parameter, grad = predictor.get_parameter(name), grads[name]
        place = np.unravel_index(int(grad.abs().argmax()), grad.shape)
        values = []
        for sign in (1, -1):
            with torch.no_grad():
                parameter[place] += sign * 1e-5
                values.append(float(loss()))
                parameter[place] -= sign * 1e-5
        assert float(grad[place]) == pytest.approx((values[0] - values[1]) / 2e-5, rel=1e-4), name


def test_what_does_not_fit_is_named() -> None:
    architecture = architecture_of("decoder", {})
    with pytest.raises(InputError, match=r"to: has a parameter that is too wide.*\n.*480\n.*dimensions up to 256"):
        hypernetwork_of(architecture).weights(Target(architecture_of("decoder", {"width": 160, "feedforward": 96})))
    with pytest.raises(InputError, match="hidden: must be a multiple of twice the heads"):
        Sizes(20, 1, 3, 4, 64)
    with pytest.raises(InputError, match="rank: must be at least 1"):
        Sizes(16, 1, 2, 0, 64)
