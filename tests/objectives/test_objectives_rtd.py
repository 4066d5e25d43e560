"""Replaced token detection against ELECTRA's definition and its class."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from interruption import resumed_equals_whole
from train_world import SIZE, SPECIALS, MadeStream, batch_of, make_run, network_of, vocabulary

from seedbed.core.errors import InputError
from seedbed.core.files import read_json
from seedbed.models import backbones
from seedbed.models.artifact import Model
from seedbed.models.detection import Projected, draw, small_architecture
from seedbed.objectives import objectives

BERT = {"norm": "post", "positions": "learned", "gated": False, "bias": True}


def rtd(network: Any = None, **parameters: Any) -> Any:
    """Bound, and with its modules in the network."""
    objective = objectives.create("rtd", **parameters)
    objective.bind(vocabulary())
    if network is not None:
        objective.prepare(network, 5)
    return objective


def bert(**settings: Any) -> Any:
    sizes = {"layers": 2, "width": 32, "heads": 2, "max_length": 64, "kernel": "products"}
    network = backbones.create("encoder", **{**sizes, **BERT, **settings}).network(SIZE, 3, pad=0)
    shake(network)
    return network


@torch.no_grad()
def shake(network: Any) -> None:
    """Norms and biases begin as ones and zeros, small weights give even predictions: both would hide mistakes."""
    drawn = torch.Generator().manual_seed(0)
    for parameter in network.parameters():
        parameter.add_(torch.randn(parameter.shape, generator=drawn) * 0.3)


def by_hand(network: Any, examples: Any, weight: float, rate: float) -> tuple[float, float, float]:
    """The whole loss, the generator's and the discriminator's, target by target."""
    generator, head = network.extra["rtd_generator"], network.extra["rtd_head"]
    place = examples.segments_BL, examples.positions_BL
    with torch.no_grad():
        chances = generator.logits(generator.hidden(examples.tokens_BL, *place).flatten(0, 1)).double().softmax(-1)
        original = examples.tokens_BL.flatten().clone()
        original[examples.where_T] = examples.targets_T
        shown, written = original.clone(), 0.0
        for where, target, number in zip(examples.where_T, examples.targets_T, examples.draws_TK[:, 0], strict=True):
            written -= math.log(float(chances[where, target]))
            reached, token = 0.0, 0
            while (reached := reached + float(chances[where, token])) <= float(number):
                token += 1
            shown[where] = token
        hidden = network.hidden(shown.view_as(examples.tokens_BL), *place).flatten(0, 1)
        judged = 0.0
        for where in examples.judged_N:
            inner = torch.nn.functional.gelu(head.dense.weight @ hidden[where] + head.dense.bias)
            logit = float(head.dense_prediction.weight[0] @ inner + head.dense_prediction.bias[0])
            chance = 1 / (1 + math.exp(-logit))
            judged -= math.log(chance if shown[where] != original[where] else 1 - chance)
    return weight * judged + written / rate, written, judged


@pytest.mark.parametrize("sharing", ["shared", "disentangled", "none"])
@pytest.mark.parametrize("width", [0.25, 1.0])
def test_loss_equals_a_slow_formula(sharing: str, width: float) -> None:
    network = bert()
    objective = rtd(network, rate=0.3, weight=20.0, sharing=sharing, width=width)
    shake(network.extra)
    examples = objective.corrupt(MadeStream(7).next(6), seed=0, progress=0.5).to("cpu")
    loss = objective.loss(network, examples)
    whole, written, judged = by_hand(network, examples, 20.0, 0.3)
    assert float(loss.sum.detach()) == pytest.approx(whole, rel=1e-4)
    assert float(loss.parts["generator"].sum) == pytest.approx(written, rel=1e-4)
    assert float(loss.parts["discriminator"].sum) == pytest.approx(judged, rel=1e-4)
    assert loss.count == loss.parts["discriminator"].count == len(examples.judged_N) == examples.num_targets
    assert loss.parts["generator"].count == len(examples.where_T)
    apart = loss.parts["discriminator"].parts
    assert 0 < apart["replaced"].count <= len(examples.where_T)
    assert apart["replaced"].count + apart["original"].count == loss.count
    assert float(apart["replaced"].sum + apart["original"].sum) == pytest.approx(judged, rel=1e-4)


def test_every_ordinary_token_is_judged_and_no_other() -> None:
    batch = MadeStream(3).next(40)
    examples = rtd(rate=0.2).corrupt(batch, seed=0, progress=0.5)
    ordinary = (batch.segments_BL >= 0) & (batch.tokens_BL >= SPECIALS)
    assert np.array_equal(examples.judged_N, np.flatnonzero(ordinary))
    assert set(examples.where_T) <= set(examples.judged_N)
    assert len(np.unique(examples.draws_TK)) == len(examples.where_T)


def test_tokens_are_drawn_as_the_generator_predicts() -> None:
    states = torch.randn(1, 8, generator=torch.Generator().manual_seed(1)).expand(40_000, 8)
    weight = torch.randn(12, 8, generator=torch.Generator().manual_seed(2)) * 0.5
    numbers = torch.from_numpy(np.random.default_rng(0).random(40_000))
    counts = np.bincount(draw(states, weight, None, numbers), minlength=12)
    expected = 40_000 * (weight @ states[0]).softmax(0).numpy()
    assert ((counts - expected) ** 2 / expected).sum() < 40  # 11 degrees of freedom: p = 4e-5
    edges = torch.tensor([0.0, 1 - 2.0**-53], dtype=torch.float64)
    assert draw(states[:2], weight, None, edges).tolist() == [0, 11]


def test_the_share_of_replaced_tokens_is_what_the_generator_gets_wrong() -> None:
    """A generator that is sure of the right token replaces nothing: all labels are "original"."""
    network = bert()
    objective = rtd(network, sharing="none")
    batch = batch_of([[[2, 9, 9, 9, 9, 9, 9, 9, 3]]] * 30)
    with torch.no_grad():
        network.extra["rtd_generator"].output_bias[9] = 1e4
    loss = objective.loss(network, objective.corrupt(batch, seed=0, progress=0.5).to("cpu"))
    assert loss.parts["discriminator"].parts["replaced"].count == 0 < loss.parts["generator"].count


@pytest.mark.parametrize("sharing", ["shared", "disentangled", "none"])
def test_whose_loss_reaches_which_table(sharing: str) -> None:
    """With shared tables both losses train them; with disentangled ones the discriminator trains its difference."""
    reached: dict[str, set[str]] = {}
    for which, weight in (("generator", 0.0), ("both", 1.0)):
        network = bert()
        objective = rtd(network, sharing=sharing, weight=weight)
        objective.loss(network, objective.corrupt(MadeStream(0).next(8), seed=0, progress=0.5).to("cpu")).sum.backward()
        named = {name: p.grad for name, p in network.named_parameters() if name.endswith("embedding.weight")}
        reached[which] = {name for name, grad in named.items() if grad is not None and grad.abs().sum() > 0}
    generators = {
        f"extra.rtd_generator.{name}.weight" for name in ("embedding", "position_embedding", "type_embedding")
    }
    own = {f"{name}.own_embedding.weight" for name in ("embedding", "position_embedding")}
    shared = {"embedding.weight", "position_embedding.weight", "type_embedding.weight"}
    expected = {
        "shared": (shared, shared),
        "disentangled": (generators, generators | own | {"type_embedding.weight"}),
        "none": (generators, generators | shared),
    }[sharing]
    assert (reached["generator"], reached["both"]) == expected


def test_disentangled_tables_begin_and_end_as_the_network_computes() -> None:
    network, batch = bert(), MadeStream(1).next(3)
    tokens = torch.from_numpy(batch.tokens_BL)
    before = network.hidden(tokens)
    objective = rtd(network, sharing="disentangled")
    assert torch.equal(network.hidden(tokens), before)
    shake(network)
    trained = network.hidden(tokens)
    objective.export(network)
    assert torch.allclose(network.hidden(tokens), trained, atol=1e-5)
    assert set(dict(network.named_parameters())) == set(network.architecture.shapes())


@pytest.mark.parametrize("sharing", ["shared", "disentangled", "none"])
def test_saved_networks_are_electras(sharing: str, tmp_path: Path) -> None:
    """The discriminator's logits are those of transformers' class, the generator's too, and Seedbed reads both."""
    import transformers

    network = bert()
    objective = rtd(network, sharing=sharing, width=0.5, layers=0.5)
    shake(network.extra)
    tokens = torch.from_numpy(MadeStream(1).next(3).tokens_BL)
    hidden, generator = network.hidden(tokens), network.extra["rtd_generator"]
    wanted = network.extra["rtd_head"](hidden.flatten(0, 1)).view(3, -1)
    written = generator.logits(generator.hidden(tokens))
    objective.export(network)
    network.save(tmp_path)
    objective.save(tmp_path)
    found = transformers.ElectraForPreTraining.from_pretrained(tmp_path).eval()(tokens).logits
    assert torch.allclose(found, wanted, atol=1e-4)
    assert torch.allclose(Model(tmp_path).network().hidden(tokens), hidden, atol=1e-5)
    kind = transformers.AutoModelForMaskedLM.from_pretrained(tmp_path / "generator").eval()
    assert type(kind).__name__ == ("BertForMaskedLM" if sharing == "none" else "ElectraForMaskedLM")
    assert torch.allclose(kind(tokens).logits, written, atol=1e-4)


