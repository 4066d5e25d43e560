"""Another vocabulary for folders that others have published: BERT, RoBERTa and GPT-2, tied and untied."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from made_foreign import made_texts, save_foreign, save_shuffled, save_tokenizer
from made_vocabularies import change, make_tokenizer
from safetensors.torch import load_file

from seedbed.models.artifact import Model
from seedbed.vocabulary.artifact import Tokenizer

TEXTS = made_texts()
OTHER = made_texts(1, "acefhijlprtuv")
KINDS: dict[str, tuple[str, dict[str, Any]]] = {
    "bert": ("bert", {}),
    "bert untied": ("bert", {"tie_word_embeddings": False}),
    "roberta": ("roberta", {}),
    "roberta untied": ("roberta", {"tie_word_embeddings": False}),
    "gpt2": ("gpt2", {}),
    "gpt2 untied": ("gpt2", {"tie_word_embeddings": False}),
}


@pytest.fixture(params=KINDS)
def foreign(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[str, Model]:
    kind, options = KINDS[request.param]
    save_foreign(kind, tmp_path / "theirs", TEXTS, **options)
    return kind, Model.open(tmp_path / "theirs")


@torch.no_grad()
def check(kind: str, changed: Model, new: Tokenizer) -> None:
    """Transformers loads the folder by its own class, whole, and computes the same from the same text."""
    import transformers

    auto = transformers.AutoModelForCausalLM if kind == "gpt2" else transformers.AutoModelForMaskedLM
    theirs, report = auto.from_pretrained(changed.path, output_loading_info=True)
    assert not any(report[problem] for problem in ("missing_keys", "unexpected_keys", "mismatched_keys")), report
    names = {"bert": "BertForMaskedLM", "roberta": "RobertaForMaskedLM", "gpt2": "GPT2LMHeadModel"}
    assert type(theirs).__name__ == names[kind] and theirs.config.vocab_size == new.vocabulary().size
    assert theirs.config.pad_token_id == new.vocabulary().pad
    ids = transformers.AutoTokenizer.from_pretrained(changed.path)(OTHER[0])["input_ids"]
    assert ids == new.load().encode(OTHER[0]).ids
    network, tokens_BL = changed.network(), torch.tensor([ids[:40]])
    ours = network.logits(network.hidden(tokens_BL))
    torch.testing.assert_close(theirs.eval()(tokens_BL).logits, ours, atol=1e-4, rtol=1e-4)
    assert float(ours.std()) > 0.1


def test_there_and_back(foreign: tuple[str, Model], tmp_path: Path) -> None:
    kind, model = foreign
    save_shuffled(model.path, tmp_path / "shuffled")
    there = change(model, Tokenizer.open(tmp_path / "shuffled"), tmp_path / "there")
    check(kind, there, Tokenizer.open(tmp_path / "shuffled"))
    back = change(there, model.tokenizer(), tmp_path / "back")
    check(kind, back, model.tokenizer())
    before, after = (load_file(folder / "model.safetensors") for folder in (model.path, back.path))
    assert before.keys() == after.keys()
    untied = kind != "gpt2" and not model.configuration["tie_word_embeddings"]
    unused = {"cls.predictions.bias", "lm_head.bias"} if untied else set()  # the decoder's counts then
    assert [name for name in before if not before[name].equal(after[name])] == sorted(unused & before.keys())


@pytest.mark.parametrize("algorithm", ["bpe", "unigram", "roberta"])
def test_another_tokenizer(algorithm: str, foreign: tuple[str, Model], tmp_path: Path) -> None:
    kind, model = foreign
    style = "decoder" if kind == "gpt2" else "encoder"
    if algorithm == "roberta":
        save_tokenizer("gpt2" if kind == "gpt2" else "roberta", tmp_path / "new", OTHER, 300)
        new = Tokenizer.open(tmp_path / "new")
    else:
        new = make_tokenizer(tmp_path / "new", algorithm, OTHER, style, 300)
    changed = change(model, new, tmp_path / "changed")
    check(kind, changed, new)
    old, v = model.tokenizer().vocabulary(), new.vocabulary()
    rows, theirs = changed.network().embedding.weight, model.network().embedding.weight
    for role, other in (("pad", "pad"), ("mask", "mask"), ("sep", "sep"), ("eos", "eos")):
        place, was = getattr(v, role), getattr(old, other)
        if place is not None and was is not None and place != v.unk:
            assert torch.equal(rows[place], theirs[was]), role


@torch.no_grad()
def test_bert_goes_by_roberta_s_tokenizer(tmp_path: Path) -> None:
    """And remains BERT, whose positions do not depend on the padding token."""
    save_foreign("bert", tmp_path / "theirs", TEXTS)
    save_tokenizer("roberta", tmp_path / "new", OTHER)
    new = Tokenizer.open(tmp_path / "new")
    check("bert", change(Model.open(tmp_path / "theirs"), new, tmp_path / "changed"), new)
