"""The step `change_vocabulary`: folders that transformers loads, swaps that lose nothing, what does not fit."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from made_vocabularies import change, made_texts, make_corpus, make_model, make_tokenizer, permuted

from seedbed.core.errors import InputError
from seedbed.models import save_model
from seedbed.models.artifact import Model
from seedbed.objectives.base import Outputs
from seedbed.vocabulary.artifact import Tokenizer

TEXTS = made_texts()
OTHER = made_texts(1, letters="acefhijlprtuvö")
BERT = {"norm": "post", "positions": "learned", "gated": False, "bias": True}  # as BERT, with a bias of the logits
BART = {**BERT, "activation": "gelu"}
KINDS = [
    ("decoder", {}),
    ("decoder", {"tied": False}),
    ("encoder", {}),
    ("encoder", BERT),
    ("encoder", {"tied": False}),
]


@pytest.mark.parametrize(("backbone", "options"), KINDS, ids=["tied", "untied", "modern", "bert", "untied encoder"])
def test_transformers_computes_the_same_logits(backbone: str, options: dict[str, Any], tmp_path: Path) -> None:
    import transformers

    style = backbone
    old = make_tokenizer(tmp_path / "old", "bpe", TEXTS, style)
    new = make_tokenizer(tmp_path / "new", "unigram", OTHER, style, 300)
    model = change(make_model(tmp_path / "model", backbone, old, **options), new, tmp_path / "changed")
    size = new.vocabulary().size
    network = model.network()
    assert network.vocabulary_size == size == json.loads((model.path / "config.json").read_text())["vocab_size"]
    fast = transformers.AutoTokenizer.from_pretrained(model.path)
    ids = fast(OTHER[0], return_tensors="pt")["input_ids"]
    assert ids[0].tolist() == new.load().encode(OTHER[0]).ids
    if network.stock is None:
        assert (backbone, options) == ("encoder", {"tied": False}), "the only one that is no stock class here"
        return
    auto = transformers.AutoModelForMaskedLM if backbone == "encoder" else transformers.AutoModelForCausalLM
    theirs = auto.from_pretrained(model.path).eval()
    with torch.no_grad():
        torch.testing.assert_close(theirs(ids).logits, network.logits(network.hidden(ids)), atol=1e-4, rtol=1e-4)
    assert theirs.config.pad_token_id == new.vocabulary().pad
    assert theirs.get_output_embeddings().weight.shape[0] == size


@torch.no_grad()
@pytest.mark.parametrize("options", [{}, {"tied": False}, BART], ids=["t5 tied", "t5", "bart"])
def test_an_encoder_decoder(options: dict[str, Any], tmp_path: Path) -> None:
    """Transformers writes with it, from what it was to begin with; a swap there and back changes no bit."""
    import transformers

    old = make_tokenizer(tmp_path / "old", "bpe", TEXTS, "seq2seq", 460)
    new = permuted(make_tokenizer(tmp_path / "new", "unigram", OTHER, "seq2seq", 400), tmp_path / "permuted")
    model = make_model(tmp_path / "model", "encoder_decoder", old, **options)
    changed = change(model, new, tmp_path / "changed")
    network, size = changed.network(), new.vocabulary().size
    loaded = transformers.AutoModelForSeq2SeqLM.from_pretrained(changed.path).eval()
    assert loaded.config.decoder_start_token_id == new.vocabulary().pad == loaded.config.pad_token_id
    assert loaded.config.eos_token_id == new.vocabulary().eos
    assert loaded.get_output_embeddings().weight.shape[0] == size == network.vocabulary_size
    inputs, outputs = (torch.tensor([new.load().encode(OTHER[number]).ids]) for number in (0, 1))
    ours = network.logits(network.decoded(inputs, None, None, Outputs(outputs, None, None)))
    theirs = loaded(input_ids=inputs, decoder_input_ids=outputs).logits
    torch.testing.assert_close(theirs, ours, atol=1e-4, rtol=1e-4)
    rows, names = changed.network().embedding.weight, new.vocabulary().tokens
    for name in ("<extra_id_0>", "<extra_id_99>", "</s>"):
        assert torch.equal(rows[names.index(name)], model.network().embedding.weight[old.load().token_to_id(name)])

    there = change(model, permuted(old, tmp_path / "shuffled"), tmp_path / "there")
    assert (there.path / "config.json").read_text() != (model.path / "config.json").read_text()
    back = change(there, old, tmp_path / "back")
    for name in ("model.safetensors", "config.json"):
        assert (back.path / name).read_bytes() == (model.path / name).read_bytes()


@torch.no_grad()
def test_a_decoder_that_begins_with_the_end_token_goes_on_to(tmp_path: Path) -> None:
    """As BART's does."""
    from dataclasses import replace

    old = make_tokenizer(tmp_path / "old", "bpe", TEXTS, "seq2seq", 460)
    model = make_model(tmp_path / "model", "encoder_decoder", old, **BART)
    network, end = model.network(), old.vocabulary().eos
    network.architecture = replace(network.architecture, special={**network.architecture.special, "decoder_start": end})
    save_model(network, old.path, tmp_path / "ended", {"name": "ended"})
    new = permuted(old, tmp_path / "new")
    changed = change(Model.open(tmp_path / "ended"), new, tmp_path / "changed")
    assert changed.configuration["decoder_start_token_id"] == new.vocabulary().eos != end


