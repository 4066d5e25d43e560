"""Decoders whose attention is changed: the same weights, another view."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from made_vocabularies import made_texts, make_tokenizer

from seedbed.core.errors import InputError
from seedbed.models import backbones
from seedbed.models.artifact import Model
from seedbed.models.network import Ranks
from seedbed.models.save import save_model
from seedbed.recipe.execute import workspace
from seedbed.surgery.change_attention import change_attention


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Model]:
    folder = tmp_path_factory.mktemp("models")
    tokenizer = make_tokenizer(folder / "tokenizer", "bpe", made_texts(), style="seq2seq", size=300)
    shape = {"layers": 2, "width": 16, "heads": 2, "kernel": "products"}
    found = {}
    for name, kind in (("decoder", "decoder"), ("encoder", "encoder")):
        network = backbones.create(kind, **shape).network(tokenizer.vocabulary().size, 1, pad=0)
        save_model(network, tokenizer.path, folder / name, {})
        found[name] = Model.open(folder / name)
    return found


def changed(model: Model, folder: Path, attention: Any) -> Model:
    with workspace(folder):
        return change_attention(model=model, attention=attention)


def test_there_and_back(models: dict[str, Model], tmp_path: Path) -> None:
    tokens = torch.randint(5, 200, (2, 9), generator=torch.Generator().manual_seed(0))
    prefix = changed(models["decoder"], tmp_path / "one", "prefix")
    causal = changed(prefix, tmp_path / "two", "causal")
    first, second, third = (model.network() for model in (models["decoder"], prefix, causal))
    assert (first.stock, second.stock, third.stock) == ("llama", None, "llama")
    sees = Ranks.of_prefix(np.arange(9)[None].repeat(2, 0) < 5)
    ranks = Ranks(torch.from_numpy(sees.shown_BL), torch.from_numpy(sees.sees_BL))
    with torch.no_grad():
        plain = first.hidden(tokens)
        for network in (second, third):
            assert torch.equal(network.hidden(tokens), plain)
        seen = second.hidden(tokens, ranks=ranks)
    assert not torch.allclose(seen[:, 0], plain[:, 0]), "the first token sees the prefix behind it"


def test_what_cannot_be_changed_is_refused(models: dict[str, Model], tmp_path: Path) -> None:
    with pytest.raises(InputError, match="is no decoder"):
        changed(models["encoder"], tmp_path, "causal")
    with pytest.raises(InputError, match="has already"):
        changed(models["decoder"], tmp_path, "causal")
