"""The steps `train_hypernetwork` and `predict_weights`, through the store."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from made_world import corpus_and_vocabulary, run_by_two

from seedbed.core.counters import key
from seedbed.core.errors import InputError
from seedbed.data.batch import Batch
from seedbed.models import backbones
from seedbed.models.architecture import Architecture
from seedbed.objectives import objectives
from seedbed.recipe.execute import Workspace, run_plan, workspace
from seedbed.recipe.plan import make_plan
from seedbed.recipe.recipe import Recipe
from seedbed.surgery.hypernetwork.artifact import Hypernetwork
from seedbed.surgery.hypernetwork.meta import MetaExamples, MetaObjective
from seedbed.surgery.hypernetwork.network import GraphHypernetwork, Target
from seedbed.surgery.hypernetwork.predict import predict_weights
from seedbed.surgery.hypernetwork.sampling import sample
from seedbed.surgery.hypernetwork.train import train_hypernetwork
from seedbed.train.pretrain import pretrain

LARGE = {"decoder": {"layers": 2, "width": 64, "heads": 4, "feedforward": 192, "kernel": "products"}}
UNSEEN = {"decoder": {**LARGE["decoder"], "layers": 3}}
SMALL = {"layers": [1, 2], "width": [16, 32], "configurations": 8, "hidden": 32, "blocks": 1, "heads": 2, "rank": 8}
DATA = {"length": 32, "batch_tokens": 256, "micro_tokens": 256, "precision": "fp32"}


class World:
    """A corpus, its tokenizer, and places for results."""

    def __init__(self, root: Path) -> None:
        self.root = root
        plan = make_plan(Recipe("world", corpus_and_vocabulary(root), seed=3), Workspace(root / "runs").store)
        self.made: dict[str, Any] = run_plan(plan, say=lambda line: None)

    def train(self, where: str = "runs", **parameters: Any) -> Hypernetwork:
        given = {
            "model": LARGE,
            "tokenizer": self.made["vocabulary"],
            "data": {self.made["corpus"]: 1.0},
            "budget": "80 steps",
            "optimizer": {"adamw": {"lr": 1e-3, "weight_decay": 0.01}},
            **SMALL,
            **DATA,
        }
        with workspace(self.root / where):
            return train_hypernetwork(**{**given, **parameters})  # type: ignore[arg-type]

    def predict(self, hypernetwork: Any, **parameters: Any) -> Any:
        with workspace(self.root / "runs"):
            return predict_weights(**{"hypernetwork": hypernetwork, "to": UNSEEN, **parameters})  # type: ignore[arg-type]

    def loss(self, network: Any, rows: int = 16) -> float:
        """The mean loss of the first rows of the corpus."""
        ids = self.made["vocabulary"].load()
        texts = [json.loads(line)["text"] for line in (self.root / "text.jsonl").read_text().splitlines()[:rows]]
        losses = []
        for text in texts:
            tokens = torch.tensor(ids.encode(text).ids)
            with torch.no_grad():
                logits = network.logits(network.hidden(tokens[None, :-1])[0])
            losses.append(torch.nn.functional.cross_entropy(logits, tokens[1:]))
        return float(torch.stack(losses).mean())


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    return World(tmp_path_factory.mktemp("hypernetwork"))


@pytest.fixture(scope="module")
def trained(world: World) -> Hypernetwork:
    return world.train()


def test_meta_training_lowers_the_loss_of_networks_that_were_not_seen(world: World, trained: Hypernetwork) -> None:
    early = world.train(budget="1 steps")
    before, after = (world.loss(world.predict(one).network()) for one in (early, trained))
    assert after < before - 0.5 and after < np.log(300) - 0.5, (before, after)
    sizes = trained.facts["configurations"]
    assert len(sizes) == 8 and max(one["layers"] for one in sizes) == 2 and max(one["width"] for one in sizes) <= 32


def test_the_model_is_an_ordinary_one(world: World, trained: Hypernetwork) -> None:
    """The same logits as the predicted weights have, through the folder; the same again; trained on by `pretrain`."""
    model, plain = world.predict(trained), world.predict(trained, noise=0.0)
    predictor, tokens_BL = trained.network(), torch.arange(40).view(2, 20)
    target = Target(plain.network().architecture, "products")
    weights = predictor.weights(target)
    through = target.apply_with(weights, lambda one: one.logits(one.hidden(tokens_BL).flatten(0, 1)))
    network = plain.network()
    assert torch.allclose(through, network.logits(network.hidden(tokens_BL).flatten(0, 1)), atol=1e-4)
    for name, parameter in model.network().named_parameters():
        difference = parameter.detach() - weights[name].detach()
        expected = 1e-5 if parameter.ndim > 1 else 0.0
        assert float(difference.std()) == pytest.approx(expected, rel=0.2, abs=1e-9), name
    assert model.tokenizer().digest == world.made["vocabulary"].digest
    assert "weights predicted by" in (model.path / "README.md").read_text()
    assert model.counts["parameters"] == sum(parameter.numel() for parameter in network.parameters())
    assert {name: model.counts[name] for name in ("steps", "tokens", "flops", "numerics")} == {
        name: trained.counts[name] for name in ("steps", "tokens", "flops", "numerics")
    }
    data = {world.made["corpus"]: 1.0}
    with workspace(world.root / "runs"):
        on = pretrain(model=model, data=data, objective="clm", budget="3 steps", **DATA)  # type: ignore[arg-type]
    assert on.counts["loss"] < np.log(300) - 0.4


def test_the_same_again_and_after_a_failure(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Bitwise, resumed in the middle; with two networks a step."""
    settings = {"budget": "12 steps", "save_every": 5, "validate_every": "never", "meta_batch": 2}
    whole = world.train("whole", **settings)
    real, calls = MetaObjective.loss, [0]

    def failing(self: Any, network: Any, examples: Any) -> Any:
        calls[0] += 1
        if calls[0] == 8:
            raise RuntimeError("the power is out")
        return real(self, network, examples)

    monkeypatch.setattr(MetaObjective, "loss", failing)
    with pytest.raises(RuntimeError):
        world.train("broken", **settings)
    resumed = world.train("broken", **settings)
    assert calls[0] == 8 + 12 - 5, "from the checkpoint of step 5"
    for one, other in zip(whole.network().parameters(), resumed.network().parameters(), strict=True):
        assert torch.equal(one, other)
    same = ("steps", "tokens", "flops", "loss", "targets")
    assert {name: whole.counts[name] for name in same} == {name: resumed.counts[name] for name in same}


