"""More positions than a model was trained with: rows by hand, and models there and back."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from made_vocabularies import made_texts, make_tokenizer

from seedbed.core.errors import InputError
from seedbed.core.files import read_json, write_json
from seedbed.models import backbones
from seedbed.models.artifact import Model
from seedbed.models.save import save_model
from seedbed.recipe.execute import workspace
from seedbed.surgery.positions.extend import extend_positions
from seedbed.surgery.positions.rule import position_rules

BERT = {"norm": "post", "positions": "learned", "gated": False, "bias": True, "norm_eps": 1e-12}
BART = {"norm": "post", "positions": "learned", "gated": False, "activation": "gelu", "bias": True}
SHAPE = {"layers": 2, "width": 16, "heads": 2, "max_length": 12, "kernel": "products"}


def table(rows: int = 5, width: int = 3) -> torch.Tensor:
    return torch.from_numpy(np.random.default_rng(0).standard_normal((rows, width)).astype(np.float32))


def test_tile_by_hand() -> None:
    old = table()
    new = position_rules.create("tile").extend(old, 12)
    for place in range(12):
        assert torch.equal(new[place], old[(5 + place) % 5])


@pytest.mark.parametrize("end", [0.0, 0.5, 1.0])
def test_taper_by_hand(end: float) -> None:
    old = table()
    new = position_rules.create("taper", end=end).extend(old, 12)
    mean = [sum(float(row[column]) for row in old) / 5 for column in range(3)]
    for place in range(12):
        weight = 1 + (end - 1) * (place + 1) / 12
        for column in range(3):
            wanted = mean[column] + weight * (float(old[place % 5][column]) - mean[column])
            assert float(new[place, column]) == pytest.approx(wanted, abs=1e-6)
    if end == 1:
        torch.testing.assert_close(new, position_rules.create("tile").extend(old, 12))
    if end < 1:
        assert len(np.unique(np.round(torch.cat((old, new)).numpy(), 6), axis=0)) == 17, "no two are the same"


def test_random_has_the_moments_of_the_old_ones_and_its_own_seed() -> None:
    old = table(400) * torch.tensor([1.0, 2.0, 0.1]) + torch.tensor([0.0, 5.0, -1.0])
    new = position_rules.create("random").extend(old, 4000)
    torch.testing.assert_close(new.mean(0), old.mean(0), atol=0.15, rtol=0)
    torch.testing.assert_close(new.std(0), old.std(0), rtol=0.05, atol=0)
    assert torch.equal(new, position_rules.create("random").extend(old, 4000))
    assert not torch.equal(new, position_rules.create("random", seed=1).extend(old, 4000))


@pytest.fixture(scope="module")
def bert(tmp_path_factory: pytest.TempPathFactory) -> Model:
    """A plain folder of Hugging Face's, with a tokenizer that knows its model's length."""
    folder = tmp_path_factory.mktemp("bert")
    tokenizer = make_tokenizer(folder / "tokenizer", "wordpiece", made_texts(), style="encoder", size=120)
    network = backbones.create("encoder", **SHAPE, **BERT).network(tokenizer.vocabulary().size, 1, pad=0)
    save_model(network, tokenizer.path, folder / "model", {})
    path = folder / "model" / "tokenizer_config.json"
    write_json(path, {**read_json(path), "model_max_length": 12})
    return Model.open(folder / "model")


@pytest.fixture(scope="module")
def longer(bert: Model, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    with workspace(tmp_path_factory.mktemp("runs")):
        return {name: extend_positions(model=bert, length=30, rule=name) for name in position_rules.names()}


@pytest.mark.parametrize("name", position_rules.names())
def test_short_texts_have_the_logits_that_they_had(name: str, bert: Model, longer: dict[str, Any]) -> None:
    before, after = bert.network(), longer[name].network()
    tokens = torch.arange(5, 17)[None]
    with torch.no_grad():
        ours = before.logits(before.hidden(tokens)[0])
        assert torch.equal(ours, after.logits(after.hidden(tokens)[0]))
    with pytest.raises(InputError, match="above max_length"):
        before.hidden(torch.arange(5, 18)[None])
    assert longer[name].counts["length"] == 30 and longer[name].counts["old_length"] == 12
    rest = dict(before.named_parameters())
    for parameter_name, parameter in after.named_parameters():
        assert torch.equal(parameter[: rest[parameter_name].shape[0]], rest[parameter_name]), parameter_name


@pytest.mark.parametrize("name", position_rules.names())
def test_transformers_reads_it_and_computes_the_same(name: str, longer: dict[str, Any]) -> None:
    from transformers import AutoModelForMaskedLM, AutoTokenizer

    theirs = AutoModelForMaskedLM.from_pretrained(longer[name].path).eval()
    assert type(theirs).__name__ == "BertForMaskedLM" and theirs.config.max_position_embeddings == 30
    assert AutoTokenizer.from_pretrained(longer[name].path).model_max_length == 30
    ours = longer[name].network()
    tokens = (5 + torch.arange(30) % 20)[None]
    with torch.no_grad():
        torch.testing.assert_close(theirs(tokens).logits[0], ours.logits(ours.hidden(tokens)[0]), rtol=1e-4, atol=1e-4)


def test_our_own_format(tmp_path: Path, bert: Model) -> None:
    """Learned positions in a network that no stock class is."""
    network = backbones.create("encoder", **SHAPE, positions="learned").network(40, 1, pad=0)
    save_model(network, bert.path, tmp_path / "own", {})
    with workspace(tmp_path / "runs"):
        made = extend_positions(model=Model.open(tmp_path / "own"), length=13, rule="tile")
    assert made.network().position_embedding.weight.shape == (13, 16) and made.network().stock is None


@pytest.mark.parametrize("name", position_rules.names())
def test_rows_that_no_position_has_stay_before_the_others(name: str, bert: Model, tmp_path: Path) -> None:
    """RoBERTa's, of which the rules see nothing."""
    from transformers import AutoModelForMaskedLM

    network = backbones.create("roberta", **SHAPE).network(40, 1, pad=0)
    save_model(network, bert.path, tmp_path / "roberta", {})
    with workspace(tmp_path / "runs"):
        made = extend_positions(model=Model.open(tmp_path / "roberta"), length=30, rule=name)
    before, after = network.position_embedding.weight, made.network().position_embedding.weight
    assert torch.equal(after[:13], before)
    assert torch.equal(after[13:], position_rules.create(name).extend(before[1:], 18))
    theirs = AutoModelForMaskedLM.from_pretrained(made.path).eval()
    assert type(theirs).__name__ == "RobertaForMaskedLM" and theirs.config.max_position_embeddings == 31
    ours, tokens = made.network(), (5 + torch.arange(30) % 20)[None]
    with torch.no_grad():
        torch.testing.assert_close(theirs(tokens).logits[0], ours.logits(ours.hidden(tokens)[0]), rtol=1e-4, atol=1e-4)