def test_a_generator_as_wide_as_the_network_needs_no_projection(tmp_path: Path) -> None:
    network = bert()
    objective = rtd(network, width=1.0, layers=0.5)
    generator = network.extra["rtd_generator"]
    assert not isinstance(generator, Projected) and len(generator.layers) == 1
    assert generator.embedding is network.embedding
    objective.export(network)
    objective.save(tmp_path)
    tokens = torch.from_numpy(MadeStream(1).next(3).tokens_BL)
    read = Model(tmp_path / "generator").network()
    assert torch.allclose(read.logits(read.hidden(tokens)), generator.logits(generator.hidden(tokens)), atol=1e-5)


def test_another_encoder_keeps_its_class_and_the_head_that_it_had(tmp_path: Path) -> None:
    network = network_of("bidirectional", 3)
    head = network.head_dense.weight.detach().clone()
    objective = rtd(network)
    assert network.head_dense is None, "detection does not train it"
    objective.export(network)
    network.save(tmp_path)
    objective.save(tmp_path)
    assert read_json(tmp_path / "config.json")["model_type"] == "modernbert"
    assert torch.equal(Model(tmp_path).network().head_dense.weight, head)
    assert (tmp_path / "detection_head.safetensors").is_file()
    assert read_json(tmp_path / "generator" / "config.json")["model_type"] == "seedbed-generator"
    with pytest.raises(InputError, match="seedbed-generator"):
        Model(tmp_path / "generator").network()


