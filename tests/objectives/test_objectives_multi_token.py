"""Multi-token prediction: its losses by a slow formula, what its heads read, and what is left of it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from train_world import MadeStream, batch_of, make_run

from seedbed.objectives import objectives

ROWS = [[[2, *range(5, 12)], [2, 20, 21]], [[2, *range(30, 41)]]]


def made(form: str, tokens: int = 3) -> tuple[Any, Any]:
    objective = objectives.create("multi_token", tokens=tokens, form=form, weight=0.5)
    return objective, make_run(objective).network


@pytest.mark.parametrize("form", ["parallel", "sequential"])
def test_losses(form: str) -> None:
    """Each target by itself, from states of a document that stands alone in its row."""
    objective, network = made(form)
    found = objective.loss(network, objective.corrupt(batch_of(ROWS), seed=0, progress=0.0).to("cpu"))
    sums, counts = np.zeros(3), np.zeros(3)
    for document in (part for row in ROWS for part in row):
        tokens = torch.tensor([document])
        with torch.no_grad():
            states = network.extra["multi_token"].states(network, tokens, None, None)
            for number, state in enumerate(states):
                log_p = network.logits(state[0]).log_softmax(-1)
                for place in range(len(document) - 1 - number):
                    sums[number] -= float(log_p[place, document[place + 1 + number]])
                    counts[number] += 1
    assert list(found.parts) == ["next", "ahead_2", "ahead_3"]
    for number, part in enumerate(found.parts.values()):
        assert float(part.sum) == pytest.approx(sums[number], rel=1e-5)
        assert part.count == counts[number]
    assert found.count == counts[0]
    assert float(found.sum.detach()) == pytest.approx(sums[0] + 0.5 * sums[1:].sum(), rel=1e-5)


def test_parallel_heads_are_last_layers() -> None:
    """With the weights of the network's last layer a further head has its states; the trunk is all before."""
    _, network = made("parallel", tokens=2)
    (layer,) = network.extra["multi_token"].layers
    layer.load_state_dict(network.layers[-1].state_dict())
    tokens = torch.tensor([[2, 5, 6, 7]])
    own, further = network.extra["multi_token"].states(network, tokens, None, None)
    assert own.equal(further)


def test_sequential_heads_see_the_token_before_theirs_and_no_later_one() -> None:
    """What predicts the token two places on hangs on the next one, and not on the one that it predicts."""
    _, network = made("sequential", tokens=3)
    tokens = torch.tensor([list(range(5, 15))])

    def states(tokens: torch.Tensor) -> list[torch.Tensor]:
        with torch.no_grad():
            return list(network.extra["multi_token"].states(network, tokens, None, None))

    before, other = states(tokens), tokens.clone()
    other[0, 5] = 40
    for number, (one, two) in enumerate(zip(before, states(other), strict=True)):
        changed = (one != two).any(-1)[0].tolist()
        assert changed[: 5 - number] == [False] * (5 - number)
        assert all(changed[5 - number : 9 - number])


def test_the_network_alone_is_left() -> None:
    """Its states are those of before, and its hooks are gone."""
    objective, network = made("parallel")
    tokens = torch.tensor([[2, 5, 6, 7]])
    with torch.no_grad():
        before = network.hidden(tokens)
        objective.export(network)
        assert network.hidden(tokens).equal(before)
    assert not len(network.extra) and not network.layers[-1]._forward_pre_hooks


def test_the_next_token_is_that_of_clm() -> None:
    batch = MadeStream(0).next(4)
    ours = objectives.create("multi_token").corrupt(batch, seed=0, progress=0.0)
    theirs = objectives.create("clm").corrupt(batch, seed=0, progress=0.0)
    assert np.array_equal(ours.where_T, theirs.where_T) and np.array_equal(ours.targets_T, theirs.targets_T)


def test_flops() -> None:
    _, network = made("parallel")
    a = network.architecture
    plain = a.flops_per_token(16, 1.0)
    more = objectives.create("multi_token", tokens=2).flops_per_token(a, 16, 1.0)
    assert more - plain == pytest.approx(a.flops_per_token(16, 0.0) / 2 + 6.0 * a.width * a.vocabulary_size)
