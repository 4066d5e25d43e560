"""RoBERTa's positions, its other names, and weights of folders of earlier versions."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
import transformers
from safetensors.torch import load_file, save_file

from seedbed.core.files import read_json
from seedbed.models import backbones
from seedbed.models.artifact import Model
from seedbed.models.huggingface import write_network

SIZES = {
    "vocab_size": 96,
    "hidden_size": 48,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "intermediate_size": 80,
    "max_position_embeddings": 34,
    "type_vocab_size": 1,
    "initializer_range": 0.3,
}
TOKENS = torch.randint(9, 96, (3, 32), generator=torch.Generator().manual_seed(5))


def saved(folder: Path, kind: str = "Roberta", head: str = "ForMaskedLM", **options: Any) -> Any:
    torch.manual_seed(3)
    config = getattr(transformers, f"{kind}Config")(**{**SIZES, **options})
    model = getattr(transformers, f"{kind}{head}")(config).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.dim() == 1:
                parameter.add_(torch.randn_like(parameter) * 0.3)
    model.save_pretrained(folder)
    return model


@torch.no_grad()
@pytest.mark.parametrize("kind", ["XLMRoberta", "Camembert"])
def test_the_same_class_by_other_names(kind: str, tmp_path: Path) -> None:
    theirs = saved(tmp_path / "theirs", kind)
    ours = Model.open(tmp_path / "theirs").network()
    torch.testing.assert_close(ours.logits(ours.hidden(TOKENS)), theirs(TOKENS).logits, atol=1e-4, rtol=1e-4)
    ours.save(tmp_path / "ours")
    again = transformers.AutoModelForMaskedLM.from_pretrained(tmp_path / "ours").eval()
    assert type(again).__name__ == "RobertaForMaskedLM"
    assert torch.equal(again(TOKENS).logits, theirs(TOKENS).logits)


@torch.no_grad()
def test_bare_models_with_a_pooler(tmp_path: Path) -> None:
    theirs = saved(tmp_path, head="Model")
    assert any("pooler" in name for name in load_file(tmp_path / "model.safetensors"))
    said: list[str] = []
    ours = Model.open(tmp_path).network(say=said.append)
    torch.testing.assert_close(ours.hidden(TOKENS), theirs(TOKENS).last_hidden_state, atol=1e-4, rtol=1e-4)
    assert len(said) == 1 and "head_dense" in said[0]


@torch.no_grad()
@pytest.mark.parametrize("pad", [0, 1, 6])
@pytest.mark.parametrize("written", [0, 1, 6])
def test_positions_begin_behind_the_padding_token(pad: int, written: int, tmp_path: Path) -> None:
    """Of the folder that is read, and of the one that is written, which may have another; rows may be padded."""
    theirs = saved(tmp_path / "theirs", pad_token_id=pad, max_position_embeddings=33 + pad)
    ours = Model.open(tmp_path / "theirs").network()
    assert ours.max_length == 32 and ours.architecture.position_offset == pad + 1
    segments = torch.zeros_like(TOKENS)
    segments[1, 20:] = -1
    hidden = ours.logits(ours.hidden(TOKENS, segments))
    write_network(ours, tmp_path / "ours", {"pad": written})
    again, report = transformers.AutoModelForMaskedLM.from_pretrained(tmp_path / "ours", output_loading_info=True)
    assert not any(report[problem] for problem in ("missing_keys", "unexpected_keys", "mismatched_keys")), report
    assert again.config.max_position_embeddings == 33 + written
    for model, token in ((theirs, pad), (again.eval(), written)):
        padded = torch.where(segments < 0, token, TOKENS)
        logits = model(padded, attention_mask=(segments == 0).long()).logits
        torch.testing.assert_close(logits[segments == 0], hidden[segments == 0], atol=1e-4, rtol=1e-4)


def test_what_is_no_roberta(tmp_path: Path) -> None:
    """A network of a tokenizer without padding: the class could not count its positions."""
    sizes: dict[str, Any] = {"layers": 1, "width": 32, "heads": 2, "max_length": 16}
    bert = {"norm": "post", "positions": "learned", "gated": False, "bias": True}
    assert backbones.create("encoder", **sizes, **bert).stock == "bert"
    backbone: Any = backbones.create("roberta", **sizes)
    assert backbone.stock == "roberta"
    assert [len(backbone.network(90, 1, pad=pad).position_embedding.weight) for pad in (0, 1, 5)] == [17, 18, 22]
    network = backbone.network(90, 1)
    write_network(network, tmp_path, {"pad": None})
    assert read_json(tmp_path / "config.json")["model_type"] == "seedbed"
    again = Model.open(tmp_path).network()
    assert torch.equal(again.hidden(TOKENS[:, :16] % 90), network.hidden(TOKENS[:, :16] % 90))


@torch.no_grad()
def test_the_bias_of_an_untied_bert(tmp_path: Path) -> None:
    """Transformers computes with the decoder's; folders of earlier versions have the other one alone."""
    theirs = saved(tmp_path / "bert", "Bert", tie_word_embeddings=False)
    path = tmp_path / "bert" / "model.safetensors"
    tensors = load_file(path)
    assert not tensors["cls.predictions.bias"].equal(tensors["cls.predictions.decoder.bias"])
    ours = Model.open(tmp_path / "bert").network()
    assert ours.output_bias is not None and ours.output_bias.equal(theirs.cls.predictions.decoder.bias)
    ours.save(tmp_path / "ours")
    written = load_file(tmp_path / "ours" / "model.safetensors")
    for name in ("cls.predictions.bias", "cls.predictions.decoder.bias"):
        assert torch.equal(written[name], ours.output_bias)
    del tensors["cls.predictions.decoder.bias"]
    save_file(tensors, path, metadata={"format": "pt"})
    early = Model.open(tmp_path / "bert").network()
    assert early.output_bias is not None and early.output_bias.equal(tensors["cls.predictions.bias"])


