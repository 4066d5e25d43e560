"""Training that goes on from folders that others have published, with their tokenizers."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from made_foreign import made_texts, save_foreign

from seedbed.models.artifact import Model
from seedbed.recipe.execute import Workspace, run_plan
from seedbed.recipe.plan import make_plan
from seedbed.recipe.recipe import Recipe

TEXTS = made_texts(number=120)


@pytest.mark.parametrize(
    ("kind", "objective"),
    [("bert", "mlm"), ("roberta", {"mlm": {"mask": "words"}}), ("roberta", "rtd"), ("gpt2", "clm")],
)
def test_a_published_model_is_trained_on(kind: str, objective: Any, tmp_path: Path) -> None:
    import transformers

    untied = {"tie_word_embeddings": False} if kind == "bert" else {}
    save_foreign(kind, tmp_path / "theirs", TEXTS, **untied)
    rows = [{"id": f"d{number}", "text": text} for number, text in enumerate(TEXTS)]
    (tmp_path / "texts.jsonl").write_text("\n".join(map(json.dumps, rows)))
    sizes = {"length": 32, "batch_tokens": 256, "micro_tokens": 128, "precision": "fp32", "budget": "3 steps"}
    training = {"model": str(tmp_path / "theirs"), "data": {"corpus": 1.0}, "objective": objective, **sizes}
    steps: dict[str, Any] = {
        "corpus": {"build_corpus": {"read": [{"jsonl": {"path": str(tmp_path / "texts.jsonl")}}]}},
        "on": {"pretrain": training},
    }
    made = run_plan(make_plan(Recipe("r", steps, seed=1), Workspace(tmp_path / "runs").store), say=lambda line: None)
    model, before = made["on"], Model.open(tmp_path / "theirs")
    assert np.isfinite(model.counts["loss"]) and model.counts["steps"] == 3
    assert model.configuration["model_type"] == kind
    old, new = before.network(), model.network()
    assert not torch.equal(old.embedding.weight, new.embedding.weight), "something was learned"
    auto = transformers.AutoModelForCausalLM if kind == "gpt2" else transformers.AutoModelForMaskedLM
    theirs = auto.from_pretrained(model.path).eval()
    mask = {"bert": "[MASK]", "roberta": "<mask>", "gpt2": "the"}[kind]
    loaded, first = (transformers.AutoTokenizer.from_pretrained(path) for path in (model.path, before.path))
    ids = loaded(f"A {mask} b.")["input_ids"]
    assert ids == first(f"A {mask} b.")["input_ids"]
    vocabulary = before.tokenizer().vocabulary()
    assert vocabulary.mask is None or vocabulary.mask in ids
    tokens_BL = torch.tensor([ids])
    with torch.no_grad():
        ours = new.logits(new.hidden(tokens_BL))
        torch.testing.assert_close(theirs(tokens_BL).logits, ours, atol=1e-4, rtol=1e-4)
