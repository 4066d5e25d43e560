"""The step `prune`: which weights stay, that the folder is an ordinary model, and training on with its zeros."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from made_world import corpus_and_vocabulary

from seedbed.compare.arms import trains
from seedbed.core.errors import InputError
from seedbed.models.replace import hidden_linears
from seedbed.recipe.execute import Workspace, run_plan, workspace
from seedbed.recipe.plan import make_plan
from seedbed.recipe.recipe import Recipe
from seedbed.surgery.pruning.magnitude import Scope, magnitude_masks
from seedbed.surgery.pruning.prune import prune

TRAINING = {"objective": "clm", "length": 32, "batch_tokens": 256, "precision": "fp32", "validate_every": "never"}


def by_sorting(weights: list[np.ndarray], density: float) -> list[np.ndarray]:
    """One weight after the other, the largest first, among equals the first."""
    places = [(-abs(w[i]), number, i) for number, w in enumerate(weights) for i in np.ndindex(w.shape)]
    kept = [np.zeros(w.shape, dtype=bool) for w in weights]
    for _, number, i in sorted(places)[: round(density * len(places))]:
        kept[number][i] = True
    return kept


@pytest.mark.parametrize("density", [0.01, 0.3, 1.0])
def test_the_largest_weights_stay(density: float) -> None:
    generator = torch.Generator().manual_seed(0)
    weights = {name: torch.randn(7, size, generator=generator) for name, size in (("a", 5), ("b", 11))}
    weights["b"] = (weights["b"] * 2).round() / 8  # smaller, with many equals
    arrays = [weight.double().numpy() for weight in weights.values()]
    expected: dict[Scope, list[np.ndarray]] = {
        "global": by_sorting(arrays, density),
        "matrix": [by_sorting([array], density)[0] for array in arrays],
    }
    for scope, masks in expected.items():
        found = magnitude_masks(weights, density, scope)
        assert list(found) == ["a", "b"]
        for mask, wanted in zip(found.values(), masks, strict=True):
            np.testing.assert_array_equal(mask.numpy(), wanted)


class World:
    """A small decoder, trained for a moment."""

    def __init__(self, root: Path) -> None:
        self.root = root
        steps: dict[str, Any] = {
            **corpus_and_vocabulary(root),
            "dense": {
                "pretrain": {
                    "model": {"decoder": {"layers": 2, "width": 32, "heads": 2, "kernel": "products"}},
                    "tokenizer": "vocabulary",
                    "data": {"corpus": 1.0},
                    "budget": "10 steps",
                    **TRAINING,
                }
            },
        }
        plan = make_plan(Recipe("world", steps, seed=3), Workspace(root / "runs").store)
        self.made: dict[str, Any] = run_plan(plan, say=lambda line: None)

    def prune(self, density: float, scope: Scope = "matrix") -> Any:
        with workspace(self.root / "runs"):
            return prune(model=self.made["dense"], density=density, scope=scope)


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    return World(tmp_path_factory.mktemp("pruning"))


@pytest.mark.parametrize("scope", ["matrix", "global"])
def test_only_the_blocks_lose_weights_and_the_rest_stays_as_it_was(scope: Scope, world: World) -> None:
    model = world.prune(0.25, scope)
    before, after = world.made["dense"].network(), model.network()
    linears = hidden_linears(after)
    masks = magnitude_masks({name: linear.weight for name, linear in hidden_linears(before).items()}, 0.25, scope)
    for name, parameter in after.named_parameters():
        mask = masks.get(name.removesuffix(".weight"), torch.tensor(True))
        assert torch.equal(parameter, before.get_parameter(name) * mask), name
    counts, shares = model.counts, [float((linear.weight != 0).float().mean()) for linear in linears.values()]
    assert counts["kept"] == sum(int((linear.weight != 0).sum()) for linear in linears.values())
    assert counts["density"] == pytest.approx(0.25, abs=1e-3)
    assert list(counts["densities"].values()) == pytest.approx(shares, abs=1e-6)
    assert (np.std(shares) > 0.01) == (scope == "global")
    assert model.tokenizer().digest == world.made["vocabulary"].digest


def test_transformers_sees_the_zeros(world: World) -> None:
    from transformers import AutoModelForCausalLM

    model = world.prune(0.1)
    theirs, ours = AutoModelForCausalLM.from_pretrained(model.path), model.network()
    tokens_BL = torch.arange(5, 25)[None]
    with torch.no_grad():
        assert torch.allclose(theirs(tokens_BL).logits[0], ours.logits(ours.hidden(tokens_BL)[0]), atol=1e-5)
    assert float((theirs.model.layers[1].mlp.down_proj.weight != 0).float().mean()) == pytest.approx(0.1, abs=1e-3)


def test_retraining_keeps_the_mask_or_not(world: World) -> None:
    from seedbed.train.pretrain import pretrain

    model = world.prune(0.3)
    given = {"model": model, "data": {world.made["corpus"]: 1.0}, "budget": "5 steps", **TRAINING}
    with workspace(world.root / "runs"):
        sparse, dense = (
            pretrain(**given, interventions=chosen)  # type: ignore[arg-type]
            for chosen in ([{"static_sparsity": {"sparsity": None}}], [])
        )
    pairs = zip(*(hidden_linears(one.network()).values() for one in (model, sparse, dense)), strict=True)
    for before, kept, grown in pairs:
        mask = before.weight != 0
        assert torch.equal(kept.weight != 0, mask)
        assert not torch.equal(kept.weight[mask], before.weight[mask]), "what is left learns"
        assert (grown.weight != 0).float().mean() > 0.9


def test_errors_and_that_pruning_is_no_training(world: World) -> None:
    for density in (0.0, 1.5):
        with pytest.raises(InputError, match=r"density: must lie in \(0, 1\]"):
            world.prune(density)
    assert [trains(name) for name in ("pretrain", "grow", "prune", "evaluate")] == [True, True, False, False]
