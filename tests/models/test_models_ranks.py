"""An order of attention of its own: against a slow mask in every kernel, and in a network by changing tokens."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from seedbed.core.errors import InputError
from seedbed.models import backbones
from seedbed.models.attention import attend, attention_mask, split_heads
from seedbed.models.network import Ranks

ROWS, LENGTH = 2, 10
SEGMENTS = torch.tensor([[0] * 6 + [1] * 3 + [-1], [0] * 10])
POSITIONS = torch.tensor([[0, 1, 2, 3, 1, 2, 0, 1, 2, 0], [3, 1, 4, 1, 5, 9, 2, 6, 5, 3]])


def draw(seed: int) -> torch.Tensor:
    return torch.randint(0, 5, (ROWS, LENGTH), generator=torch.Generator().manual_seed(seed))


RANKS = Ranks(draw(1), draw(2))


def sees(row: int, i: int, j: int, window: int | None, packed: bool) -> bool:
    if packed and SEGMENTS[row, i] != SEGMENTS[row, j]:
        return False
    if window is not None and abs(int(POSITIONS[row, i] - POSITIONS[row, j])) > window:
        return False
    return i == j or bool(RANKS.shown_BL[row, j] <= RANKS.sees_BL[row, i])


@pytest.mark.filterwarnings("ignore:flex_attention called without torch.compile")
@pytest.mark.parametrize("kernel", ["products", "sdpa", "flex"])
@pytest.mark.parametrize("window", [None, 2])
@pytest.mark.parametrize(("packed", "causal"), [(True, False), (False, True)])
def test_attention(kernel: str, window: int | None, packed: bool, causal: bool) -> None:
    seen = torch.tensor(
        [[[sees(row, i, j, window, packed) for j in range(LENGTH)] for i in range(LENGTH)] for row in range(ROWS)]
    )
    qkv = torch.randn(ROWS, LENGTH, 3 * 32, generator=torch.Generator().manual_seed(3))
    options: Any = {"causal": causal, "window": window, "device": qkv.device, "dtype": qkv.dtype, "kernel": kernel}
    with torch.no_grad():
        q, k, v = split_heads(qkv, 2, 2, None)
        given = SEGMENTS if packed else None
        mask = attention_mask(given, LENGTH, **options, ranks=RANKS, positions_BL=POSITIONS)
        ours = attend(q, k, v, mask, causal=causal, kernel=kernel)[:, :, 0]
        scores = (q[:, :, 0] @ k.transpose(-1, -2)).masked_fill(~seen[None], float("-inf"))
        torch.testing.assert_close(ours, scores.softmax(-1) @ v, atol=1e-5, rtol=1e-5)


@torch.no_grad()
def test_in_a_network() -> None:
    made: Any = backbones.create("encoder", layers=1, width=16, heads=2, max_length=16, kernel="products")
    network = made.network(30, 1, pad=0)
    tokens = torch.randint(3, 30, (ROWS, LENGTH), generator=torch.Generator().manual_seed(0))
    before = network.hidden(tokens, SEGMENTS, POSITIONS, RANKS)
    for row, j in ((0, 2), (0, 7), (1, 4)):
        other = tokens.clone()
        other[row, j] += 1
        changed = (network.hidden(other, SEGMENTS, POSITIONS, RANKS) - before).abs().amax(-1) > 1e-7
        assert changed[row].tolist() == [sees(row, i, j, None, True) for i in range(LENGTH)]
        assert not changed[1 - row].any()


def test_causal_networks_have_no_ranks() -> None:
    made: Any = backbones.create("decoder", layers=1, width=16, heads=2, max_length=16)
    with pytest.raises(InputError, match="encoders"):
        made.network(30, 1, pad=0).hidden(draw(0), None, None, RANKS)
