"""Side channels in a run: whose they are, the control, the same after a kill, and an ordinary model in the end."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
import transformers
from interruption import resumed_equals_whole
from made_characters import character_tokenizer, characters, looks_and_sounds, tables
from pretrain_world import ENCODER, World
from train_world import SIZE, SPECIALS, train, weights

from seedbed.core.errors import InputError
from seedbed.models import backbones
from seedbed.recipe.execute import Workspace
from seedbed.recipe.plan import make_plan
from seedbed.recipe.recipe import Recipe
from seedbed.train import accounting
from seedbed.train.hooks.side_channels import SideChannels
from seedbed.vocabulary.artifact import Tokenizer

TOKENS = characters(SIZE - SPECIALS)
KNOWN = TOKENS[:40]


@pytest.fixture(scope="module")
def tokenizer(tmp_path_factory: pytest.TempPathFactory) -> Tokenizer:
    return character_tokenizer(tmp_path_factory.mktemp("tokenizer") / "made", TOKENS)


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    return tables(tmp_path_factory.mktemp("tables"), KNOWN)


class Told(SideChannels):
    """One that is told of this tokenizer, whatever the run's is."""

    its: Tokenizer

    def on_data(self, sources: Any, tokenizer: Any) -> None:
        super().on_data(sources, self.its)


def made(tokenizer: Tokenizer, files: dict[str, Any], **options: Any) -> SideChannels:
    found = Told(**{**files, **options})
    found.its = tokenizer
    return found


def prepared(method: SideChannels, seed: int = 3, size: int = SIZE) -> Any:
    network = backbones.create("encoder", layers=1, width=16, heads=2, max_length=16).network(size, 3, pad=0)
    method.on_data(None, None)  # type: ignore[arg-type]
    method.prepare(network, seed)
    return network


def test_each_token_has_its_own_glyph_and_sound(tokenizer: Tokenizer, files: dict[str, Any]) -> None:
    network = prepared(made(tokenizer, files), size=SIZE + 3)
    known = looks_and_sounds(KNOWN)
    alphabet = sorted(set("".join(known["sound"].values())))
    assert network.embedding.glyphs_VG.shape == (SIZE + 3, 12)
    for index, token in enumerate([*tokenizer.vocabulary().tokens, "", "", ""]):
        pixels = [255 * (mark == "#") for mark in known["glyph"].get(token, "." * 12) if mark != "/"]
        letters = [alphabet.index(letter) + 1 for letter in known["sound"].get(token, "")]
        assert network.embedding.glyphs_VG[index].tolist() == pixels
        assert network.embedding.sounds_V8[index].tolist() == letters + [0] * (8 - len(letters))
    alone = prepared(made(tokenizer, files, sounds=None))
    assert alone.embedding.sound is None and alone.embedding.fusion.weight.shape == (16, 32)
    alone = prepared(made(tokenizer, files, glyphs=None))
    assert alone.embedding.glyph is None and alone.embedding.fusion.weight.shape == (16, 32)


def test_the_control_has_the_same_channels_at_other_tokens(tokenizer: Tokenizer, files: dict[str, Any]) -> None:
    true = prepared(made(tokenizer, files)).embedding
    false = prepared(made(tokenizer, files, shuffled=True)).embedding
    pairs = [
        [(tuple(g.tolist()), tuple(s.tolist())) for g, s in zip(one.glyphs_VG, one.sounds_V8, strict=True)]
        for one in (true, false)
    ]
    assert sorted(pairs[0]) == sorted(pairs[1]), "a glyph keeps the sound that it has"
    assert sum(one != other for one, other in zip(*pairs, strict=True)) > 30
    assert pairs[0][:5] == pairs[1][:5] and pairs[0][45:] == pairs[1][45:], "tokens without stay without"
    again = prepared(made(tokenizer, files, shuffled=True)).embedding
    other = prepared(made(tokenizer, files, shuffled=True), seed=4).embedding
    assert torch.equal(false.glyphs_VG, again.glyphs_VG) and not torch.equal(false.glyphs_VG, other.glyphs_VG)


@pytest.mark.parametrize("shuffled", [False, True])
def test_resuming_is_bitwise(shuffled: bool, tokenizer: Tokenizer, files: dict[str, Any], tmp_path: Path) -> None:
    whole = resumed_equals_whole(
        tmp_path, lambda: {"interventions": [made(tokenizer, files, shuffled=shuffled)], "steps": 8}, 5, 7
    )
    trained = weights(whole)
    names = ["weight", "glyph.weight", "letters.weight", "sound.weight", "fusion.weight", "fusion.bias"]
    assert [name for name in trained if name.startswith("embedding.")] == [f"embedding.{name}" for name in names]
    assert all(trained[f"embedding.{name}"].any() for name in names), "everything is learned"


def test_what_is_computed_does_not_depend_on_micro_batches(tokenizer: Tokenizer, files: dict[str, Any]) -> None:
    """Each of them has other tokens, for which the fusion is computed."""
    runs = [train(None, interventions=[made(tokenizer, files)], steps=4, micro_tokens=micro) for micro in (16, 48, 128)]
    for run in runs[1:]:
        for name, value in weights(run).items():
            torch.testing.assert_close(value, weights(runs[0])[name], atol=2e-5, rtol=1e-3)


