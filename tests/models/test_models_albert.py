"""ALBERT's class of transformers, both ways."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
import transformers

from seedbed.core.errors import InputError
from seedbed.core.files import read_json, write_json
from seedbed.models import backbones
from seedbed.models.artifact import Model

SIZES = {
    "vocab_size": 96,
    "hidden_size": 48,
    "embedding_size": 16,
    "num_hidden_layers": 3,
    "num_attention_heads": 4,
    "intermediate_size": 80,
    "max_position_embeddings": 64,
    "initializer_range": 0.3,
}
TOKENS = torch.randint(3, 96, (3, 32), generator=torch.Generator().manual_seed(5))
OURS: dict[str, Any] = {"layers": 3, "width": 48, "heads": 4, "max_length": 64, "norm": "post", "positions": "learned"}
OURS |= {"gated": False, "bias": True, "embedding_width": 16, "kernel": "products"}


def saved(folder: Path, kind: str = "AlbertForMaskedLM", **options: Any) -> Any:
    torch.manual_seed(3)
    model = getattr(transformers, kind)(transformers.AlbertConfig(**{**SIZES, **options})).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.dim() == 1:
                parameter.add_(torch.randn_like(parameter) * 0.3)
    model.save_pretrained(folder)
    return model


@torch.no_grad()
@pytest.mark.parametrize("options", [{}, {"hidden_act": "relu", "embedding_size": 48}])
def test_read_and_written_again(options: dict[str, Any], tmp_path: Path) -> None:
    theirs = saved(tmp_path / "theirs", **options)
    ours = Model(tmp_path / "theirs").network()
    logits = ours.logits(ours.hidden(TOKENS))
    assert torch.allclose(logits, theirs(TOKENS).logits, atol=1e-4) and float(logits.std()) > 0.5
    ours.save(tmp_path / "ours")
    again, report = transformers.AutoModelForMaskedLM.from_pretrained(tmp_path / "ours", output_loading_info=True)
    assert type(again).__name__ == "AlbertForMaskedLM"
    assert not any(report[kind] for kind in ("missing_keys", "unexpected_keys", "mismatched_keys")), report
    assert torch.allclose(logits, again.eval()(TOKENS).logits, atol=1e-4)
    assert Model(tmp_path / "ours").network().architecture == ours.architecture


@torch.no_grad()
def test_our_backbone_is_the_stock_class(tmp_path: Path) -> None:
    backbone: Any = backbones.create("encoder", shared="all", **OURS)
    assert backbone.stock == "albert"
    network = backbone.network(96, 7, pad=0)
    network.save(tmp_path)
    theirs = transformers.AutoModelForMaskedLM.from_pretrained(tmp_path).eval()
    assert sum(p.numel() for p in theirs.parameters()) == backbone.num_parameters(96)
    torch.testing.assert_close(network.logits(network.hidden(TOKENS)), theirs(TOKENS).logits, atol=1e-5, rtol=1e-4)
    one_layer: Any = backbones.create("encoder", shared="all", **{**OURS, "layers": 1})
    assert one_layer.num_parameters(96) == backbone.num_parameters(96), "norms are shared as well"


def test_what_is_no_albert() -> None:
    for settings in ({"shared": True}, {"shared": "all", "embedding_width": None}, {"shared": "all", "gated": True}):
        assert backbones.create("encoder", **{**OURS, **settings}).stock is None
    with pytest.raises(InputError, match="shared"):
        backbones.create("encoder", **{**OURS, "shared": "some"})


@torch.no_grad()
def test_bare_models_and_what_is_refused(tmp_path: Path) -> None:
    theirs = saved(tmp_path, "AlbertModel")
    said: list[str] = []
    network = Model(tmp_path).network(say=said.append)
    assert torch.allclose(network.hidden(TOKENS), theirs(TOKENS).last_hidden_state, atol=1e-4)
    assert len(said) == 1 and "head_dense" in said[0]
    config = read_json(tmp_path / "config.json")
    for name in ("num_hidden_groups", "inner_group_num"):
        write_json(tmp_path / "config.json", {**config, name: 3})
        with pytest.raises(InputError, match=name):
            Model(tmp_path).network()
