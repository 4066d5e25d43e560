"""Every initializer of `change_vocabulary`, for models of every kind, with tied and untied embeddings."""

from __future__ import annotations

import inspect
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from made_vocabularies import change_with, made_texts, make_corpus, make_model, make_tokenizer

from seedbed.core.errors import InputError
from seedbed.core.step import StepContext
from seedbed.models.artifact import Model
from seedbed.objectives import objectives
from seedbed.objectives.base import Outputs
from seedbed.surgery.initializer import initializers
from seedbed.surgery.tokenizer_hypernetwork.artifact import TokenizerHypernetwork
from seedbed.surgery.tokenizer_hypernetwork.train import train_tokenizer_hypernetwork
from seedbed.surgery.vocabulary.match import same_tokens
from seedbed.vectors.artifact import AlignedVectors
from seedbed.vectors.table import WordTable
from seedbed.vocabulary.artifact import Tokenizer

TEXTS = made_texts(number=30)
OTHER = made_texts(4, number=30)
OBJECTIVES = {"encoder": "mlm", "decoder": "clm", "encoder_decoder": "span_corruption"}
STYLES = {"encoder": "encoder", "decoder": "decoder", "encoder_decoder": "seq2seq"}
SMALL: dict[str, dict[str, Any]] = {
    "overlap": {"rest": initializers.create("subtokens")},
    "cw2v": {"steps": 3, "batch": 32, "rank": 4},
    "token_distillation": {"snippets": 1, "length": 12, "lr": 1e-2},
    "contextual_distillation": {"snippets": 1, "length": 12},
}
# By design these give every ordinary token a row of their own; within `overlap` the old rows are copied.
ALL_ANEW = {"random", "gaussian", "mean", "wechsel", "zett"}
EMBEDDINGS: dict[str, dict[str, Any]] = {
    "tied": {},
    "untied": {"tied": False},
    "factored": {"primitives": 8},
    "factored untied": {"primitives": 8, "tied": False},
}
WHOLE_ROWS = {"cw2v", "contextual_distillation"}  # which these need
TRAINING: dict[str, Any] = {"steps": 2, "mimicry": 1, "rows": 2, "length": 16, "size": 512, "subsample": 30}


@dataclass
class World:
    """What a kind of model is changed with; models and hypernetworks by their embeddings."""

    old: Tokenizer
    new: Tokenizer
    models: dict[str, Model]
    supplies: dict[str, dict[str, Any]]


@pytest.fixture(scope="module")
def worlds(tmp_path_factory: pytest.TempPathFactory) -> dict[str, World]:
    root, found = tmp_path_factory.mktemp("kinds"), {}
    corpus, texts = make_corpus(root / "corpus", OTHER), make_corpus(root / "texts", TEXTS)
    vectors = made_vectors(root / "vectors")
    for backbone, style in STYLES.items():
        old, new = (
            make_tokenizer(root / backbone / name, algorithm, some, style, size)
            for name, algorithm, some, size in (("old", "bpe", TEXTS, 460), ("new", "unigram", OTHER, 300))
        )
        models = {
            kind: make_model(root / f"{backbone} {kind}", backbone, old, **options)
            for kind, options in EMBEDDINGS.items()
        }
        supplies = {
            kind: {
                "corpus": corpus,
                "vectors": vectors,
                "hypernetwork": made_hypernetwork(root / f"h {backbone} {kind}", model, texts, OBJECTIVES[backbone]),
            }
            for kind, model in models.items()
        }
        found[backbone] = World(old, new, models, supplies)
    return found


def made_vectors(folder: Path) -> AlignedVectors:
    """Random ones for the words of both texts."""
    folder.mkdir()
    dice = np.random.default_rng(0)
    for name, texts in (("source", TEXTS), ("target", OTHER)):
        words = sorted({word.strip(".,").lower() for text in texts for word in text.split()})
        matrix = dice.standard_normal((len(words), 6)).astype(np.float32)
        WordTable(words, matrix, np.ones(len(words), np.int64), "", True).save(folder / name)
    return AlignedVectors(folder)


def made_hypernetwork(folder: Path, model: Model, corpus: Any, objective: str) -> TokenizerHypernetwork:
    folder.mkdir()
    context = StepContext(folder, "hypernetwork", {})
    given = {"corpus": corpus, "objective": objectives.create(objective), "precision": "fp32", "layers": 1}
    train_tokenizer_hypernetwork.function(context, model=model, **given, **TRAINING)  # type: ignore[arg-type]
    return TokenizerHypernetwork(folder)


