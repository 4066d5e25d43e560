"""Texts that a causal network goes on with, token by token.

Shapes: B texts, L tokens a row, V vocabulary.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from seedbed.core.counters import key, uniform
from seedbed.models.encoding import pad


def continued(
    network: Any, prompts: Sequence[list[int]], most: int, *, seed: int, end: int | None, forbidden_V: np.ndarray
) -> list[list[int]]:
    """Behind each prompt up to `most` tokens, drawn from what the network predicts, without the end, behind which there
    is nothing. Tokens that are forbidden are left out, and the others are as likely as among themselves; so are rows of
    the table that are no tokens. Numbers are drawn by (text, place). There is no cache: each token costs a pass over
    what is there."""
    import torch

    device = next(network.parameters()).device
    found: list[list[int]] = [[] for _ in prompts]
    live = list(range(len(prompts)))
    forbidden = torch.ones(network.vocabulary_size, dtype=torch.bool, device=device)
    forbidden[: len(forbidden_V)] = torch.from_numpy(forbidden_V).to(device)
    with torch.no_grad():
        for place in range(most):
            if not live:
                break
            rows = [[*prompts[index], *found[index]] for index in live]
            tokens_BL, segments_BL = pad(rows, 0, device)
            last_B = torch.tensor([len(row) - 1 for row in rows], device=device)
            hidden_BLD = network.hidden(tokens_BL, segments_BL)
            logits_BV = network.logits(hidden_BLD[torch.arange(len(rows), device=device), last_B]).double()
            sums_BV = logits_BV.masked_fill(forbidden, -torch.inf).softmax(-1).cumsum(-1)
            drawn_B = torch.from_numpy(uniform(key(seed, "continued"), np.array(live), place)).to(device)
            said_B = torch.searchsorted(sums_BV, (drawn_B * sums_BV[:, -1])[:, None], right=True)[:, 0].tolist()
            for index, token in zip(live, said_B, strict=True):
                found[index].append(token)
            live = [index for index in live if found[index][-1] != end]
    return [row[:-1] if row and row[-1] == end else row for row in found]