def test_size_of_the_generator() -> None:
    base = backbones.create("encoder", layers=12, width=768, heads=12, **BERT).architecture(SIZE)
    third = small_architecture(base, width=1 / 3, layers=1.0)  # ELECTRA-base
    assert (third.width, third.layers, third.heads, third.feedforward) == (256, 12, 4, 1024)
    tiny = small_architecture(base, width=0.05, layers=0.1)
    assert (tiny.width, tiny.layers, tiny.heads) == (40, 1, 1)


def test_flops_of_both_networks() -> None:
    network = bert()
    objective = rtd(network, rate=0.2, width=0.5)
    a, small = network.architecture, network.extra["rtd_generator"].architecture
    blocks = a.flops_per_token(16, 0.0) + small.flops_per_token(16, 0.0)
    products = 6 * (32 * 32 + 32) + 6 * 32 * 16 + 0.2 * (6 * 16 * 32 + 8 * 32 * SIZE)
    assert objective.flops_per_token(a, 16, 1.0) == pytest.approx(blocks + products)


def test_the_generators_loss_weighs_the_same_at_every_rate_and_nothing_at_none() -> None:
    network = bert()
    objective = rtd(network, rate={"linear": {"start": 0.4, "end": 0.0, "warmup": 0}}, weight=0.0)
    batch = MadeStream(1).next(30)
    for progress in (0.0, 0.5):
        loss = objective.loss(network, objective.corrupt(batch, seed=0, progress=progress).to("cpu"))
        written, rate = loss.parts["generator"], 0.4 * (1 - progress)
        assert float(loss.sum.detach()) == pytest.approx(float(written.sum) / rate, rel=1e-5)
    last = objective.loss(network, objective.corrupt(batch, seed=0, progress=1.0).to("cpu"))
    assert float(last.sum.detach()) == 0.0 and last.parts["generator"].count == 0


