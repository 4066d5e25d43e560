"""Experts and stick-breaking attention against formulas, token by token."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from seedbed.core.errors import InputError
from seedbed.models import backbones, feedforwards, mixers
from seedbed.models.segments import Context
from seedbed.models.sequence.stick_breaking import stick_breaking

SMALL = {"layers": 2, "width": 16, "heads": 4, "max_length": 16, "kernel": "products"}


def network_of(kind: str, seed: int = 1, **settings: Any) -> Any:
    network = backbones.create(kind, **{**SMALL, **settings}).network(40, seed, pad=0).double()
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.add_(torch.randn(parameter.shape, generator=generator), alpha=0.3)
    return network


def states(rows: int = 2, length: int = 6) -> torch.Tensor:
    return torch.randn(rows, length, 16, generator=torch.Generator().manual_seed(3), dtype=torch.float64)


def chances(part: Any, x_D: torch.Tensor) -> torch.Tensor:
    if hasattr(part, "router_in"):
        x_D = torch.nn.functional.gelu(part.router_in.weight @ x_D)
    return (part.router.weight @ x_D).softmax(0)


@torch.no_grad()
@pytest.mark.parametrize("gated", [True, False])
def test_experts_equal_a_slow_formula(gated: bool) -> None:
    feed = {"experts": {"experts": 5, "top": 2, "inner": 12, "router": 6 if gated else None}}
    part = network_of("encoder", feed=feed, gated=gated).layers[0].feedforward
    x = states()
    found = part(x, Context("products", causal=False))
    for row in range(2):
        for token in range(6):
            p = chances(part, x[row, token])
            expected = torch.zeros(16, dtype=torch.float64)
            for expert in p.argsort(descending=True)[:2]:
                inner = part.expert_in[expert] @ x[row, token]
                gelu = torch.nn.functional.gelu
                inner = gelu(inner[:12]) * inner[12:] if gated else gelu(inner)
                expected += p[expert] * (part.expert_out[expert] @ inner)
            torch.testing.assert_close(found[row, token], expected, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("kind", ["load", "information"])
def test_losses_that_keep_experts_in_use(kind: str) -> None:
    feed = {"experts": {"experts": 3, "top": 2, "balance": kind, "weight": 0.5}}
    part = network_of("encoder", feed=feed).layers[0].feedforward
    x, segments = states(3), torch.tensor([[0, 0, 0, 1, 1, -1], [0] * 6, [-1] * 6])
    context = Context("products", causal=False, segments_BL=segments)
    part(x, context)
    found = context.auxiliary["balance"].detach()
    for row in range(2):
        p = np.array([chances(part, x[row, token]).tolist() for token in range(6) if segments[row, token] >= 0])
        mean = p.mean(0)
        if kind == "information":
            joint = p / len(p)  # of (token, expert), tokens being equally likely
            independent = np.full((len(p), 1), 1 / len(p)) * mean
            expected = -(joint * np.log(joint / independent)).sum()
        else:
            given = np.bincount(np.argsort(-p, 1)[:, :2].ravel(), minlength=3) / (2 * len(p))
            expected = 3 * (given * mean).sum()
        assert float(found[row]) == pytest.approx(0.5 * expected, rel=1e-5)
    assert float(found[2]) == 0
    with torch.no_grad():
        silent = Context("products", causal=False)
        part(x, silent)
    assert not silent.auxiliary


def test_a_stick_is_broken_from_the_nearest_token_on() -> None:
    scores = torch.randn(5, 5, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    seen = torch.ones(5, 5, dtype=torch.bool).tril()
    seen[:, 1] = False
    found = stick_breaking(scores, seen)
    for query in range(5):
        stick = 1.0
        for other in range(query, -1, -1):
            if not seen[query, other]:
                assert found[query, other] == 0
                continue
            piece = stick * float(torch.sigmoid(scores[query, other]))
            assert float(found[query, other]) == pytest.approx(piece, rel=1e-9)
            stick -= piece
    assert (
        stick_breaking(torch.tensor([[-200.0, 200.0]]).expand(2, 2), torch.ones(2, 2, dtype=torch.bool))
        .isfinite()
        .all()
    )


@torch.no_grad()
def test_stick_breaking_attention_equals_a_slow_formula() -> None:
    part = network_of("decoder", mixer={"stick_breaking": {"experts": 3, "top": 2, "heads": 2}}).layers[0].mixer
    x, segments = states(), torch.tensor([[0, 0, 0, 0, 1, 1], [0] * 6])
    found = part(x, Context("products", causal=True, segments_BL=segments))
    keys, values = part.memory(x).view(2, 6, 2, 2, 4).unbind(2)
    for row in range(2):
        for token in range(6):
            p = chances(part, x[row, token])
            expected = torch.zeros(16, dtype=torch.float64)
            for expert in p.argsort(descending=True)[:2]:
                query = (part.expert_in[expert] @ x[row, token]).view(2, 4)
                mixed = torch.zeros(2, 4, dtype=torch.float64)
                for head in range(2):
                    stick = 1.0
                    for other in range(token, -1, -1):
                        if segments[row, other] == segments[row, token]:
                            piece = stick * torch.sigmoid(query[head] @ keys[row, other, head] / 2)
                            mixed[head] += piece * values[row, other, head]
                            stick = stick - piece
                expected += p[expert] * (part.expert_out[expert] @ mixed.flatten())
            torch.testing.assert_close(found[row, token], expected, rtol=1e-6, atol=1e-6)


def test_experts_cost_what_a_token_uses() -> None:
    few, many = (
        backbones.create("decoder", **SMALL, feed={"experts": {"experts": n}}).architecture(40) for n in (2, 32)
    )
    assert many.num_parameters() > 5 * few.num_parameters()
    assert many.flops_per_token(16) < 1.3 * few.flops_per_token(16)


def test_bad_settings_are_clear() -> None:
    with pytest.raises(InputError, match="top: must lie between 1 and the number of experts"):
        feedforwards.create("experts", experts=2, top=3)
    with pytest.raises(InputError, match="heads: must be at least 1"):
        mixers.create("stick_breaking", heads=0)
    with pytest.raises(InputError, match="is not for bidirectional networks"):
        backbones.create("encoder", mixer="stick_breaking")
