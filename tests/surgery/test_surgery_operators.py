"""Growth operators: against products written out, and by what the grown network computes."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from seedbed.core.errors import InputError
from seedbed.models import backbones
from seedbed.surgery import growth
from seedbed.surgery.learn import materialize
from seedbed.surgery.operators import WidthDepth
from seedbed.surgery.ring import Ring, matrices, squares
from seedbed.surgery.sizes import check_growth

SIZE = 50
SMALL = {"layers": 2, "width": 32, "heads": 2, "max_length": 32, "kernel": "products"}


def network_of(kind: str, seed: int = 1, **settings: Any) -> Any:
    network = backbones.create(kind, **{**SMALL, **settings}).network(SIZE, seed, pad=0)
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in network.parameters():  # far from initial values, norms and biases too
            parameter.add_(torch.randn(parameter.shape, generator=generator), alpha=0.1)
    return network


def weights_of(network: Any) -> dict[str, torch.Tensor]:
    return {name: parameter.detach() for name, parameter in network.named_parameters()}


def grown(method: str, small: Any, large: Any, **settings: Any) -> Any:
    operator = growth.create(method, **settings).operator(weights_of(small), small.architecture, large.architecture, 7)
    materialize(operator, large)
    return operator


def logits(network: Any) -> torch.Tensor:
    tokens_BL = torch.arange(24).view(2, 12) % SIZE
    return network.logits(network.hidden(tokens_BL).flatten(0, 1)).detach()


NETWORKS = [
    ("decoder", {}),
    ("decoder", {"tied": False, "bias": True, "heads": 4, "kv_heads": 2}),
    ("decoder", {"gated": False, "positions": "learned", "norm": "post"}),
    ("encoder", {}),
]


@pytest.mark.parametrize(("kind", "settings"), NETWORKS)
@pytest.mark.parametrize("factor", [2, 3])
def test_a_wider_network_computes_the_same(kind: str, settings: dict[str, Any], factor: int) -> None:
    """bert2BERT's function preservation, on the logits."""
    small = network_of(kind, **settings)
    wider = {"width": 32 * factor, "heads": settings.get("heads", 2) * factor}
    wider["feedforward"] = small.architecture.feedforward * factor
    if "kv_heads" in settings:
        wider["kv_heads"] = settings["kv_heads"] * factor
    large = network_of(kind, 2, **{**settings, **wider})
    assert not torch.allclose(logits(small), logits(large), atol=0.1)
    grown("bert2bert", small, large, advanced=False)
    assert torch.allclose(logits(small), logits(large), atol=2e-4)


@pytest.mark.parametrize("method", ["ligo", "mango"])
def test_learned_operators_begin_with_the_same_function(method: str) -> None:
    small = network_of("decoder", feedforward=64)
    large = network_of("decoder", 2, width=64, heads=4, feedforward=128)
    grown(method, small, large, noise=0.0)
    assert torch.allclose(logits(small), logits(large), atol=2e-4)
    grown(method, small, large)
    assert not torch.allclose(logits(small), logits(large), atol=2e-4)
    rows = dict(large.named_parameters())["layers.0.qkv.weight"]
    assert not torch.allclose(rows[0], rows[32], atol=1e-4), "noise tells copies apart"


def test_stacking() -> None:
    small, large = network_of("decoder"), network_of("decoder", 2, layers=5)
    grown("stack", small, large)
    found, before = weights_of(large), weights_of(small)
    for name, value in found.items():
        source = name
        if name.startswith("layers."):
            _, index, rest = name.split(".", 2)
            source = f"layers.{int(index) % 2}.{rest}"
        assert torch.equal(value, before[source]), name
    with pytest.raises(InputError, match="stacking grows depth alone"):
        grown("stack", small, network_of("decoder", width=64, heads=4))


def test_a_norm_that_the_first_layer_lacks_begins_as_the_identity() -> None:
    small, large = network_of("encoder", layers=1), network_of("encoder", 2, layers=2)
    assert "layers.0.attention_norm.weight" not in weights_of(small)
    grown("stack", small, large)
    assert torch.equal(weights_of(large)["layers.1.attention_norm.weight"], torch.ones(32))


