"""Permutation language modeling: what each prediction hangs on, by gradients, and what its examples are made of."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from train_world import MadeStream, batch_of, network_of, vocabulary

from seedbed.core.counters import key
from seedbed.core.errors import InputError
from seedbed.models import backbones
from seedbed.objectives import objectives

MASK = 4


def made(rate: float = 0.5) -> Any:
    objective = objectives.create("permutation_lm", rate=rate)
    objective.bind(vocabulary())
    return objective


def test_no_prediction_knows_its_token_or_later_ones() -> None:
    """Of each target's loss the gradient at the embedding of every token of the text: other than zero for the tokens
    that are not predicted, and for those before it in the order; zero for itself, for later ones, for other texts."""
    batch = batch_of([[[2, *range(5, 12)], [2, 20, 21, 22, 23, 24]]])
    network = network_of("bidirectional", 0)
    examples = made(0.7).corrupt(batch, seed=3, progress=0.0).to("cpu")
    assert examples.num_targets > 5
    network.embedding.weight.requires_grad_(False)
    seen: list[torch.Tensor] = []

    def keep(module: Any, given: Any, out: torch.Tensor) -> torch.Tensor:
        seen.append(out.detach().requires_grad_())
        return seen[-1]

    network.embedding.register_forward_hook(keep)
    hidden = network.hidden(examples.tokens_BL, examples.segments_BL, examples.positions_BL, examples.ranks)
    log_p = network.logits(hidden.flatten(0, 1)[examples.where_T]).log_softmax(-1)
    # the order, from how the seed draws it
    tokens, segments = batch.tokens_BL[0], batch.segments_BL[0]
    column_of = {int(tokens[c]): c for c in range(14)}
    columns = [column_of[int(token)] for token in examples.targets_T]
    order = examples.ranks.shown_BL[0, : len(tokens)].tolist()
    assert sorted(order[c] for c in columns) == list(range(1, len(columns) + 1))
    for number, column in enumerate(columns):
        loss = -log_p[number, examples.targets_T[number]]
        (gradient,) = torch.autograd.grad(loss, seen[-1], retain_graph=True)
        used = gradient[0].abs().amax(-1) > 0
        for other in range(14):
            wanted = segments[other] == segments[column] and order[other] < order[column]
            assert bool(used[other]) == bool(wanted), (column, other)
        queries = used[len(tokens) :].nonzero().flatten().tolist()
        assert queries == [number], "no query sees another one"


def test_examples() -> None:
    batch = MadeStream(0).next(6)
    found = made(0.3).corrupt(batch, seed=1, progress=0.0)
    length = batch.tokens_BL.shape[1]
    assert np.array_equal(found.tokens_BL[:, :length], batch.tokens_BL), "the text is as it was"
    row_T, slot_T = np.divmod(found.where_T, found.tokens_BL.shape[1])
    assert (slot_T >= length).all() and (found.tokens_BL[row_T, slot_T] == MASK).all()
    for row, slot, target in zip(row_T, slot_T, found.targets_T, strict=True):
        rank = found.ranks.sees_BL[row, slot] + 1
        (column,) = np.flatnonzero(found.ranks.shown_BL[row, :length] == rank)
        assert found.tokens_BL[row, column] == target
        for kept in (found.segments_BL, found.positions_BL):
            assert kept[row, slot] == kept[row, column]
    assert (found.segments_BL[:, length:] < 0).sum() + len(row_T) == found.tokens_BL[:, length:].size


def test_orders_are_drawn_evenly() -> None:
    """Each of a row's targets is first equally often."""
    batch = batch_of([[[5, 6, 7]]] * 600)
    found = made(1.0).corrupt(batch, seed=0, progress=0.0)
    first = found.ranks.shown_BL[:, :3].argmin(1)
    assert np.bincount(first, minlength=3) == pytest.approx([200] * 3, abs=45)


def test_one_target_is_masked_language_modeling() -> None:
    """In a single layer, that is: in later ones a masked language model's other tokens have seen the mask token."""
    encoder: Any = backbones.create("encoder", layers=1, width=16, heads=2, max_length=32, kernel="products")
    network = encoder.network(64, 0, pad=0)
    batch = batch_of([[[2, 5, 6, 7, 8]]])
    for seed in range(50):
        found = made(0.2).corrupt(batch, seed=seed, progress=0.0)
        if found.num_targets == 1:
            break
    found = found.to("cpu")
    with torch.no_grad():
        ours = network.hidden(found.tokens_BL, found.segments_BL, found.positions_BL, found.ranks)
        masked = torch.tensor(batch.tokens_BL)
        column = int(found.ranks.shown_BL[0, :16].argmax())
        masked[0, column] = MASK
        theirs = network.hidden(masked, torch.tensor(batch.segments_BL), torch.tensor(batch.positions_BL))
    torch.testing.assert_close(ours.flatten(0, 1)[found.where_T[0]], theirs[0, column], atol=1e-6, rtol=1e-5)


def test_positions_must_be_given() -> None:
    network: Any = backbones.create("encoder", layers=1, width=16, heads=2, max_length=16, positions="alibi")
    with pytest.raises(InputError, match="a query would not be at its place"):
        made().prepare(network.network(30, 0, pad=0), 0)


def test_in_a_mixture_with_masked_language_modeling() -> None:
    """Rows of both go through the network together, in rows as wide as the widest, and each sees what it sees alone."""
    parts = {"order": {"permutation_lm": {"rate": 0.4}}, "mask": {"mlm": {"rate": 0.4}}}
    mixture: Any = objectives.create("mixture", parts=parts)
    mixture.bind(vocabulary())
    network, batch = network_of("bidirectional", 0), MadeStream(0).next(8)
    whole = mixture.loss(network, mixture.corrupt(batch, seed=2, progress=0.0).to("cpu"))
    (both,) = mixture.corrupt(batch, seed=2, progress=0.0)
    for number, name in enumerate(both.names):
        part = mixture.parts[name]
        mine = [
            row
            for place, row in enumerate(both.rows)
            if (both.task_T[both.examples.where_T // both.examples.tokens_BL.shape[1] == place] == number).any()
        ]
        seed = key(2, "mixture", name) >> 1
        alone = part.loss(network, part.corrupt(batch.select(np.array(mine)), seed=seed, progress=0.0).to("cpu"))
        assert float(whole.parts[name].sum) == pytest.approx(float(alone.sum.detach()), rel=1e-5)
        assert whole.parts[name].count == alone.count > 0
