"""The step `train_tokenizer_hypernetwork`, and `change_vocabulary` by what it gives."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from made_vocabularies import change_with, made_texts, make_change, make_corpus, make_model, make_tokenizer

from seedbed.core.errors import InputError
from seedbed.core.step import StepContext
from seedbed.objectives import objectives
from seedbed.surgery.initializer import initializers
from seedbed.surgery.tokenizer_hypernetwork.artifact import TokenizerHypernetwork
from seedbed.surgery.tokenizer_hypernetwork.network import arrays
from seedbed.surgery.tokenizer_hypernetwork.train import train_tokenizer_hypernetwork
from seedbed.surgery.vocabulary.pieces import decompose

TEXTS = made_texts()
OTHER = made_texts(4)
SMALL = {"steps": 20, "mimicry": 20, "lr": 5e-3, "rows": 4, "length": 24, "size": 512, "subsample": 60, "layers": 1}


def train(folder: Path, model: Any, objective: Any = "clm", **parameters: Any) -> TokenizerHypernetwork:
    """The step, without a store; its counts are an attribute."""
    folder.mkdir(parents=True)
    (folder / "made").mkdir()
    corpus = make_corpus(folder / "corpus", TEXTS)
    lines: list[str] = []
    context = StepContext(folder / "made", "hypernetwork", {}, say=lines.append)
    built = objectives.parse(objective).build()
    given = {"corpus": corpus, "objective": built, "precision": "fp32", **SMALL, **parameters}
    train_tokenizer_hypernetwork.function(context, model=model, **given)  # type: ignore[arg-type]
    found = TokenizerHypernetwork(folder / "made")
    found.seen, found.lines = context.counts, lines  # type: ignore[attr-defined]
    return found


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """An untied decoder and a tied encoder."""
    root, found = tmp_path_factory.mktemp("models"), {}
    for backbone, kind in (("decoder", "bpe"), ("encoder", "wordpiece")):
        old = make_tokenizer(root / backbone / "old", kind, TEXTS, backbone)
        found[backbone] = make_model(root / backbone / "model", backbone, old, tied=backbone == "encoder")
    return found


@pytest.mark.parametrize(("backbone", "objective"), [("decoder", "clm"), ("encoder", "mlm")])
@pytest.mark.parametrize("residual", [False, True], ids=["mimicry", "residual"])
def test_a_hypernetwork_learns_what_a_model_wants(
    backbone: str, objective: str, residual: bool, models: dict[str, Any], tmp_path: Path
) -> None:
    model = models[backbone]
    made = train(tmp_path / "h", model, objective, residual=residual, steps=50)
    counts = made.seen  # type: ignore[attr-defined]
    assert counts["held_out"]["loss"] < counts["held_out"]["loss_of_pieces"] - 0.05, counts
    assert counts["steps"] == 50 and 50 * 4 * 24 >= counts["tokens"] > 50 * 4 * 12 and counts["flops"] > 1e7
    assert len(counts["mimicry"]) == (0 if residual else 2)
    assert residual or counts["mimicry"][1] < 0.8 * counts["mimicry"][0]
    new = make_tokenizer(tmp_path / "new", "unigram", OTHER, backbone, 300)
    change = make_change(model, new)
    found = initializers.get("zett").target(made).initialize(change)
    predictor = made.predictor(change.old, change.embeddings)
    pieces_P, token_P = decompose(change)
    for number in range(20, 300, 31):
        pieces = [int(index) for index in pieces_P[token_P == number]]
        alone = predictor.predict(*arrays([pieces]), 1, change.embeddings)
        for name, rows in found.items():
            assert torch.allclose(rows[number], alone[name][0], atol=1e-4), (name, number)
    changed = change_with(model, new, tmp_path / "changed", initializers.get("zett").target(made))
    plain = torch.from_numpy(~new.vocabulary().special_V)
    assert torch.equal(changed.network().embedding.weight[plain], found["input"][plain])


@pytest.fixture(scope="module")
def writer(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """An untied encoder-decoder with sentinels."""
    root = tmp_path_factory.mktemp("writer")
    old = make_tokenizer(root / "old", "bpe", TEXTS, "seq2seq", 460)
    return make_model(root / "model", "encoder_decoder", old, tied=False)


def test_an_encoder_decoder(writer: Any, tmp_path: Path) -> None:
    """It learns by span corruption, and gives the model another vocabulary, in which sentinels have their old rows."""
    made = train(tmp_path / "h", writer, "span_corruption", residual=True, steps=25)
    counts = made.seen  # type: ignore[attr-defined]
    assert counts["held_out"]["loss"] < counts["held_out"]["loss_of_pieces"] - 0.02, counts
    assert 25 * 4 * 24 >= counts["tokens"] > 25 * 4 * 12 and counts["flops"] > 1e6
    new = make_tokenizer(tmp_path / "new", "unigram", OTHER, "seq2seq", 300)
    zett = initializers.get("zett").target(made)
    found = zett.initialize(make_change(writer, new))
    changed = change_with(writer, new, tmp_path / "changed", zett).network()
    plain = torch.from_numpy(~new.vocabulary().special_V)
    for name, table, old in (
        ("input", changed.embedding, writer.network().embedding),
        ("output", changed.output_embedding, writer.network().output_embedding),
    ):
        assert torch.equal(table.weight[plain], found[name][plain])
        sentinels = list(new.vocabulary().sentinels), list(writer.tokenizer().vocabulary().sentinels)
        assert len(sentinels[0]) == 100 and torch.equal(table.weight[sentinels[0]], old.weight[sentinels[1]])


@pytest.mark.parametrize(
    ("objective", "message"),
    [
        ("clm", "objective: trains networks with causal attention.*span_corruption for an encoder-decoder"),
        ("mlm", "objective: trains networks with bidirectional attention.*span_corruption"),
        ("ul2", "objective: does not only predict tokens of plain texts"),
        ({"back_translation": {"languages": {"a": "<a>", "b": "<b>"}}}, "objective: does not only predict tokens"),
        ({"span_corruption": {"mode": "[X]"}}, "mode: the tokenizer has no such token"),
    ],
    ids=["clm", "mlm", "ul2", "back_translation", "mode"],
)
def test_what_does_not_train_an_encoder_decoder(objective: Any, message: str, writer: Any, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="(?s)" + message):
        train(tmp_path / "h", writer, objective)


def test_an_encoder_decoder_without_sentinels(tmp_path: Path) -> None:
    """Is refused before the corpus is read."""
    old = make_tokenizer(tmp_path / "old", "bpe", TEXTS, "decoder")
    model = make_model(tmp_path / "model", "encoder_decoder", old)
    with pytest.raises(InputError, match="span_corruption: the tokenizer has no sentinels"):
        train(tmp_path / "h", model, "span_corruption", corpus=None)


def test_the_same_again(models: dict[str, Any], tmp_path: Path) -> None:
    one, two, other = (
        train(tmp_path / f"{n}", models["decoder"], seed=seed, steps=5) for n, seed in enumerate((1, 1, 2))
    )
    files = [(one.path / name).read_bytes() for name in ("hypernetwork.safetensors", "hypernetwork.json")]
    assert files == [(two.path / name).read_bytes() for name in ("hypernetwork.safetensors", "hypernetwork.json")]
    assert files[0] != (other.path / "hypernetwork.safetensors").read_bytes()
    assert one.seen["loss"] == two.seen["loss"] != other.seen["loss"]  # type: ignore[attr-defined]


def test_it_belongs_to_a_model(models: dict[str, Any], tmp_path: Path) -> None:
    made = train(tmp_path / "h", models["decoder"], steps=1, mimicry=1)
    zett = initializers.get("zett").target(made)
    new = make_tokenizer(tmp_path / "new", "bpe", OTHER)
    with pytest.raises(InputError, match="hypernetwork: was trained for another model: another tokenizer"):
        zett.initialize(
            make_change(make_model(tmp_path / "m", "decoder", new, tied=False), models["decoder"].tokenizer())
        )
    tied = make_model(tmp_path / "tied", "decoder", models["decoder"].tokenizer())
    with pytest.raises(InputError, match="another model: other embeddings"):
        zett.initialize(make_change(tied, new))
    tuned = make_model(tmp_path / "tuned", "decoder", models["decoder"].tokenizer(), tied=False)
    network = tuned.network()
    change = make_change(tuned, new)
    change.embeddings["input"] = network.embedding.weight.detach() + 0.01
    moved, there = (zett.initialize(one)["input"] for one in (change, make_change(tuned, new)))
    assert not torch.equal(moved, there), "it reads the embeddings that the model has"


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"size": 300}, "size: must be at least 512"),
        ({"length": 4}, "length: must be at least 8"),
        ({"lr": 0.0}, "lr: must be above 0"),
        ({"noise": (-1.0, 1.0)}, "noise: must be two numbers"),
        ({"layers": 0}, "layers: must be at least 1"),
        ({"lr": 1e30}, "lr: the loss of .* is not finite"),
        ({"objective": "mlm"}, "objective: trains networks with bidirectional attention"),
    ],
)
def test_bad_settings(parameters: dict[str, Any], message: str, models: dict[str, Any], tmp_path: Path) -> None:
    with pytest.raises(InputError, match=message):
        train(tmp_path / "h", models["decoder"], **parameters)


def test_an_empty_corpus(models: dict[str, Any], tmp_path: Path) -> None:
    with pytest.raises(InputError, match="corpus: holds no text to train on"):
        train(tmp_path / "h", models["decoder"], corpus=make_corpus(tmp_path / "c", [" "]))


def test_a_recipe(models: dict[str, Any], tmp_path: Path) -> None:
    """Planned with its cost, and run, through recipe and store."""
    from seedbed.recipe.execute import Workspace, run_plan
    from seedbed.recipe.plan import make_plan
    from seedbed.recipe.recipe import Recipe

    corpus = make_corpus(tmp_path / "corpus", OTHER)
    given = {**SMALL, "noise": [1e-4, 1.0], "precision": "fp32", "hidden": 16}
    model = str(models["decoder"].path)
    zett = {"zett": {"hypernetwork": "h"}}
    steps: dict[str, Any] = {
        "t": {"train_tokenizer": {"corpus": str(corpus.path), "size": 320, "style": "decoder", "algorithm": "bpe"}},
        "h": {"train_tokenizer_hypernetwork": {"model": model, "corpus": str(corpus.path), **given}},
        "changed": {"change_vocabulary": {"model": model, "tokenizer": "t", "method": {"overlap": {"rest": zett}}}},
    }
    plan = make_plan(Recipe("r", steps, seed=1), Workspace(tmp_path / "runs").store)
    estimate = plan.estimate(plan["h"])
    assert estimate.tokens == 20 * 4 * 24 and "2.2 pieces" in estimate.notes
    made: dict[str, Any] = run_plan(plan, say=lambda line: None)  # type: ignore[assignment]
    assert made["changed"].counts["new_tokens"] == made["t"].counts["size"]
    change = make_change(models["decoder"], made["t"])
    predictor = made["h"].predictor(change.old, change.embeddings)
    assert made["h"].counts["parameters"] == sum(parameter.numel() for parameter in predictor.parameters())
    facts = json.loads((made["h"].path / "hypernetwork.json").read_text())
    assert facts["sizes"]["hidden"] == 16 and facts["sizes"]["tables"] == ["input", "output"]