def test_a_layer_grown_by_hand() -> None:
    """LiGO's formula for one matrix of a layer, from its operator's numbers, in float64."""
    small = network_of("decoder", feedforward=128)
    large = network_of("decoder", 2, layers=3, width=48, heads=3, feedforward=200)
    operator: Any = grown("ligo", small, large, noise=0.3)
    before, after = weights_of(small), weights_of(large)
    wide, inner = (operator.maps[kind].detach().double().numpy() for kind in ("width", "inner"))
    depth = operator.depth["feedforward_out.weight"].detach().double().numpy()
    repeats = np.array([sum(1 for j in range(200) if j % 128 == d) for d in range(128)])
    mixed = sum(depth[2, j] * before[f"layers.{j}.feedforward_out.weight"].double().numpy() for j in range(2))
    by_hand = wide @ mixed @ (inner / repeats).T
    np.testing.assert_allclose(after["layers.2.feedforward_out.weight"].numpy(), by_hand, atol=1e-4)
    table = before["embedding.weight"].double().numpy() @ wide.T
    np.testing.assert_allclose(after["embedding.weight"].numpy(), table, atol=1e-4)


def test_advanced_copies_come_from_the_layer_above() -> None:
    small, large = network_of("decoder", layers=3), network_of("decoder", 2, layers=3, width=64, heads=4)
    operator = grown("bert2bert", small, large)
    plain = WidthDepth(weights_of(small), small.architecture, large.architecture)
    for index in range(3):
        found, own = (item.weight(f"layers.{index}.attention_out.weight") for item in (operator, plain))
        above = plain.weight(f"layers.{min(index + 1, 2)}.attention_out.weight")
        assert torch.equal(found[:32], own[:32]) and torch.equal(found[32:], above[32:])
    assert torch.equal(
        operator.weight("layers.0.attention_norm.weight"), plain.weight("layers.0.attention_norm.weight")
    )


@pytest.mark.parametrize("rank", [1, 3])
def test_the_ring_against_its_sum_written_out(rank: int) -> None:
    """Eight indices to add over, for some entries of the large tensor."""
    settings = {"width": 4, "heads": 1, "feedforward": 8, "layers": 2}
    small = network_of("decoder", **settings)
    large = network_of("decoder", 2, **{**settings, "width": 8, "heads": 2, "feedforward": 16, "layers": 3})
    ring = Ring(weights_of(small), small.architecture, large.architecture, rank, 5, 0.5)
    found = ring.contracted().detach()
    b, o, deep, i = (ring.cores[name].detach().double().numpy() for name in "BOLI")
    one = ring.squares_boli.double().numpy()
    for x, y, z, w in [(0, 0, 0, 0), (3, 7, 2, 5), (9, 2, 1, 6), (5, 1, 2, 0)]:
        total = 0.0
        for p in range(rank):
            for q in range(rank):
                for r in range(rank):
                    for s in range(rank):
                        cores = np.einsum(
                            "b,o,l,i->boli", b[p, :, x, q], o[q, :, y, r], deep[r, :, z, s], i[s, :, w, p]
                        )
                        total += float((cores * one).sum())
        assert float(found[x, y, z, w]) == pytest.approx(total, rel=1e-3, abs=1e-4)


@pytest.mark.parametrize("bias", [False, True])
def test_everything_that_mango_learns_has_an_effect(bias: bool) -> None:
    """And is counted: of depth and of width, the matrices of what the ring makes are not there."""
    small = network_of("decoder", feedforward=64, bias=bias)
    large = network_of("decoder", 2, layers=3, width=64, heads=4, feedforward=128, bias=bias)
    operator = grown("mango", small, large)
    sum((weight**3).sum() for weight in operator.weights().values()).backward()
    assert all(parameter.grad is not None and parameter.grad.any() for parameter in operator.parameters())


def test_squares_and_back() -> None:
    network = network_of("decoder", feedforward=96)
    cut = squares(weights_of(network), network.architecture)
    assert cut.shape == (3 + 1 + 6 + 3, 32, 2, 32)
    back = matrices(cut, network.architecture)
    assert len(back) == 8
    for name, value in back.items():
        assert torch.equal(value, weights_of(network)[name])


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"layers": 1}, "to.layers: is smaller than before"),
        ({"width": 64, "heads": 2}, "to.heads: the width of a head must stay 16"),
        ({"gated": False}, "to: only sizes may differ, and so do: gated"),
        ({"positions": "none"}, "positions"),
        ({"width_transfer": 16}, "to.width_transfer: networks with width transfer cannot grow"),
    ],
)
def test_what_cannot_grow_is_named(settings: dict[str, Any], message: str) -> None:
    small = network_of("decoder").architecture
    with pytest.raises(InputError, match=message):
        check_growth(small, network_of("decoder", **settings).architecture)


def test_mango_needs_squares() -> None:
    small = network_of("decoder", feedforward=96)
    with pytest.raises(InputError, match="the same multiple of the width"):
        grown("mango", small, network_of("decoder", width=64, heads=4, feedforward=256))
    with pytest.raises(InputError, match="cannot be cut into squares"):
        grown("mango", network_of("decoder", feedforward=100), network_of("decoder", feedforward=100))