def test_flops_count_the_layers_at_every_position(tokenizer: Tokenizer, files: dict[str, Any]) -> None:
    method = made(tokenizer, files)
    network = prepared(method)
    plain = accounting.flops_per_token(network.architecture, [], 16)
    assert accounting.flops_per_token(network.architecture, [method], 16) - plain == 6 * (16 * 48 + 12 * 16)
    assert made(tokenizer, files).added_flops() == 0, "a plan does not read the tables"


def test_in_a_recipe(world: World, tmp_path: Path) -> None:
    script = {"script": {"documents": 60, "characters": 200}}
    algorithm = {"characters": {"byte_fallback": False}}
    steps = world.run(
        {
            "texts": {"generate": {"world": script, "split": {"test": 0.1}}},
            "letters": {"train_tokenizer": {"corpus": "texts", "size": 400, "algorithm": algorithm}},
        }
    )
    settings = {"tokenizer": steps["letters"], "data": {steps["texts"]: 1.0}, "validate_every": 0, "budget": "6 steps"}
    on = {"glyphs": steps["texts"], "sounds": str(steps["texts"].path / "truth" / "sounds.jsonl")}
    model = world.pretrain(interventions=[{"side_channels": on}], **settings)
    off = world.pretrain(**settings)
    network = model.network()
    assert not network.architecture.tied and off.network().architecture.tied
    assert model.counts["parameters"] - off.counts["parameters"] == network.output()[0].numel()
    added = model.counts["trainable_parameters"] - off.counts["trainable_parameters"]
    letters = len(set("".join(row["sound"] for row in rows_of(steps["texts"], "sounds")))) + 1
    assert added == 32 * 144 + letters * 128 + 64 * 128 + 32 * 96 + 32
    assert model.counts["flops"] > off.counts["flops"]
    assert not torch.equal(network.embedding.weight, network.output()[0])

    tokens = torch.arange(5, 25)[None]
    stock = transformers.AutoModelForMaskedLM.from_pretrained(model.path).eval()
    torch.testing.assert_close(stock(tokens).logits, network.logits(network.hidden(tokens)), atol=1e-4, rtol=1e-4)
    assert transformers.AutoTokenizer.from_pretrained(model.path).encode(rows_of(steps["texts"], "sounds")[40]["token"])

    # going on with channels begins as the model is: without an update nothing has changed
    frozen = {"data": settings["data"], "validate_every": 0, "budget": "1 steps", "optimizer": {"adamw": {"lr": 1e-12}}}
    again = world.pretrain(model=model, tokenizer=None, interventions=[{"side_channels": on}], **frozen)
    both = [one.network() for one in (model, again)]
    for one in both:
        one.use_kernel("products")
    torch.testing.assert_close(*(one.logits(one.hidden(tokens)[0]) for one in both), atol=1e-5, rtol=1e-5)

    branch = {"branch": "last", "schedule": "linear", "interventions": [{"side_channels": on}]}
    with pytest.raises(InputError, match="holds another network"):
        world.pretrain(model=model, tokenizer=None, **branch, **frozen)


def test_a_plan_needs_no_table(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither one of a step that has not run."""
    monkeypatch.setattr("seedbed.train.plan._tokens_per_second", lambda *_: 1e3)
    steps = {
        "texts": {"generate": {"world": {"script": {"documents": 40}}}},
        "letters": {"train_tokenizer": {"corpus": "texts", "size": 400}},
        "model": {
            "pretrain": {
                "model": ENCODER,
                "tokenizer": "letters",
                "data": {"texts": 1.0},
                "budget": "10k tokens",
                "interventions": [{"side_channels": {"glyphs": "texts", "sounds": "texts"}}],
            }
        },
    }
    plan = make_plan(Recipe("planned", steps, seed=3), Workspace(world.root / "runs").store)
    assert plan.estimate(plan["model"]).duration() == pytest.approx(10)


def rows_of(corpus: Any, name: str) -> list[dict[str, Any]]:
    lines = (corpus.path / "truth" / f"{name}.jsonl").read_text(encoding="utf8").splitlines()
    return [json.loads(line) for line in lines]


def test_bad_input(world: World, tokenizer: Tokenizer, files: dict[str, Any]) -> None:
    with pytest.raises(InputError, match="neither glyphs nor sounds"):
        SideChannels(None)
    with pytest.raises(InputError, match=r"glyphs: has no truth/glyphs\.jsonl"):
        world.pretrain(model=ENCODER, interventions=[{"side_channels": {"glyphs": world["news"]}}])
    with pytest.raises(InputError, match="sounds: knows no token of the vocabulary"):
        world.pretrain(
            model=ENCODER, interventions=[{"side_channels": {"glyphs": None, "sounds": str(files["sounds"])}}]
        )
    with pytest.raises(InputError, match="no file has this path"):
        world.pretrain(model=ENCODER, interventions=[{"side_channels": {"glyphs": "nowhere.tsv"}}])
