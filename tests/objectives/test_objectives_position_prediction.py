"""Position prediction: the encoder sees a set, of which it reads a part; its head is left behind."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from train_world import MadeStream, batch_of, make_run, vocabulary

from seedbed.core.errors import InputError
from seedbed.models import backbones
from seedbed.objectives import objectives
from seedbed.objectives.prediction import target_states


def bound(visible: float) -> Any:
    objective = objectives.create("position_prediction", visible=visible)
    objective.bind(vocabulary())
    return objective


@pytest.mark.parametrize("positions", ["rope", "learned"])
def test_order_is_not_seen(positions: str) -> None:
    """The same tokens in another order have the same states."""
    encoder: Any = backbones.create(
        "encoder", layers=2, width=16, heads=2, max_length=32, positions=positions, window=3, kernel="products"
    )
    network, objective = encoder.network(64, 1, pad=0), bound(1.0)
    order = np.random.default_rng(0).permutation(10)
    tokens = np.arange(5, 15)
    with torch.no_grad():
        one, two = (
            target_states(network, objective.corrupt(batch_of([[row.tolist()]]), seed=0, progress=0.0).to("cpu"))
            for row in (tokens, tokens[order])
        )
    torch.testing.assert_close(two, one[order], atol=1e-5, rtol=1e-5)


def test_keys_are_those_of_visible_tokens() -> None:
    objective = bound(0.4)
    network = make_run(objective).network
    batch = batch_of([[[2, *range(5, 17)]]])
    examples = objective.corrupt(batch, seed=4, progress=0.0).to("cpu")
    visible = (examples.ranks.shown_BL[0] == 0).tolist()
    assert True in visible[:13] and False in visible[:13]
    given = examples.segments_BL, examples.positions_BL, examples.ranks
    with torch.no_grad():
        before = network.hidden(examples.tokens_BL, *given)
        for column in range(13):
            other = examples.tokens_BL.clone()
            other[0, column] = 40
            changed = (network.hidden(other, *given) != before).any(-1)[0, :13].tolist()
            assert changed == [visible[column] or place == column for place in range(13)]


def test_targets_are_places() -> None:
    found = bound(0.5).corrupt(batch_of([[[2, 10, 11, 3], [12, 3, 13]]]), seed=0, progress=0.0)
    assert found.where_T.tolist() == [1, 2, 4, 6] and found.targets_T.tolist() == [1, 2, 0, 2]
    assert not found.positions_BL.any()


def test_share_of_visible_tokens() -> None:
    found = bound(0.3).corrupt(MadeStream(0).next(200), seed=0, progress=0.0)
    assert (found.ranks.shown_BL == 0).mean() == pytest.approx(0.3, abs=0.03)


def test_it_learns_where_tokens_stand() -> None:
    """A token that has always the same place has it after a few steps."""
    objective = bound(0.5)
    network = make_run(objective).network
    batch = batch_of([[list(range(5, 21))]] * 8)
    update = torch.optim.AdamW(network.parameters(), 1e-2)
    for step in range(20):
        found = objective.loss(network, objective.corrupt(batch, seed=step, progress=0.0).to("cpu"))
        update.zero_grad()
        found.sum.backward()
        update.step()
    assert float(found.sums["accuracy"]) == found.count


def test_the_head_over_the_vocabulary_comes_back() -> None:
    objective = bound(0.5)
    run = make_run(objective)
    assert run.network.head_dense is None
    objective.export(run.network)
    assert run.network.head_dense is not None and run.network.architecture.head and not len(run.network.extra)


def test_beside_prediction_it_stays() -> None:
    parts = {"place": "position_prediction", "word": "mlm"}
    assert make_run(objectives.create("mixture", parts=parts)).network.head_dense is not None


def test_positions_must_be_given() -> None:
    encoder: Any = backbones.create("encoder", layers=1, width=16, heads=2, max_length=16, positions="alibi")
    with pytest.raises(InputError, match="without their order"):
        bound(0.5).prepare(encoder.network(30, 0, pad=0), 0)