def test_a_step_is_the_mean_over_its_networks_with_the_penalty(world: World, trained: Hypernetwork) -> None:
    """The loss, against each network by itself; and who is drawn depends on nothing but the step."""
    like = Architecture.from_json(trained.facts["like"])
    small = sample(like, (1, 2), (16, 32), 8, 0)
    predictor = GraphHypernetwork(trained.network().sizes, like, small, kernel="products")
    predictor.load_state_dict(trained.network().state_dict())
    meta = MetaObjective(objectives.create("clm"), 8, 3, 4, 0.01, key(0, "meta"))  # type: ignore[arg-type]
    drawn = [meta.drawn(step) for step in range(40)]
    assert {number for numbers in drawn for number in numbers} == set(range(8)) and drawn[3] == meta.drawn(3)
    assert len({tuple(numbers) for numbers in drawn}) > 30

    tokens_BL = np.arange(64).reshape(2, 32) + 5
    positions_BL, pieces_N6 = np.tile(np.arange(32), (2, 1)), np.array([[row, 0, 32, 0, row, 0] for row in range(2)])
    batch = Batch(tokens_BL, np.zeros_like(tokens_BL), positions_BL, np.array([30, 31]), pieces_N6, ("made",))
    examples = meta.corrupt(batch, seed=0, progress=0.0)
    assert isinstance(examples, MetaExamples) and examples.targets == meta.drawn(7), "rows 28 to 31 are step 7"
    found = meta.loss(predictor, examples.to("cpu"))
    losses, norms = [], []
    for number in examples.targets:
        network = Target(small[number]).network.to_empty(device="cpu")
        weights = predictor.weights(predictor.targets[number])  # type: ignore[arg-type]
        network.load_state_dict(weights)
        logits = network.logits(network.hidden(torch.from_numpy(tokens_BL))[:, :-1].flatten(0, 1))
        wanted = torch.from_numpy(tokens_BL[:, 1:].ravel())
        losses.append(float(torch.nn.functional.cross_entropy(logits.detach(), wanted, reduction="sum")))
        norms.append(sum(float(np.linalg.norm(value.detach().numpy())) for value in weights.values()))
    assert found.count == 62
    assert float(found.sums["task_loss"]) == pytest.approx(np.mean(losses), rel=1e-4)
    assert float(found.sum.detach()) == pytest.approx(np.mean(losses) + 0.01 * 62 * np.mean(norms), rel=1e-4)