@pytest.mark.parametrize("algorithm", ["bpe", "wordpiece", "unigram"])
@pytest.mark.parametrize(("backbone", "options"), KINDS[1:4], ids=["untied", "modern", "bert"])
def test_shuffled_ids_there_and_back_change_no_bit(
    algorithm: str, backbone: str, options: dict[str, Any], tmp_path: Path
) -> None:
    tokenizer = make_tokenizer(tmp_path / "t", algorithm, TEXTS, backbone)
    other = permuted(tokenizer, tmp_path / "other")
    model = make_model(tmp_path / "model", backbone, tokenizer, **options)
    there = change(model, other, tmp_path / "there")
    back = change(there, tokenizer, tmp_path / "back", "random")  # nothing is left to the method but special rows
    assert not torch.equal(there.network().embedding.weight, model.network().embedding.weight)
    ids, others = (torch.tensor([t.load().encode(TEXTS[3]).ids]) for t in (tokenizer, other))
    assert not torch.equal(ids, others)
    before, after = model.network(), there.network()
    with torch.no_grad():
        one, two = before.logits(before.hidden(ids)[0]), after.logits(after.hidden(others)[0])
    new_of_old = [other.load().token_to_id(token) for token in tokenizer.vocabulary().tokens]
    torch.testing.assert_close(two[:, new_of_old], one, atol=1e-5, rtol=1e-5)
    back = change(there, tokenizer, tmp_path / "again")
    same = dict(back.network().named_parameters())
    assert all(torch.equal(same[name], parameter) for name, parameter in before.named_parameters())
    assert (back.path / "model.safetensors").read_bytes() == (model.path / "model.safetensors").read_bytes()
    assert (back.path / "config.json").read_text() == (model.path / "config.json").read_text()


def test_special_tokens_go_by_role(tmp_path: Path) -> None:
    """From a decoder's to an encoder's: [CLS] begins as <s>, [SEP] ends as </s>; [MASK] has no counterpart."""
    old = make_tokenizer(tmp_path / "old", "bpe", TEXTS, "decoder")
    new = make_tokenizer(tmp_path / "new", "wordpiece", TEXTS, "encoder")
    model = make_model(tmp_path / "model", "decoder", old)
    changed = change(model, new, tmp_path / "changed", "mean")
    before, after = model.network().embedding.weight, changed.network().embedding.weight
    v, w = old.vocabulary(), new.vocabulary()
    for one, other in ((v.pad, w.pad), (v.unk, w.unk), (v.bos, w.cls), (v.eos, w.sep)):
        assert torch.equal(before[one], after[other])
    assert not torch.allclose(after[w.mask], before.mean(0), atol=1e-3), "drawn, not the mean"
    assert torch.allclose(after[~torch.from_numpy(w.special_V.copy())], before.mean(0))
    config = json.loads((changed.path / "config.json").read_text())
    assert config["pad_token_id"] == w.pad
    assert changed.seen["special"] == 4 and changed.seen["new_tokens"] == w.size  # type: ignore[attr-defined]


def test_the_bias_of_the_logits_follows_its_token(tmp_path: Path) -> None:
    old = make_tokenizer(tmp_path / "old", "wordpiece", TEXTS, "encoder")
    new = make_tokenizer(tmp_path / "new", "wordpiece", OTHER, "encoder", 300)
    model = make_model(tmp_path / "model", "encoder", old, extra_rows=6, **BERT)
    changed = change(model, new, tmp_path / "changed")
    bias_V, after_N = model.network().output_bias.detach()[:-6], changed.network().output_bias.detach()
    for index, token in enumerate(new.vocabulary().tokens):
        there = old.load().token_to_id(token)
        expected = bias_V.mean() if there is None else bias_V[there]
        assert float(after_N[index]) == pytest.approx(float(expected), abs=1e-7), token


