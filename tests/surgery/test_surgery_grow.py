"""The step `grow`, from a trained model to a larger one, and what its operator's learning costs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from made_world import corpus_and_vocabulary, run_by_two

from seedbed.core.errors import InputError
from seedbed.recipe.execute import Workspace, run_plan, workspace
from seedbed.recipe.plan import make_plan
from seedbed.recipe.recipe import Recipe
from seedbed.surgery import growth
from seedbed.surgery.grow import grow
from seedbed.surgery.learn import learn, materialize
from seedbed.train.precision import Precision

DECODER = {"layers": 1, "width": 32, "heads": 2, "feedforward": 96, "kernel": "products"}
LARGE = {"decoder": {"layers": 2, "width": 64, "heads": 4, "feedforward": 192, "kernel": "products"}}


class World:
    """A corpus, a tokenizer and a small decoder that has learned something."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.training = {
            "data": {"corpus": 1.0},
            "objective": "clm",
            "length": 32,
            "batch_tokens": 512,
            "micro_tokens": 256,
            "precision": "fp32",
        }
        steps = {
            **corpus_and_vocabulary(root),
            "small": {
                "pretrain": {
                    "model": {"decoder": DECODER},
                    "tokenizer": "vocabulary",
                    "budget": "150 steps",
                    "optimizer": {"adamw": {"lr": 1e-2}},
                    **self.training,
                }
            },
        }
        self.steps = steps
        plan = make_plan(Recipe("world", steps, seed=3), Workspace(root / "runs").store)
        self.made: dict[str, Any] = run_plan(plan, say=lambda line: None)

    def grow(self, **parameters: Any) -> Any:
        given = {"model": self.made["small"], "to": LARGE, **self.training, "data": {self.made["corpus"]: 1.0}}
        with workspace(self.root / "runs"):
            return grow(**{**given, **parameters})  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    return World(tmp_path_factory.mktemp("growth"))


def test_a_fixed_method_needs_no_data_and_costs_nothing(world: World) -> None:
    wide = {"decoder": {**LARGE["decoder"], "layers": 1}}
    model = world.grow(to=wide, method={"bert2bert": {"advanced": False}}, data={})
    assert model.counts["steps"] == model.counts["tokens"] == model.counts["flops"] == 0
    small, large = world.made["small"].network(), model.network()
    tokens_BL = torch.arange(20)[None]
    one, other = (network.logits(network.hidden(tokens_BL)[0]) for network in (small, large))
    assert torch.allclose(one, other, atol=1e-4), "through the folder, too"
    assert large.architecture.width == 64 and model.tokenizer().digest == world.made["vocabulary"].digest
    assert "bert2bert" in (model.path / "README.md").read_text()


@pytest.mark.parametrize("method", ["ligo", "mango"])
def test_a_learned_operator_lowers_the_loss_and_its_cost_is_counted(method: str, world: World) -> None:
    model = world.grow(method={method: {"steps": 12, "lr": 5e-3}})
    counts, losses = model.counts, model.counts["losses"]
    assert len(losses) == 12 == counts["steps"]
    assert np.mean(losses[-3:]) < losses[0] - 0.05
    assert losses[0] < np.log(300), "it begins with what the small network has learned"
    assert counts["tokens"] <= 12 * 512
    assert counts["flops"] == pytest.approx(model.network().architecture.flops_per_token(32) * 12 * 512)
    again = world.grow(method={method: {"steps": 12, "lr": 5e-3}}, allow_tokenizer=True)
    assert again.counts["losses"] == losses, "the same again"
    with workspace(world.root / "runs"):
        from seedbed.train.pretrain import pretrain

        data = {world.made["corpus"]: 1.0}
        on = pretrain(**{**world.training, "model": model, "data": data, "budget": "3 steps"})  # type: ignore[arg-type]
    assert on.counts["loss"] < losses[0]


