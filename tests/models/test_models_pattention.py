"""TokenFormer's lookups against their formula, and growth by more of them."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from seedbed.core.errors import InputError
from seedbed.models import backbones
from seedbed.models.segments import Context
from seedbed.surgery import growth
from seedbed.surgery.learn import materialize

SIZE = 40
SMALL = {"layers": 2, "width": 16, "heads": 2, "max_length": 16, "kernel": "products"}


def lookups(tokens: int = 10, inner: int = 24, **more: Any) -> dict[str, Any]:
    return {"mixer": {"pattention": {"tokens": tokens, **more}}, "feed": {"pattention": {"tokens": inner, **more}}}


def network_of(kind: str = "decoder", seed: int = 1, **settings: Any) -> Any:
    network = backbones.create(kind, **{**SMALL, **settings}).network(SIZE, seed, pad=0)
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.add_(torch.randn(parameter.shape, generator=generator), alpha=0.2)
    return network


def looked_up(x_D: torch.Tensor, keys_ND: torch.Tensor, values_ON: torch.Tensor, scale: int) -> torch.Tensor:
    """Pair by pair."""
    scores = [sum(float(a) * float(b) for a, b in zip(x_D, key, strict=True)) for key in keys_ND]
    size = math.sqrt(sum(score**2 for score in scores))
    found = torch.zeros(len(values_ON), dtype=torch.float64)
    for score, value_O in zip(scores, values_ON.T, strict=True):
        normed = score / size * math.sqrt(scale)
        found += 0.5 * normed * (1 + math.erf(normed / math.sqrt(2))) * value_O
    return found


@torch.no_grad()
def test_lookups_equal_a_slow_formula() -> None:
    network = network_of(**lookups(scale=7), kv_heads=1, positions="none").double()
    layer = network.layers[0]
    x = torch.randn(1, 5, 16, generator=torch.Generator().manual_seed(3), dtype=torch.float64)
    context = Context("products", causal=True)
    fed = layer.transform(x, context)
    for token in range(5):
        part = layer.feedforward
        expected = looked_up(x[0, token], part.out_keys.weight, part.out.weight, 7)
        torch.testing.assert_close(fed[0, token], expected)
    mixer = layer.mixer
    parts = ("query", "key", "value")
    weights = {name: [getattr(mixer, f"{name}_{kind}").weight for kind in ("keys", "values")] for name in parts}
    q, k, v = (torch.stack([looked_up(token, *weights[name], 7) for token in x[0]]) for name in parts)
    mask = torch.full((5, 5), float("-inf"), dtype=torch.float64).triu(1)
    mixed = layer.mix(x, replace(context, mask=mask[None]))
    for token in range(5):
        heads = []
        for head in range(2):
            scores = torch.stack([q[token, 8 * head : 8 * head + 8] @ k[other] for other in range(token + 1)])
            heads.append((scores / math.sqrt(8)).softmax(0) @ v[: token + 1])
        expected = looked_up(torch.cat(heads), mixer.out_keys.weight, mixer.out.weight, 7)
        torch.testing.assert_close(mixed[0, token], expected)


@torch.no_grad()
@pytest.mark.parametrize("kind", ["decoder", "encoder"])
def test_growth_by_pairs_changes_nothing_at_first(kind: str) -> None:
    small = network_of(kind, **lookups())
    larger = {**lookups(13, 40)}
    larger["mixer"]["pattention"]["scale"], larger["feed"]["pattention"]["scale"] = 10, 24
    large = network_of(kind, seed=2, **larger)
    weights = {name: parameter.detach() for name, parameter in small.named_parameters()}
    operator = growth.create("pairs").operator(weights, small.architecture, large.architecture, 5)
    materialize(operator, large)
    tokens = torch.arange(12)[None] + 3
    one, other = (network.logits(network.hidden(tokens)[0]) for network in (small, large))
    torch.testing.assert_close(one, other, atol=1e-5, rtol=1e-5)
    assert not large.layers[0].feedforward.out_keys.weight[24:].any()
    new = large.layers[0].feedforward.out.weight[:, 24:]
    assert new.std() > 0.005
    again = growth.create("pairs").operator(weights, small.architecture, large.architecture, 5).weights()
    assert torch.equal(again["layers.0.feedforward.out.weight"][:, 24:], new)
    assert operator.parameters() == []


def test_new_pairs_learn_at_once() -> None:
    small, large = network_of(**lookups()), network_of(**lookups(12, 24, scale=10) | {"feed": lookups()["feed"]})
    weights = {name: parameter.detach() for name, parameter in small.named_parameters()}
    materialize(growth.create("pairs").operator(weights, small.architecture, large.architecture, 5), large)
    tokens = torch.arange(12)[None] + 3
    large.logits(large.hidden(tokens)[0]).log_softmax(-1)[:, 3].sum().backward()
    assert large.layers[1].mixer.value_keys.weight.grad[10:].abs().min() > 0


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"mixer": {"pattention": {"tokens": 8, "scale": 10}}}, "mixers.tokens: is smaller than before"),
        ({"mixer": {"pattention": {"tokens": 12}}}, "mixers.scale: must stay"),
        ({"mixer": None}, "to.mixers: are others"),
        ({"layers": 3}, "only `tokens` of pattention may differ, and so do: layers"),
        ({}, "has no pattention with more tokens"),
    ],
)
def test_what_cannot_grow_is_said(changes: dict[str, Any], message: str) -> None:
    small, large = network_of(**lookups()), network_of(**{**lookups(), **changes})
    with pytest.raises(InputError, match=message):
        growth.create("pairs").operator({}, small.architecture, large.architecture, 5)


def test_other_methods_refuse_lookups() -> None:
    small = network_of(**lookups())
    with pytest.raises(InputError, match="do not grow so"):
        growth.create("stack").operator({}, small.architecture, small.architecture, 5)
    with pytest.raises(InputError, match="tokens: must be at least 1"):
        backbones.create("decoder", mixer={"pattention": {"tokens": 0}})


def test_saved_and_loaded(tmp_path: Path) -> None:
    from seedbed.models.artifact import Model

    network = network_of(**lookups())
    network.save(tmp_path)
    loaded = Model.open(tmp_path).network()
    tokens = torch.arange(12)[None] + 3
    loaded.use_kernel("products")
    assert torch.equal(loaded.hidden(tokens), network.hidden(tokens))
