"""ELECTRA's classes of transformers, both ways."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
import transformers

from seedbed.core.errors import InputError
from seedbed.core.files import read_json, write_json
from seedbed.models.artifact import Model

SIZES = {
    "vocab_size": 96,
    "hidden_size": 48,
    "embedding_size": 48,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "intermediate_size": 80,
    "max_position_embeddings": 64,
    "initializer_range": 0.3,
    "hidden_dropout_prob": 0.0,
    "attention_probs_dropout_prob": 0.0,
}
TOKENS = torch.randint(3, 96, (3, 32), generator=torch.Generator().manual_seed(5))


def saved(kind: str, folder: Path, **options: Any) -> Any:
    torch.manual_seed(3)
    model = getattr(transformers, kind)(transformers.ElectraConfig(**{**SIZES, **options})).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.dim() == 1:
                parameter.add_(torch.randn_like(parameter) * 0.3)
    model.save_pretrained(folder)
    return model


@pytest.mark.parametrize("kind", ["ElectraForPreTraining", "ElectraModel", "ElectraForMaskedLM"])
@pytest.mark.parametrize("activation", ["gelu", "relu"])
def test_read_and_written_again(kind: str, activation: str, tmp_path: Path) -> None:
    theirs = saved(kind, tmp_path / "theirs", hidden_act=activation)
    ours = Model(tmp_path / "theirs").network()
    hidden = ours.hidden(TOKENS)
    trunk = getattr(theirs, "electra", theirs)
    assert torch.allclose(hidden, trunk(TOKENS).last_hidden_state, atol=1e-4)
    if kind == "ElectraForMaskedLM":
        assert torch.allclose(ours.logits(hidden), theirs(TOKENS).logits, atol=1e-4)
    ours.save(tmp_path / "ours")
    config = read_json(tmp_path / "ours" / "config.json")
    # a generator whose layers have its head's activation is a BERT's masked language model as well
    is_bert = kind == "ElectraForMaskedLM" and activation == "gelu"
    assert config["model_type"] == ("bert" if is_bert else "electra")
    again = transformers.AutoModel.from_pretrained(tmp_path / "ours").eval()
    assert torch.allclose(hidden, again(TOKENS).last_hidden_state, atol=1e-4)
    if not is_bert:
        assert config["architectures"] == [
            "ElectraForMaskedLM" if kind == "ElectraForMaskedLM" else "ElectraForPreTraining"
        ]


@pytest.mark.parametrize("kind", ["ElectraForPreTraining", "ElectraForMaskedLM"])
def test_narrow_embeddings_are_electra_smalls(kind: str, tmp_path: Path) -> None:
    theirs = saved(kind, tmp_path / "theirs", embedding_size=16)
    ours = Model(tmp_path / "theirs").network()
    assert ours.architecture.embedding_width == 16
    hidden = ours.hidden(TOKENS)
    assert torch.allclose(hidden, theirs.electra(TOKENS).last_hidden_state, atol=1e-4)
    ours.save(tmp_path / "ours")
    again = getattr(transformers, kind).from_pretrained(tmp_path / "ours").eval()
    if kind == "ElectraForMaskedLM":
        assert torch.allclose(ours.logits(hidden), theirs(TOKENS).logits, atol=1e-4)
        assert torch.allclose(ours.logits(hidden), again(TOKENS).logits, atol=1e-4)
    assert torch.allclose(hidden, again.electra(TOKENS).last_hidden_state, atol=1e-4)


def test_what_it_does_not_compute_is_refused(tmp_path: Path) -> None:
    saved("ElectraForPreTraining", tmp_path, position_embedding_type="relative_key")
    config = read_json(tmp_path / "config.json")
    write_json(tmp_path / "config.json", {**config, "position_embedding_type": "relative_key"})
    with pytest.raises(InputError, match="position_embedding_type"):
        Model(tmp_path).network()