def test_a_model_of_transformers_with_its_own_class(tmp_path: Path) -> None:
    """A plain folder of Hugging Face's: more rows than tokens, an end-of-text token that is three roles at once."""
    import tokenizers
    import transformers

    fast = make_tokenizer(tmp_path / "t", "bpe", TEXTS).load()
    description = json.loads(fast.to_str())
    description["added_tokens"] = []
    description["post_processor"] = None
    bare = tokenizers.Tokenizer.from_str(json.dumps(description))
    end = "<|endoftext|>"
    saved = transformers.PreTrainedTokenizerFast(tokenizer_object=bare, eos_token=end, bos_token=end, unk_token=end)
    saved.save_pretrained(tmp_path / "llama")
    config = transformers.LlamaConfig(
        vocab_size=len(saved) + 13,
        hidden_size=32,
        intermediate_size=48,
        num_hidden_layers=1,
        num_attention_heads=2,
        tie_word_embeddings=False,
        eos_token_id=saved.eos_token_id,
    )
    theirs = transformers.LlamaForCausalLM(config).eval()
    theirs.save_pretrained(tmp_path / "llama")
    new = make_tokenizer(tmp_path / "new", "unigram", OTHER, size=320)
    model = Model.open(tmp_path / "llama")
    changed = change(model, new, tmp_path / "changed")
    loaded = transformers.AutoModelForCausalLM.from_pretrained(changed.path).eval()
    v = new.vocabulary()
    for mine, their in (
        (loaded.get_input_embeddings(), theirs.get_input_embeddings()),
        (loaded.get_output_embeddings(), theirs.get_output_embeddings()),
    ):
        assert mine.weight.shape[0] == v.size
        assert torch.equal(mine.weight[v.eos], their.weight[saved.eos_token_id])
        assert torch.equal(mine.weight[v.bos], their.weight[saved.bos_token_id])
    assert loaded.config.eos_token_id == v.eos
    back = change(changed, Tokenizer.open(tmp_path / "llama"), tmp_path / "back")
    assert back.network().vocabulary_size == len(saved)


def test_what_does_not_fit_is_named(tmp_path: Path) -> None:
    tokenizer = make_tokenizer(tmp_path / "t", "bpe", TEXTS)
    small = make_tokenizer(tmp_path / "small", "bpe", TEXTS, size=300)
    model = make_model(tmp_path / "model", "decoder", small)
    for name in ("tokenizer.json", "tokenizer_config.json", "special_tokens_map.json"):
        (model.path / name).write_bytes((tokenizer.path / name).read_bytes())
    with pytest.raises(InputError, match="has 360 tokens, and its embedding only 300 rows"):
        change(Model.open(model.path), small, tmp_path / "x")
    good = make_model(tmp_path / "good", "decoder", small)
    description = json.loads((tokenizer.path / "tokenizer.json").read_text())
    taken = next(token for token, index in description["model"]["vocab"].items() if index == 50)
    description["added_tokens"][1]["id"] = 50
    (tokenizer.path / "tokenizer.json").write_text(json.dumps(description))
    with pytest.raises(InputError, match=r"<s>: special tokens clash: its id is 50, which is that of") as caught:
        change(good, Tokenizer.open(tokenizer.path), tmp_path / "y")
    assert f"'{taken}'" in str(caught.value)
    encoder = make_tokenizer(tmp_path / "e", "wordpiece", TEXTS, "encoder")
    config = json.loads((encoder.path / "tokenizer_config.json").read_text())
    (encoder.path / "tokenizer_config.json").write_text(json.dumps({**config, "mask_token": "[UNK]"}))
    with pytest.raises(InputError, match="mask_token and unk_token at once"):
        change(good, Tokenizer.open(encoder.path), tmp_path / "z")


def test_a_recipe_changes_a_vocabulary_and_trains_on(tmp_path: Path) -> None:
    """From a model of the store to tokens of the new vocabulary, through recipe and store."""
    from seedbed.recipe.execute import Workspace, run_plan
    from seedbed.recipe.plan import make_plan
    from seedbed.recipe.recipe import Recipe

    corpus = make_corpus(tmp_path / "corpus", OTHER)
    old = make_tokenizer(tmp_path / "old", "bpe", TEXTS)
    make_model(tmp_path / "model", "decoder", old)
    training = {"objective": "clm", "length": 32, "batch_tokens": 256, "micro_tokens": 256, "precision": "fp32"}
    distill = {"token_distillation": {"corpus": str(corpus.path), "snippets": 1, "length": 8}}
    changed = {"model": str(tmp_path / "model"), "tokenizer": "t", "method": {"overlap": {"rest": distill}}}
    steps: dict[str, Any] = {
        "t": {"train_tokenizer": {"corpus": str(corpus.path), "size": 320, "style": "decoder", "algorithm": "bpe"}},
        "changed": {"change_vocabulary": changed},
        "on": {"pretrain": {"model": "changed", "data": {str(corpus.path): 1.0}, "budget": "3 steps", **training}},
    }
    made = run_plan(make_plan(Recipe("r", steps, seed=1), Workspace(tmp_path / "runs").store), say=lambda line: None)
    counts = made["changed"].counts
    assert counts["new_tokens"] == made["on"].network().vocabulary_size == made["t"].counts["size"]
    assert counts["old_tokens"] == 360 and counts["same"] > 256 - 10
    assert "overlap" in (made["changed"].path / "README.md").read_text()
    assert np.isfinite(made["on"].counts["loss"])
