"""Sliding windows as Longformer's class has them, and block-sparse attention by its definition."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from seedbed.core.errors import InputError
from seedbed.core.files import read_json, write_json
from seedbed.models import backbones
from seedbed.models.artifact import Model
from seedbed.models.block_sparse import block_sparse_mask, drawn_blocks

SMALL = {"layers": 2, "width": 16, "heads": 2, "max_length": 24, "kernel": "products"}
BERT = {"norm": "post", "positions": "learned", "gated": False, "bias": True}


def network_of(pad: int = 0, **settings: Any) -> Any:
    network = backbones.create("encoder", **{**SMALL, **settings}).network(40, 1, pad=pad)
    generator = torch.Generator().manual_seed(2)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.add_(torch.randn(parameter.shape, generator=generator), alpha=0.2)
    return network


TOKENS = torch.arange(2, 42).view(2, 20) % 40


@torch.no_grad()
@pytest.mark.parametrize("pad", [0, 1])
def test_a_window_is_longformers(pad: int, tmp_path: Path) -> None:
    from transformers import AutoModelForMaskedLM

    network = network_of(pad, **BERT, window=3)
    network.save(tmp_path)
    theirs = AutoModelForMaskedLM.from_pretrained(tmp_path).eval()
    assert type(theirs).__name__ == "LongformerForMaskedLM"
    tokens = TOKENS.clone()
    tokens[tokens == pad] = 7
    ours = network.logits(network.hidden(tokens))
    torch.testing.assert_close(theirs(input_ids=tokens).logits, ours, atol=1e-4, rtol=1e-4)
    full = network_of(pad, **BERT)
    assert not torch.allclose(full.logits(full.hidden(tokens)), ours, atol=1e-3), "the window matters"
    segments = torch.tensor([[0] * 20, [0] * 13 + [-1] * 7])
    tokens[1, 13:] = pad
    padded = theirs(input_ids=tokens, attention_mask=(segments >= 0).long()).logits[1, :13]
    torch.testing.assert_close(padded, network.logits(network.hidden(tokens, segments))[1, :13], atol=1e-4, rtol=1e-4)
    theirs.save_pretrained(tmp_path / "theirs")
    again = Model.open(tmp_path / "theirs").network()
    assert again.architecture.windows == (3, 3) and again.max_length == 24
    again.use_kernel("products")
    torch.testing.assert_close(again.logits(again.hidden(TOKENS)), network.logits(network.hidden(TOKENS)))


def test_projections_for_global_attention_begin_as_the_others(tmp_path: Path) -> None:
    network_of(**BERT, window=3).save(tmp_path)
    tensors = load_file(tmp_path / "model.safetensors")
    own, everywhere = (f"longformer.encoder.layer.1.attention.self.{name}.weight" for name in ("key", "key_global"))
    assert torch.equal(tensors[own], tensors[everywhere])
    config = read_json(tmp_path / "config.json")
    write_json(tmp_path / "config.json", {**config, "attention_window": [6, 5]})
    with pytest.raises(InputError, match="attention_window: expected an even number for each layer"):
        Model.open(tmp_path).network()


def seen_by_hand(network: Any, segments: list[int], positions: list[int]) -> torch.Tensor:
    sizes = network.architecture.sparse
    length = len(segments)
    found = torch.zeros(length, length, dtype=torch.bool)
    for i in range(length):
        blocks = -(-segments.count(segments[i]) // sizes["block"])
        mine = positions[i] // sizes["block"]
        drawn = drawn_blocks(sizes["random"], torch.tensor([mine]), torch.tensor([blocks]))[0].tolist()
        assert all(block < blocks for block in drawn)
        for j in range(length):
            other = positions[j] // sizes["block"]
            near = abs(mine - other) <= sizes["window"] or min(mine, other) < sizes["global"] or other in drawn
            found[i, j] = segments[i] == segments[j] and near
    return found


@pytest.mark.parametrize("sizes", [{"block": 2, "random": 1}, {"block": 3, "window": 0, "global": 0, "random": 2}])
def test_blocks_see_neighbors_drawn_ones_and_the_first(sizes: dict[str, int]) -> None:
    network = network_of(sparse=sizes)
    segments, positions = [0] * 15 + [1] * 4 + [-1], [*range(15), *range(4), 0]
    given = torch.tensor([segments]), torch.tensor([positions])
    kinds: dict[str, Any] = {"device": torch.device("cpu"), "dtype": torch.float32}
    mask = block_sparse_mask(network.architecture, *given, (1, 20), kernel="products", **kinds)
    expected = seen_by_hand(network, segments, positions)
    assert torch.equal(mask[0] == 0, expected)
    assert expected[:15, :15].float().mean() < 0.9, "something is not seen"
    flex = block_sparse_mask(network.architecture, *given, (1, 20), kernel="flex", **kinds)
    place = torch.arange(20)
    zero = torch.tensor(0)
    assert torch.equal(flex.mask_mod(zero, zero, place[:, None], place[None, :]), expected)


def test_draws_are_even() -> None:
    drawn = drawn_blocks(4, torch.arange(4000), torch.full((4000,), 8))
    counts = torch.bincount(drawn.flatten(), minlength=8).double()
    assert float(((counts - 2000) ** 2 / 2000).sum()) < 30  # 7 degrees of freedom: p = 1e-4


@torch.no_grad()
def test_kernels_agree() -> None:
    results = []
    for kernel in ("products", "sdpa", "flex"):
        network = network_of(sparse={"block": 2, "random": 1}, width=32)
        network.use_kernel(kernel)
        results.append(network.hidden(TOKENS))
    torch.testing.assert_close(results[0], results[1], atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(results[0], results[2], atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"sparse": {"block": 0}}, "sparse.block: must be at least 1"),
        ({"sparse": {"blocks": 2}}, "unknown key 'blocks'"),
        ({"sparse": {}, "window": 3}, "sparse: is not for this network"),
        ({"sparse": {}, "positions": "alibi"}, "sparse: is not for this network"),
    ],
)
def test_bad_settings_are_clear(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        network_of(**settings)
