"""Experts that are used little are taken out; a loss that makes it so."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from made_world import corpus_and_vocabulary

from seedbed.core.errors import InputError
from seedbed.models import backbones
from seedbed.models.segments import Context
from seedbed.recipe.execute import Workspace, run_recipe
from seedbed.recipe.recipe import Recipe
from seedbed.surgery.pruning.modules import chosen, measure_use, tops, without
from seedbed.train import interventions

SMALL = {"layers": 2, "width": 16, "heads": 2, "max_length": 16, "positions": "none", "kernel": "products"}


def network_of(experts: int = 4, top: int = 2, **more: Any) -> Any:
    feed = {"experts": {"experts": experts, "top": top, "router": 6}}
    blocks = {"mixer": [{"stick_breaking": {"experts": experts, "top": top}}, None], "feed": feed}
    network = backbones.create("decoder", **{**SMALL, **blocks, **more}).network(40, 1, pad=0).double()
    generator = torch.Generator().manual_seed(2)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.add_(torch.randn(parameter.shape, generator=generator, dtype=torch.float64), alpha=0.3)
    return network


class Rows:
    def __init__(self, seed: int) -> None:
        self.tokens_BL = np.random.default_rng(seed).integers(3, 40, (3, 10))
        self.segments_BL = np.array([[0] * 10, [0] * 6 + [1] * 4, [0] * 5 + [-1] * 5])
        self.positions_BL = np.array([list(range(10)), [*range(6), *range(4)], [*range(5)] * 2])


def test_use_is_the_share_of_what_routers_give() -> None:
    network, rows = network_of(), [Rows(0), Rows(1)]
    inputs: list[torch.Tensor] = []
    network.layers[1].feedforward.register_forward_pre_hook(lambda module, given: inputs.append(given[0]))
    use = measure_use(network, iter(rows), 2)
    assert set(use) == {(0, "mixer"), (0, "feedforward"), (1, "feedforward")}
    part, counts = network.layers[1].feedforward, np.zeros(4)
    for batch, x in zip(rows, inputs, strict=True):
        for row, column in np.argwhere(batch.segments_BL >= 0):
            hidden = torch.nn.functional.gelu(part.router_in.weight @ x[row, column])
            counts[(part.router.weight @ hidden).argsort(descending=True)[:2].numpy()] += 1
    np.testing.assert_allclose(use[1, "feedforward"], counts / counts.sum(), rtol=1e-6)


def test_which_experts_stay() -> None:
    use = {(0, "mixer"): np.array([0.1, 0.4, 0.1, 0.4]), (0, "feedforward"): np.array([0.9, 0.04, 0.03, 0.03])}
    top = dict.fromkeys(use, 1)
    assert chosen(use, top, 0.5, "router") == {(0, "mixer"): [1, 3], (0, "feedforward"): [0, 1]}
    assert chosen(use, top, 0.5, "all") == {(0, "mixer"): [0, 1, 3], (0, "feedforward"): [0]}
    assert chosen(use, dict.fromkeys(use, 3), 0.25, "all") == {(0, "mixer"): [0, 1, 3], (0, "feedforward"): [0, 1, 2]}
    assert chosen(use, dict.fromkeys(use, 3), 0.25, "router")[0, "feedforward"] == [0, 1, 2]


@torch.no_grad()
def test_what_no_router_chooses_can_go() -> None:
    """Experts with no probability: without them the network computes what it did."""
    network, dropped = network_of(), {(0, "mixer"): 1, (0, "feedforward"): 3, (1, "feedforward"): 0}
    kept = {place: [x for x in range(4) if x != gone] for place, gone in dropped.items()}
    tokens = torch.as_tensor(Rows(3).tokens_BL)
    for (layer, role), gone in dropped.items():  # a logit of minus infinity
        part = getattr(network.layers[layer], role)
        whole = part.router.forward
        part.router.forward = lambda x, whole=whole, gone=gone: whole(x).index_fill(
            -1, torch.tensor([gone]), -torch.inf
        )
    expected = network.hidden(tokens)
    assert all(share[dropped[place]] == 0 for place, share in measure_use(network, iter([Rows(3)]), 1).items())
    smaller = without(network, kept)
    torch.testing.assert_close(smaller.hidden(tokens), expected, rtol=1e-5, atol=1e-6)
    assert smaller.architecture.mixers[1] is None and tops(smaller) == tops(network)
    assert sum(p.numel() for p in smaller.parameters()) == smaller.architecture.num_parameters()


def test_networks_without_experts_of_their_own_are_refused() -> None:
    shared = {"mixer": None, "feed": "experts", "shared": True}
    for more, message in (({"mixer": None, "feed": None}, "no experts"), (shared, "shares its layers")):
        with pytest.raises(InputError, match=message):
            tops(network_of(**more))
    with pytest.raises(InputError, match="networks with experts"):
        interventions.create("load_concentration").prepare(network_of(mixer=None, feed=None), 0)


@torch.no_grad()
def test_concentration_is_an_entropy() -> None:
    network = network_of()
    interventions.create("load_concentration", weight=0.5).prepare(network, 0)
    part, x = network.layers[1].feedforward, torch.randn(2, 5, 16, dtype=torch.float64)
    context = Context("products", causal=True, segments_BL=torch.tensor([[0, 0, 0, 1, -1], [0] * 5]))
    with torch.enable_grad():
        part(x, context)
    found_B = context.auxiliary["concentration"].tolist()
    hidden = torch.nn.functional.gelu(x @ part.router_in.weight.T) @ part.router.weight.T
    for row, size in ((0, 4), (1, 5)):
        p = hidden[row, :size].softmax(-1).mean(0)
        entropy = -(p * p.log()).sum().item()
        assert found_B[row] == pytest.approx(0.5 * entropy, rel=1e-5)
    assert "balance" not in context.auxiliary


def test_training_on_with_concentration_and_pruning_in_a_recipe(tmp_path: Path) -> None:
    training = {"objective": "clm", "length": 16, "batch_tokens": 64, "precision": "fp32", "validate_every": "never"}
    blocks = {"mixer": "stick_breaking", "feed": {"experts": {"experts": 4}}}
    steps = {
        **corpus_and_vocabulary(tmp_path),
        "first": {
            "pretrain": {
                "model": {"decoder": {**SMALL, **blocks}},
                "tokenizer": "vocabulary",
                "data": {"corpus": 1.0},
                "budget": "2 steps",
                **training,
            }
        },
        "special": {
            "pretrain": {
                "model": "first",
                "data": {"corpus": 1.0},
                "budget": "3 steps",
                "interventions": [{"load_concentration": {"weight": 0.1}}],
                **training,
            }
        },
        "pruned": {"prune_modules": {"model": "special", "data": {"corpus": 1.0}, "tokens": 256, "length": 16}},
    }
    made = run_recipe(Recipe("r", steps), Workspace(tmp_path / "runs"), say=lambda line: None, only=["pruned"])
    pruned = made["pruned"].network()  # type: ignore[attr-defined]
    assert set(map(tuple, made["pruned"].counts["experts"].values())) == {(4, 2)}
    assert pruned.architecture.mixers[1]["stick_breaking"]["experts"] == 2
    assert pruned.layers[0].mixer.balance == "information" and pruned.layers[0].mixer.weight == 0.01
    assert made["pruned"].counts["parameters"] < made["special"].counts["parameters"]
    assert pruned.hidden(torch.arange(8)[None]).isfinite().all()