@pytest.mark.parametrize("sharing", ["disentangled", "none"])
def test_resumes_bitwise(sharing: str, tmp_path: Path) -> None:
    """`shared` is tested with all objectives."""
    resumed_equals_whole(tmp_path, lambda: {"objective": objectives.create("rtd", sharing=sharing), "steps": 6}, 5)


def test_the_log_has_both_losses(tmp_path: Path) -> None:
    from train_world import log_without_times, train

    train(tmp_path, "rtd", steps=2)
    line = log_without_times(tmp_path)[-1]
    expected = 50 * line["discriminator.loss"] + line["generator.loss"]  # but for the number of masked tokens
    assert line["loss"] == pytest.approx(expected, rel=0.1)
    assert {"discriminator.replaced.accuracy", "discriminator.original.loss", "generator.accuracy"} <= set(line)


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"width": 0.0}, "width: must lie above 0"),
        ({"layers": 1.5}, "layers: must lie above 0"),
        ({"weight": -1.0}, "weight: must be a number"),
        ({"rate": 0.0}, "rate: must lie above 0"),
        ({"sharing": "tied"}, "sharing"),
    ],
)
def test_bad_parameters_are_named(parameters: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        objectives.create("rtd", **parameters)


def test_what_it_does_not_go_with() -> None:
    network = bert(width_transfer=16)
    with pytest.raises(InputError, match="width_transfer"):
        rtd(network)
    run = make_run("rtd")
    examples = run.objective.corrupt(MadeStream(0).next(2), seed=0, progress=0.5)
    examples.added_TK = np.zeros((len(examples.where_T), 1), dtype=np.int64)
    with pytest.raises(InputError, match="interventions"):
        run.objective.loss(run.network, examples.to("cpu"))


@pytest.mark.parametrize("sharing", ["shared", "disentangled"])
@pytest.mark.parametrize("width", [0.25, 0.5])
def test_narrow_embeddings_are_shared_too(sharing: str, width: float) -> None:
    """ELECTRA-small's: tables of half the width, of which the generator's layers are as wide or need a projection."""
    network = bert(embedding_width=16)
    objective = rtd(network, rate=0.3, weight=20.0, sharing=sharing, width=width)
    assert isinstance(network.extra["rtd_generator"], Projected) == (width != 0.5)
    shake(network.extra)
    examples = objective.corrupt(MadeStream(7).next(3), seed=0, progress=0.5).to("cpu")
    assert float(objective.loss(network, examples).sum.detach()) == pytest.approx(
        by_hand(network, examples, 20.0, 0.3)[0], rel=1e-4
    )
