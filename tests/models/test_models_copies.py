"""Copies of tokens (length scaling): what a plain network computes over the same columns, and who sees whom."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import pytest
import torch

from seedbed.core.errors import InputError
from seedbed.models import backbones
from seedbed.models.artifact import Model
from seedbed.models.copies import who_sees
from seedbed.models.rules import as_mask

SMALL = {"layers": 2, "width": 16, "heads": 2, "max_length": 16}


def network_of(kernel: str = "products", **settings: Any) -> Any:
    network = backbones.create("decoder", **{**SMALL, "kernel": kernel, **settings}).network(40, 1, pad=0)
    generator = torch.Generator().manual_seed(2)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.add_(torch.randn(parameter.shape, generator=generator), alpha=0.2)
    return network


TOKENS = torch.arange(9)[None] * 3 % 40


@torch.no_grad()
@pytest.mark.parametrize(("copies", "kernel"), [(2, "products"), (3, "products"), (3, "sdpa"), (2, "flex")])
def test_copies_are_further_columns_of_their_token(copies: int, kernel: str) -> None:
    """A plain network that reads the text up to a token, and that again: its last column."""
    found = network_of(kernel, copies=copies).hidden(TOKENS)
    plain = network_of()
    for place in range(9):
        columns = [*range(place + 1), *[place] * (copies - 1)]
        expected = plain.hidden(TOKENS[:, columns], None, torch.tensor([columns]))
        torch.testing.assert_close(found[:, place], expected[:, -1], atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize(("window", "chunk"), [(0, None), (3, None), (4, 5), (100, 2)])
def test_who_sees_whom(window: int, chunk: int | None) -> None:
    a = network_of(copies=3, copy_window=window, copy_chunk=chunk).architecture
    segments = torch.tensor([[0, 0, 0, 0, 0, 0, 0, 1, 1, -1]])
    positions = torch.tensor([[0, 1, 2, 3, 4, 5, 6, 0, 1, 0]])
    mask = as_mask(who_sees(a, 10, segments, positions), 1, 30, segments.device, torch.float32, "products")[0]
    for (copy, i), (other, j) in itertools.product(itertools.product(range(3), range(10)), repeat=2):
        same = segments[0, i] == segments[0, j] and j <= i
        chunked = chunk is None or int(positions[0, i]) // chunk == int(positions[0, j]) // chunk
        if other == 0:
            expected = same
        elif i == j:
            expected = copy >= other
        else:
            expected = bool(same and copy > 0 and i - j < window and chunked)
        assert (mask[10 * copy + i, 10 * other + j] == 0) == expected, (copy, i, other, j)


@torch.no_grad()
def test_a_window_reaches_further_and_originals_see_no_copies() -> None:
    """What is read can be forgotten but for the originals: a changed token changes later originals by itself alone."""
    narrow, wide = (network_of(copies=2, copy_window=window).hidden(TOKENS) for window in (1, 4))
    assert torch.equal(narrow[:, 0], wide[:, 0]) and not torch.allclose(narrow[:, 5], wide[:, 5])
    assert torch.equal(narrow, network_of(copies=2).hidden(TOKENS)), "a window of one is the own token's copies"
    changed = TOKENS.clone()
    changed[:, 6:] = 7
    again = network_of(copies=2, copy_window=4).hidden(changed)
    torch.testing.assert_close(again[:, :6], wide[:, :6])
    assert not torch.allclose(again[:, 6:], wide[:, 6:])


@torch.no_grad()
def test_saved_and_loaded(tmp_path: Path) -> None:
    network = network_of(copies=2, copy_window=3, copy_chunk=4)
    assert network.stock is None
    network.save(tmp_path)
    loaded = Model.open(tmp_path).network()
    loaded.use_kernel("products")
    assert torch.equal(loaded.hidden(TOKENS), network.hidden(TOKENS))


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"copies": 0}, "copies: must be at least 1"),
        ({"copies": 2, "copy_window": -1}, "copy_window: must be at least 0"),
        ({"copies": 2, "copy_chunk": 0}, "copy_chunk: must be at least 1"),
        ({"copies": 2, "positions": "alibi"}, "copies: are not for this network"),
        ({"copies": 2, "attention": "prefix"}, "copies: are not for this network"),
    ],
)
def test_bad_settings_are_clear(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        network_of(**settings)
