"""Encoders with a decoder: which weight is whose, and what the encoder computes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from made_vocabularies import made_texts, make_tokenizer

from seedbed.core.errors import InputError
from seedbed.models import backbones
from seedbed.models.artifact import Model
from seedbed.models.save import save_model
from seedbed.objectives.base import Outputs
from seedbed.recipe.execute import workspace
from seedbed.surgery.attach import attach_decoder

SHAPE = {"layers": 4, "width": 16, "heads": 2, "max_length": 24, "kernel": "products"}
KINDS: dict[str, dict[str, Any]] = {
    "bert": {"norm": "post", "positions": "learned", "gated": False, "bias": True, "norm_eps": 1e-12},
    "modern": {},
}


@pytest.fixture(scope="module")
def encoders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Model]:
    folder = tmp_path_factory.mktemp("encoders")
    tokenizer = make_tokenizer(folder / "tokenizer", "bpe", made_texts(), style="encoder", size=300)
    found = {}
    for name, settings in KINDS.items():
        network = backbones.create("encoder", **SHAPE, **settings).network(tokenizer.vocabulary().size, 1, pad=0)
        with torch.no_grad():
            for parameter in network.parameters():  # so that no two are equal
                parameter.add_(
                    torch.rand(parameter.shape, generator=torch.Generator().manual_seed(parameter.numel())) / 9
                )
        save_model(network, tokenizer.path, folder / name, {})
        found[name] = Model.open(folder / name)
    return found


def attached(model: Model, folder: Path, **given: Any) -> Any:
    with workspace(folder):
        return attach_decoder(model=model, **given)


def values(network: Any) -> dict[str, torch.Tensor]:
    return {name: parameter.detach() for name, parameter in network.named_parameters()}


@pytest.mark.parametrize("kind", KINDS)
def test_the_encoder_computes_what_it_did(kind: str, encoders: dict[str, Model], tmp_path: Path) -> None:
    made = attached(encoders[kind], tmp_path).network()
    tokens = torch.randint(5, 200, (2, 9), generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        close = {"atol": 2e-3, "rtol": 0} if kind == "bert" else {}  # the number in BART's norms is larger
        torch.testing.assert_close(made.hidden(tokens), encoders[kind].network().hidden(tokens), **close)
    assert made.stock == ("bart" if kind == "bert" else None)


def test_bert_becomes_bart(encoders: dict[str, Model], tmp_path: Path) -> None:
    from transformers import AutoModelForSeq2SeqLM

    made = attached(encoders["bert"], tmp_path, layers=2)
    theirs, ours = AutoModelForSeq2SeqLM.from_pretrained(made.path).eval(), made.network()
    tokens = torch.randint(5, 200, (2, 9), generator=torch.Generator().manual_seed(0))
    written = torch.cat((torch.full((2, 1), ours.architecture.special["decoder_start"]), tokens[:, :4]), 1)
    with torch.no_grad():
        logits = theirs(input_ids=tokens, decoder_input_ids=written).logits
        states = ours.decoded(tokens, None, None, Outputs(written, None, None))
        torch.testing.assert_close(ours.logits(states), logits, atol=1e-4, rtol=0)


@pytest.mark.parametrize("pad", [0, 1, 5])
def test_roberta_becomes_bart(pad: int, encoders: dict[str, Model], tmp_path: Path) -> None:
    """Whose positions begin elsewhere, for whatever padding token."""
    from seedbed.models.huggingface import write_network

    network = backbones.create("roberta", **SHAPE).network(300, 1, pad=0)
    with torch.no_grad():
        network.position_embedding.weight.normal_()
    write_network(network, tmp_path / "roberta", {"pad": pad})
    for name in ("tokenizer.json", "tokenizer_config.json"):
        (tmp_path / "roberta" / name).write_bytes((encoders["bert"].path / name).read_bytes())
    model = Model.open(tmp_path / "roberta")
    assert (model.configuration["model_type"], model.network().architecture.position_offset) == ("roberta", pad + 1)
    made = attached(model, tmp_path / "runs").network()
    assert made.stock == "bart"
    tokens = torch.randint(6, 200, (2, 9), generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        torch.testing.assert_close(made.hidden(tokens), network.hidden(tokens), atol=2e-3, rtol=0)


@pytest.mark.parametrize("kind", KINDS)
def test_copied_layers(kind: str, encoders: dict[str, Model], tmp_path: Path) -> None:
    old, new = values(encoders[kind].network()), values(attached(encoders[kind], tmp_path, layers=2).network())
    for layer, source in ((0, 0), (1, 3)):
        for part in ("qkv", "attention_out", "feedforward_in", "feedforward_out", "feedforward_norm"):
            assert torch.equal(new[f"decoder.layers.{layer}.{part}.weight"], old[f"layers.{source}.{part}.weight"])
        across = [new[f"decoder.layers.{layer}.cross.{part}.weight"] for part in ("query", "memory")]
        assert torch.equal(torch.cat(across), old[f"layers.{source}.qkv.weight"])
        out = new[f"decoder.layers.{layer}.cross.attention_out.weight"]
        assert torch.equal(out, old[f"layers.{source}.attention_out.weight"])
    assert torch.equal(new["embedding.weight"], old["embedding.weight"])
    if kind == "bert":
        places = old["position_embedding.weight"] + old["type_embedding.weight"][0]
        for stack in ("", "decoder."):
            assert torch.equal(new[f"{stack}position_embedding.weight"][2:], places)
        assert torch.equal(new["decoder.layers.1.qkv.bias"], old["layers.3.qkv.bias"])
        assert torch.equal(new["output_bias"], old["output_bias"])
    else:
        assert torch.equal(new["decoder.final_norm.weight"], old["final_norm.weight"])


@pytest.mark.parametrize("kind", KINDS)
def test_interleaved_layers_are_two_of_the_encoder(kind: str, encoders: dict[str, Model], tmp_path: Path) -> None:
    made = attached(encoders[kind], tmp_path, interleaved=True).network()
    old, new = values(encoders[kind].network()), values(made)
    assert made.architecture.decoder_layers == 2 and made.stock is None
    used = set()
    for layer in range(2):
        pairs = [(f"{part}.weight", 2 * layer, f"{part}.weight") for part in ("qkv", "attention_out")]
        pairs += [
            (f"between_{part}.weight", 2 * layer, f"{part}.weight") for part in ("feedforward_in", "feedforward_out")
        ]
        pairs += [("between_norm.weight", 2 * layer, "feedforward_norm.weight")]
        pairs += [(f"{part}.weight", 2 * layer + 1, f"{part}.weight") for part in ("feedforward_in", "feedforward_out")]
        pairs += [("feedforward_norm.weight", 2 * layer + 1, "feedforward_norm.weight")]
        pairs += [("cross_norm.weight", 2 * layer + 1, "attention_norm.weight")]
        pairs += [("cross.attention_out.weight", 2 * layer + 1, "attention_out.weight")]
        for mine, source, theirs in pairs:
            assert torch.equal(new[f"decoder.layers.{layer}.{mine}"], old[f"layers.{source}.{theirs}"]), mine
            used.add(f"layers.{source}.{theirs}")
    assert {f"layers.{n}.feedforward_in.weight" for n in range(4)} <= used, "all of the encoder is used"


def test_random_layers_are_drawn(encoders: dict[str, Model], tmp_path: Path) -> None:
    one, other, again = (
        values(attached(encoders["modern"], tmp_path, decoder="random", seed=seed).network()) for seed in (1, 2, 1)
    )
    for name in one:
        assert torch.equal(one[name], again[name])
        drawn = name.startswith("decoder.layers") and "norm" not in name
        assert torch.equal(one[name], other[name]) != drawn, name


def test_what_cannot_be_made_is_refused(encoders: dict[str, Model], tmp_path: Path) -> None:
    with pytest.raises(InputError, match="more than the encoder's layers"):
        attached(encoders["modern"], tmp_path, interleaved=True, layers=3)
    made = attached(encoders["modern"], tmp_path)
    with pytest.raises(InputError, match="is no encoder"):
        attached(made, tmp_path)