@torch.no_grad()
@pytest.mark.parametrize("kind", ["Albert", "Longformer"])
def test_other_classes_have_the_bias_twice_too(kind: str, tmp_path: Path) -> None:
    own = {"Albert": {"embedding_size": 48}, "Longformer": {"attention_window": 8, "pad_token_id": 1}}
    theirs = saved(tmp_path / "theirs", kind, tie_word_embeddings=False, **own[kind])
    ours = Model.open(tmp_path / "theirs").network()
    logits = ours.logits(ours.hidden(TOKENS))
    torch.testing.assert_close(logits, theirs(TOKENS).logits, atol=1e-4, rtol=1e-4)
    ours.save(tmp_path / "ours")
    again = transformers.AutoModelForMaskedLM.from_pretrained(tmp_path / "ours").eval()
    assert type(again) is type(theirs)
    torch.testing.assert_close(logits, again(TOKENS).logits, atol=1e-4, rtol=1e-4)


@torch.no_grad()
def test_gpt2_as_its_first_folders_have_it(tmp_path: Path) -> None:
    """Names of the bare model, and the masks among the weights."""
    sizes = {"vocab_size": 96, "n_embd": 48, "n_layer": 2, "n_head": 4, "n_positions": 32, "initializer_range": 0.3}
    torch.manual_seed(3)
    theirs = transformers.GPT2LMHeadModel(transformers.GPT2Config(**sizes, bos_token_id=1, eos_token_id=1)).eval()
    theirs.transformer.save_pretrained(tmp_path)
    tensors = load_file(tmp_path / "model.safetensors")
    for layer in range(2):
        tensors[f"h.{layer}.attn.bias"] = torch.ones(1, 1, 32, 32).tril()
        tensors[f"h.{layer}.attn.masked_bias"] = torch.tensor(-1e4)
    save_file(tensors, tmp_path / "model.safetensors", metadata={"format": "pt"})
    said: list[str] = []
    ours = Model.open(tmp_path).network(say=said.append)
    torch.testing.assert_close(ours.logits(ours.hidden(TOKENS)), theirs(TOKENS).logits, atol=1e-4, rtol=1e-4)
    assert said == [], "the head is the embedding"