def test_full_attention_becomes_block_sparse(tmp_path: Path, bert: Model) -> None:
    """The same weights and another mask, with which texts of one block have the logits that they had."""
    with workspace(tmp_path / "runs"):
        made = extend_positions(model=bert, length=30, sparse={"block": 4, "global": 0, "window": 0, "random": 0})
    sparse, full = made.network(), bert.network()
    assert sparse.architecture.sparse == {"block": 4, "global": 0, "window": 0, "random": 0}
    tokens = torch.arange(8)[None] + 5
    close = [
        torch.allclose(*(n.logits(n.hidden(tokens[:, :length])) for n in (sparse, full)), atol=1e-5)
        for length in (4, 8)
    ]
    assert close == [True, False]


def test_bad_input(tmp_path: Path, bert: Model) -> None:
    network = backbones.create("encoder", **SHAPE).network(40, 1, pad=0)
    save_model(network, bert.path, tmp_path / "rotary", {})
    with workspace(tmp_path / "runs"):
        with pytest.raises(InputError, match="no table of positions: they are 'rope'"):
            extend_positions(model=Model.open(tmp_path / "rotary"), length=30)
        network = backbones.create("encoder_decoder", **SHAPE, **BART).network(40, 1, pad=0)
        save_model(network, bert.path, tmp_path / "bart", {})
        with pytest.raises(InputError, match="is an encoder-decoder"):
            extend_positions(model=Model.open(tmp_path / "bart"), length=30)
        with pytest.raises(InputError, match="length: must be above the model's own"):
            extend_positions(model=bert, length=12)
        with pytest.raises(InputError, match="end: must lie between 0 and 1"):
            extend_positions(model=bert, length=30, rule={"taper": {"end": 2.0}})