def built(name: str, supplies: dict[str, Any]) -> Any:
    """An initializer, with what it needs of these."""
    target = initializers.get(name).target
    wanted = inspect.signature(target).parameters
    return target(**{key: value for key, value in supplies.items() if key in wanted}, **SMALL.get(name, {}))


@pytest.mark.parametrize("embeddings", EMBEDDINGS)
@pytest.mark.parametrize("backbone", list(STYLES))
@pytest.mark.parametrize("name", initializers.names())
def test_every_kind_of_model(
    name: str, backbone: str, embeddings: str, worlds: dict[str, World], tmp_path: Path
) -> None:
    world, tied = worlds[backbone], "untied" not in embeddings
    model, new = world.models[embeddings], world.new.vocabulary()
    method = built(name, world.supplies[embeddings])
    if name in WHOLE_ROWS and "factored" in embeddings:
        with pytest.raises(InputError, match=f"{name}: needs whole token embeddings"):
            change_with(model, world.new, tmp_path / "changed", method)
        return
    changed = change_with(model, world.new, tmp_path / "changed", method)
    before, after = dict(model.network().named_parameters()), dict(changed.network().named_parameters())
    same_N = same_tokens(world.old, world.new)
    kept_N = same_N >= 0
    assert 10 < (kept_N & ~new.special_V).sum() < (~new.special_V).sum() - 10
    if name in ALL_ANEW:
        kept_N &= new.special_V
    tables = ["embedding.weight"] if tied else ["embedding.weight", "output_embedding.weight"]
    assert ("output_embedding.weight" in after) is not tied
    for table in tables:
        rows_ND, old_VD = after[table], before[table]
        assert rows_ND.shape == (new.size, old_VD.shape[1]) and bool(torch.isfinite(rows_ND).all())
        assert torch.equal(rows_ND[kept_N], old_VD[same_N[kept_N]])
        assert not torch.equal(rows_ND[~kept_N], old_VD[: (~kept_N).sum()])
    assert tied or not torch.equal(after[tables[0]], after[tables[1]])
    others = before.keys() - {*tables, "output_bias"}
    assert before.keys() == after.keys() and all(torch.equal(before[path], after[path]) for path in others)
    check_pass(changed, world, backbone)


@torch.no_grad()
def check_pass(changed: Model, world: World, backbone: str) -> None:
    """The model reads a text of the new tokenizer, as does the decoder; where it begins is the same token."""
    network, new = changed.network(), world.new.vocabulary()
    ids = torch.tensor([world.new.load().encode(OTHER[0]).ids])
    if backbone == "encoder_decoder":
        assert network.architecture.special["decoder_start"] == new.pad
        assert network.stock is None or changed.configuration["decoder_start_token_id"] == new.pad
        hidden = network.decoded(ids, None, None, Outputs(torch.tensor([[new.pad, *ids[0, :5].tolist()]]), None, None))
    else:
        hidden = network.hidden(ids)
    logits = network.logits(hidden)
    assert logits.shape == (*hidden.shape[:2], new.size) and bool(torch.isfinite(logits).all())


@pytest.mark.parametrize("backbone", list(STYLES))
@pytest.mark.parametrize("name", sorted(ALL_ANEW))
def test_old_rows_are_copied_within_overlap(name: str, backbone: str, worlds: dict[str, World], tmp_path: Path) -> None:
    """Those of initializers that give all tokens new rows."""
    world = worlds[backbone]
    method = initializers.get("overlap").target(rest=built(name, world.supplies["untied"]))
    changed = change_with(world.models["untied"], world.new, tmp_path / "changed", method).network()
    before, same_N = world.models["untied"].network(), same_tokens(world.old, world.new)
    kept_N = same_N >= 0
    for path in ("embedding", "output_embedding"):
        rows_ND = getattr(changed, path).weight
        assert torch.equal(rows_ND[kept_N], getattr(before, path).weight[same_N[kept_N]])


@pytest.mark.parametrize("backbone", list(STYLES))
def test_a_hypernetwork_is_for_tied_or_for_untied_embeddings(
    backbone: str, worlds: dict[str, World], tmp_path: Path
) -> None:
    """The one combination that is refused."""
    world = worlds[backbone]
    method = initializers.get("zett").target(world.supplies["tied"]["hypernetwork"])
    with pytest.raises(ValueError, match="hypernetwork: was trained for another model: other embeddings"):
        change_with(world.models["untied"], world.new, tmp_path / "changed", method)