def test_gradients_go_through_the_operator() -> None:
    """One step against a difference quotient of the loss in one of the operator's numbers."""
    from seedbed.data.batch import Batch
    from seedbed.models import backbones
    from seedbed.objectives import objectives
    from seedbed.vocabulary.artifact import Vocabulary

    special_V = np.arange(50) < 5
    vocabulary = Vocabulary(50, 0, 1, 2, 3, 4, 2, 3, [str(i) for i in range(50)], special_V, special_V)
    objective = objectives.create("clm")
    objective.bind(vocabulary)
    tokens_BL = np.arange(24).reshape(2, 12) % 45 + 5
    positions_BL = np.tile(np.arange(12), (2, 1))
    pieces_N6 = np.array([[row, 0, 12, 0, row, 0] for row in range(2)])
    batch = Batch(tokens_BL, np.zeros_like(tokens_BL), positions_BL, np.arange(2), pieces_N6, ("made",))
    sizes = {"max_length": 16, "kernel": "products"}
    small = backbones.create("decoder", **DECODER | sizes).network(50, 1).double()
    large = backbones.create("decoder", **LARGE["decoder"] | sizes).network(50, 2).double()
    weights = {name: p.detach() for name, p in small.named_parameters()}

    def operator() -> Any:
        torch.set_default_dtype(torch.float64)
        try:
            return growth.create("mango").operator(weights, small.architecture, large.architecture, 3)
        finally:
            torch.set_default_dtype(torch.float32)

    def loss(one: Any) -> float:
        materialize(one, large)
        with torch.no_grad():
            found = objective.loss(large, objective.corrupt(batch, seed=0, progress=0.0).to("cpu"))
        return float(found.sum) / found.count

    one = operator()
    core, place, size = one.cores["O"], (0, 3, 5, 0), 1e-5
    changed = []
    for sign in (1, -1):
        with torch.no_grad():
            core[place] += sign * size
            changed.append(loss(one))
            core[place] -= sign * size
    slope = (changed[0] - changed[1]) / (2 * size)
    seen: list[float] = []
    real = torch.nn.utils.clip_grad_norm_

    def look(parameters: Any, limit: float) -> Any:
        seen.append(float(core.grad[place]))
        return real(parameters, limit)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(torch.nn.utils, "clip_grad_norm_", look)
        learn(
            one,
            large,
            iter([batch]),
            objective,
            steps=1,
            lr=1e-3,
            micro_rows=1,
            precision=Precision("fp32"),
            seed=0,
            say=lambda line: None,
        )
    assert seen[0] == pytest.approx(slope, rel=1e-4) and slope != 0


def test_what_does_not_fit_is_named(world: World) -> None:
    with pytest.raises(InputError, match="data: is required by a method that learns"):
        world.grow(method="mango", data={})
    with pytest.raises(InputError, match="objective: trains networks with bidirectional attention"):
        world.grow(method={"ligo": {"steps": 1}}, objective="mlm")
    with pytest.raises(InputError, match="length: is above the model's max_length"):
        world.grow(method={"ligo": {"steps": 1}}, length=1024, batch_tokens=1024, micro_tokens=1024)
    with pytest.raises(InputError, match="batch_tokens: must hold at least one row"):
        world.grow(method="bert2bert", batch_tokens=16)
    with pytest.raises(InputError, match=r"to\.width: is smaller than before"):
        world.grow(to={"decoder": {"layers": 1, "width": 16, "heads": 1}}, method="bert2bert")


def test_several_processes_grow_a_model_and_train_it_on(world: World, tmp_path: Path) -> None:
    """The first one grows, with what all have settled; the others then go on with its model."""
    learning = {"model": "small", "to": LARGE, "method": {"ligo": {"steps": 2}}, **world.training}
    on = {"model": "grown", "budget": "2 steps", **world.training}
    steps: dict[str, Any] = {**world.steps, "grown": {"grow": learning}}
    together = run_by_two({**steps, "on": {"pretrain": on}}, world.root / "runs", tmp_path)
    plan = make_plan(Recipe("world", steps, seed=3), Workspace(world.root / "runs").store)
    alone = run_plan(plan, say=lambda line: None, rebuild=["grown"])["grown"]
    assert together["grown"]["losses"] == alone.counts["losses"] and together["on"]["steps"] == 2