def test_the_cost_is_that_of_all_networks_and_of_their_weights(world: World) -> None:
    """All products of the hypernetwork written out, for each network of each step, and that network's own."""
    counts = (made := world.train(budget="6 steps", meta_batch=2)).counts
    drawn = MetaObjective(objectives.create("clm"), 8, 2, 8, 0.0, key(0, "meta")).drawn  # type: ignore[arg-type]
    width, rank, mask, like, passes, products = 32, 8, 16 * 384, made.network().like, 0.0, 0
    for number in [number for step in range(6) for number in drawn(step)]:
        sizes = made.facts["configurations"][number]
        small = replace(like, **sizes, kv_heads=sizes["heads"])
        passes += small.flops_per_token(32, counts["targets"] / (6 * 256)) * 256
        shapes = [(*shape, 1)[:2] for shape in small.shapes().values()]
        nodes = 4 + 10 * small.layers  # input, embedding, last norm, output; six parameters and four operations
        assert len(shapes) == 2 + 6 * small.layers
        products += nodes * (32 * width + width**2) + nodes**2 * (2 * width**2 + 2 * width)  # features, bias
        products += nodes * 12 * width**2 + 2 * nodes**2 * width  # one layer
        products += len(shapes) * (4 * width**2 + 32 * width**2 + 8 * width * 2 * rank**2)
        table, *others = [rows * rank for rows in (300, max(max(shape) for shape in shapes[1:]))]
        assert max(table, *others) < mask, "one row of X"
        products += 2 * rank * (table + (len(shapes) - 1) * others[0])
        products += sum(rows * columns * rank for rows, columns in shapes)
    assert counts["flops"] == pytest.approx(passes + 3 * 2 * products, rel=1e-9)
    assert counts["tokens"] <= 6 * 256


def test_a_plan_knows_tokens_and_flops_before_anything_runs(world: World) -> None:
    training = {"model": LARGE, "tokenizer": str(world.made["vocabulary"].path), **SMALL, **DATA, "meta_batch": 2}
    training["data"] = {str(world.made["corpus"].path): 1.0}
    steps: dict[str, Any] = {
        "hypernetwork": {"train_hypernetwork": {**training, "budget": "10 steps"}},
        "predicted": {"predict_weights": {"hypernetwork": "hypernetwork", "to": UNSEEN}},
    }
    plan = make_plan(Recipe("planned", steps, seed=3), Workspace(world.root / "planned").store)
    expected, after = (plan.estimate(plan[name]) for name in ("hypernetwork", "predicted"))
    small = sample(backbones.create("decoder", **LARGE["decoder"]).architecture(300), (1, 2), (16, 32), 8, 3)
    assert expected.tokens == 2560 == after.tokens
    assert expected.flops == after.flops == pytest.approx(2 * 2560 * np.mean([a.flops_per_token(32) for a in small]))


def test_two_processes_learn_what_one_does(world: World, tmp_path: Path) -> None:
    """Each network of a step sees the rows of both; the loss is the same up to reassociation."""
    training = {"model": LARGE, "tokenizer": "vocabulary", "data": {"corpus": 1.0}, **SMALL, **DATA, "meta_batch": 2}
    step = {"train_hypernetwork": {**training, "micro_tokens": 64, "budget": "4 steps"}}
    steps: dict[str, Any] = {**corpus_and_vocabulary(tmp_path), "hypernetwork": step}
    together = run_by_two(steps, tmp_path / "two", tmp_path)["hypernetwork"]
    plan = make_plan(Recipe("world", steps, seed=3), Workspace(tmp_path / "one").store)
    alone = run_plan(plan, say=lambda line: None)["hypernetwork"].counts
    assert together["loss"] == pytest.approx(alone["loss"], rel=1e-5)
    assert {name: together[name] for name in ("steps", "tokens", "targets", "flops")} == {
        name: alone[name] for name in ("steps", "tokens", "targets", "flops")
    }


def test_what_does_not_fit_is_named(world: World, trained: Hypernetwork) -> None:
    with pytest.raises(InputError, match=r"to: is of another kind.*: tied"):
        world.predict(trained, to={"decoder": {**UNSEEN["decoder"], "tied": False}})
    with pytest.raises(InputError, match="to: has a parameter that is too wide"):
        world.predict(trained, to={"decoder": {**UNSEEN["decoder"], "feedforward": 640}})
    with pytest.raises(InputError, match="noise: must not be negative"):
        world.predict(trained, noise=-1.0)
    with pytest.raises(InputError, match="objective: trains networks with causal attention"):
        world.train(model={"encoder": LARGE["decoder"]})
    with pytest.raises(InputError, match=r"model\.width_transfer: weights of networks with width transfer"):
        world.train(model={"decoder": {**LARGE["decoder"], "width_transfer": 32}})
    with pytest.raises(InputError, match="configurations: there are"):
        world.train(configurations=1000)
    with pytest.raises(InputError, match="meta_batch: must be at least 1"):
        world.train(meta_batch=0)
    with pytest.raises(InputError, match="penalty: must not be negative"):
        world.train(penalty=-1.0)
