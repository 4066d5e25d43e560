"""Prefix decoders: what sees what, by a formula and by changing tokens; without a prefix a causal decoder."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from seedbed.core.errors import InputError
from seedbed.models import backbones
from seedbed.models.artifact import Model
from seedbed.models.attention import attend, attention_mask, split_heads
from seedbed.models.network import Ranks
from seedbed.models.transformer import Transformer

VOCABULARY = 60
SEGMENTS = torch.tensor([[0] * 5 + [1] * 7 + [-1] * 2, [0] * 14])
PREFIX = torch.tensor([[1, 1, 0, 0, 0, 1, 1, 1, 0, 0, 0, 0, 0, 0], [1, 0, 1, *[0] * 11]], dtype=torch.bool)


def ranks_of(prefix_BL: torch.Tensor) -> Ranks:
    found = Ranks.of_prefix(prefix_BL.numpy())
    return Ranks(torch.tensor(found.shown_BL), torch.tensor(found.sees_BL))


RANKS = ranks_of(PREFIX)


def network(**options: Any) -> Transformer:
    sizes = {"layers": 2, "width": 32, "heads": 4, "max_length": 24, "kernel": "products", "attention": "prefix"}
    made: Any = backbones.create("decoder", **{**sizes, **options})
    return made.network(VOCABULARY, 1, pad=0)  # type: ignore[no-any-return]


def tokens() -> torch.Tensor:
    return torch.randint(3, VOCABULARY, SEGMENTS.shape, generator=torch.Generator().manual_seed(0))


@pytest.mark.filterwarnings("ignore:flex_attention called without torch.compile")
@pytest.mark.parametrize("kernel", ["products", "sdpa", "flex"])
@pytest.mark.parametrize("packed", [False, True])
def test_attention(kernel: str, packed: bool) -> None:
    """A token sees another of its segment that stands before it, or that is of the prefix."""
    rows, length, heads, width = *SEGMENTS.shape, 2, 16
    segments = SEGMENTS if packed else None
    seen = torch.zeros(rows, length, length, dtype=torch.bool)
    for row in range(rows):
        for i in range(length):
            for j in range(length):
                together = not packed or SEGMENTS[row, i] == SEGMENTS[row, j]
                seen[row, i, j] = together and (j <= i or bool(PREFIX[row, j]))
    qkv = torch.randn(rows, length, 3 * heads * width, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        q, k, v = split_heads(qkv, heads, heads, None)
        mask = attention_mask(
            segments, length, causal=True, window=None, device=q.device, dtype=q.dtype, kernel=kernel, ranks=RANKS
        )
        ours = attend(q, k, v, mask, causal=True, kernel=kernel)[:, :, 0]
        scores = (q[:, :, 0] @ k.transpose(-1, -2)).masked_fill(~seen[None], float("-inf"))
        torch.testing.assert_close(ours, scores.softmax(-1) @ v, atol=1e-5, rtol=1e-5)


@torch.no_grad()
@pytest.mark.parametrize("kernel", ["products", "sdpa"])
def test_what_a_token_sees(kernel: str) -> None:
    made = network(kernel=kernel)
    before = made.hidden(tokens(), SEGMENTS, None, RANKS)

    def changed_by(row: int, column: int) -> list[int]:
        other = tokens()
        other[row, column] = (other[row, column] + 1) % VOCABULARY
        after = made.hidden(other, SEGMENTS, None, RANKS)
        different = (after - before).abs().amax(-1) > 1e-6
        assert not different[1 - row].any()
        return different[row].nonzero().flatten().tolist()

    assert changed_by(0, 1) == [0, 1, 2, 3, 4]  # of the prefix: seen by its whole segment, and by no other
    assert changed_by(0, 3) == [3, 4]
    assert changed_by(0, 7) == [5, 6, 7, 8, 9, 10, 11]
    assert changed_by(0, 8) == [8, 9, 10, 11]
    assert changed_by(1, 2) == list(range(14))  # a prefix in pieces
    assert changed_by(1, 1) == list(range(14))  # by way of token 2, which all see


@pytest.mark.parametrize("kernel", ["products", "sdpa"])
@pytest.mark.parametrize("segments", [None, SEGMENTS])
def test_without_a_prefix_it_is_a_causal_decoder(kernel: str, segments: torch.Tensor | None) -> None:
    results = []
    for attention in ("prefix", "causal"):
        made = network(attention=attention, kernel=kernel)
        hidden = made.hidden(tokens(), segments)
        results.append([hidden, *torch.autograd.grad(hidden.square().sum(), list(made.parameters()))])
    assert all(one.equal(other) for one, other in zip(*results, strict=True))
    nothing = network(kernel=kernel).hidden(tokens(), segments, None, ranks_of(torch.zeros_like(PREFIX)))
    torch.testing.assert_close(nothing, results[0][0], atol=1e-5, rtol=1e-5)


@torch.no_grad()
def test_saved_and_loaded(tmp_path: Path) -> None:
    made = network()
    made.save(tmp_path)
    loaded = Model.open(tmp_path).network()
    loaded.use_kernel("products")
    assert loaded.attention == "prefix" and made.stock is None
    given = (tokens(), SEGMENTS, None, RANKS)
    assert loaded.hidden(*given).equal(made.hidden(*given))


def test_other_networks_have_no_prefix() -> None:
    with pytest.raises(InputError, match="prefix attention"):
        network(attention="causal").hidden(tokens(), SEGMENTS, None, RANKS)
