"""Learning from preferences: rewards of tokens, and each objective's loss against a slow formula."""

from __future__ import annotations

import math
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
from train_world import batch_of, make_run, vocabulary

from seedbed.core.errors import InputError
from seedbed.corpus.artifact import Corpus
from seedbed.data.artifact import TokenFile
from seedbed.data.batch import Batch
from seedbed.data.metadata import Metadata
from seedbed.models.cross_entropy import linear_cross_entropy
from seedbed.objectives import objectives
from seedbed.objectives.rewards import Rewards

WORTH = [0.5, -1.0, 2.0]


def file_of(metadata: list[dict[str, Any]]) -> TokenFile:
    count = np.arange(len(metadata))
    return TokenFile(np.arange(9), count, count, count, [str(n) for n in count], metadata=metadata)


def rewarded_batch() -> Batch:
    """Rows of two documents and one, with rewards as in WORTH."""
    batch = batch_of([[[2, 10, 11, 12], [2, 20, 21]], [[2, 30, 31, 32, 33]]])
    batch.pieces_N6[:, 4] = [0, 1, 2]
    batch.files = (file_of([{"score": worth} for worth in WORTH]),)
    return batch


def losses_of(network: Any, batch: Batch) -> list[tuple[float, float]]:
    """The reward and the nats of every target, one by one."""
    found = []
    for (row, start, size, *_), worth in zip(batch.pieces_N6.tolist(), WORTH, strict=True):
        tokens = torch.tensor(batch.tokens_BL[row : row + 1, start : start + size])
        with torch.no_grad():
            log_p = network.logits(network.hidden(tokens)[0]).double().log_softmax(-1)
        found += [(worth, -float(log_p[place, tokens[0, place + 1]])) for place in range(size - 1)]
    return found


def made(name: str, **parameters: Any) -> tuple[Any, Any]:
    objective = objectives.create(name, reward="metadata.score", **parameters)
    return objective, make_run(objective).network


def loss_of(objective: Any, network: Any, batch: Batch) -> Any:
    return objective.loss(network, objective.corrupt(batch, seed=0, progress=0.0).to("cpu"))


def test_rewards_of_tokens() -> None:
    batch = rewarded_batch()
    found = Rewards("metadata.score").of_tokens(batch)
    assert found[0, :8].tolist() == [0.5] * 4 + [-1.0] * 3 + [0.0]
    assert found[1, :6].tolist() == [2.0] * 5 + [0.0]
    assert np.array_equal(Rewards("-metadata.score").of_tokens(batch), -found)


def test_a_column_of_the_corpus(tmp_path: Path) -> None:
    """Of the split that the tokens are of, with a minus before the name the other way round."""
    (tmp_path / "data").mkdir()
    for split, values in (("test", [9, 9, 9]), ("train", [1, 0, 3])):
        table = pa.table({"id": ["a", "b", "c"], "text": ["x"] * 3, "metadata": [""] * 3, "harm": values})
        pq.write_table(table, tmp_path / "data" / f"{split}-00000.parquet")
    facts = {"splits": {"train": {"documents": 3}}}
    tokens: Any = SimpleNamespace(inputs=lambda: [Corpus(tmp_path)], facts=facts, path=tmp_path)
    batch = rewarded_batch()
    batch.files[0].metadata = Metadata(tokens, "train")
    assert Rewards("-harm").of_pieces(batch).tolist() == [-1, 0, -3]
    with pytest.raises(InputError, match="harmm"):
        Rewards("harmm").of_pieces(batch)


def test_what_has_no_reward_is_said() -> None:
    batch = rewarded_batch()
    batch.files = (file_of([{"score": 1.0}, {"score": None}, {"score": "much"}]),)
    with pytest.raises(InputError, match="2 of 3 documents"):
        Rewards("metadata.score").of_pieces(batch)
    with pytest.raises(InputError, match="no document has this field"):
        Rewards("metadata.scores").of_pieces(batch)
    with pytest.raises(InputError, match="no corpus"):
        Rewards("quality").of_pieces(batch)
    batch.pieces_N6 = batch.pieces_N6[:0]
    with pytest.raises(InputError, match="which documents"):
        Rewards("metadata.score").of_pieces(batch)


def test_conditional() -> None:
    """Each document is read behind the token for its reward, which is not learned."""
    objective = objectives.create("conditional_lm", reward="metadata.score", good="t7", bad="t8", drop=0.0)
    objective.bind(vocabulary())
    found = objective.corrupt(rewarded_batch(), seed=0, progress=0.0)
    assert found.tokens_BL[0, :10].tolist() == [7, 2, 10, 11, 12, 8, 2, 20, 21, 0]
    assert found.tokens_BL[1, :6].tolist() == [7, 2, 30, 31, 32, 33]
    assert found.segments_BL[0, :10].tolist() == [0] * 5 + [1] * 4 + [-1]
    assert found.positions_BL[0, :9].tolist() == [0, 1, 2, 3, 4, 0, 1, 2, 3]
    assert found.targets_T.tolist() == [10, 11, 12, 20, 21, 30, 31, 32, 33]
    assert 7 not in found.targets_T and 8 not in found.targets_T


def test_conditional_drops_some() -> None:
    objective = objectives.create("conditional_lm", reward="metadata.score", good="t7", bad="t8", drop=0.25)
    objective.bind(vocabulary())
    batch = batch_of([[[5, 6]]] * 400)
    found = objective.corrupt(batch, seed=0, progress=0.0)
    assert (found.tokens_BL[:, 0] == 7).mean() == pytest.approx(0.75, abs=0.07)


def test_conditional_needs_its_tokens() -> None:
    with pytest.raises(InputError, match="does not have this token"):
        objectives.create("conditional_lm", reward="metadata.score").bind(vocabulary())


def test_unlikelihood() -> None:
    objective, network = made("unlikelihood_lm", alpha=0.7)
    found, items = loss_of(objective, network, rewarded_batch()), losses_of(network, rewarded_batch())
    good = sum(nats for worth, nats in items if worth >= 0)
    bad = sum(-math.log(1 - math.exp(-nats)) for worth, nats in items if worth < 0)
    assert float(found.sum.detach()) == pytest.approx(good + 0.7 * bad, rel=1e-5)
    assert float(found.parts["good"].sum) == pytest.approx(good, rel=1e-5)
    assert float(found.parts["bad"].sum) == pytest.approx(bad, rel=1e-4)
    assert (found.count, found.parts["bad"].count) == (9, 2)


def test_unlikelihood_unlearns() -> None:
    """A step along its gradient makes bad tokens less likely, and good ones more."""
    objective, network = made("unlikelihood_lm", alpha=5.0)
    before = losses_of(network, rewarded_batch())
    loss_of(objective, network, rewarded_batch()).sum.backward()
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.sub_(0.1 * parameter.grad)
    after = losses_of(network, rewarded_batch())
    change = [two - one for (_, one), (_, two) in zip(before, after, strict=True)]
    assert sum(change[3:5]) > 0 > sum(change[:3] + change[5:])


def test_reward_weighted() -> None:
    objective, network = made("reward_weighted_lm", beta=0.25)
    found, items = loss_of(objective, network, rewarded_batch()), losses_of(network, rewarded_batch())
    wanted = sum(min(math.exp(worth / 0.25), 1000.0) * nats for worth, nats in items)
    assert float(found.sum.detach()) == pytest.approx(wanted, rel=1e-5)


def test_advantage_weighted() -> None:
    objective, network = made("advantage_weighted_lm", beta=2.0, alpha=0.3)
    with torch.no_grad():
        network.extra["value"].weight.zero_()
        network.extra["value"].bias.fill_(0.75)
    found, items = loss_of(objective, network, rewarded_batch()), losses_of(network, rewarded_batch())
    text = sum(math.exp((worth - 0.75) / 2) * nats for worth, nats in items)
    value = sum((worth - 0.75) ** 2 for worth, _ in items)
    assert float(found.sum.detach()) == pytest.approx(0.3 * text + 0.7 * value, rel=1e-5)
    assert float(found.parts["value"].sum) == pytest.approx(value, rel=1e-6)
    # no gradient goes through the factors: that of the bias is of the values' error alone
    (gradient,) = torch.autograd.grad(found.sum, network.extra["value"].bias)
    assert float(gradient) == pytest.approx(0.7 * sum(2 * (0.75 - worth) for worth, _ in items), rel=1e-5)


def test_factors_of_the_cross_entropy() -> None:
    """Loss and gradients with factors are those of torch."""
    generator = torch.Generator().manual_seed(0)
    hidden, weight, bias = (torch.randn(size, generator=generator) for size in ((7, 5), (11, 5), (11,)))
    targets, factors = torch.arange(7), torch.rand(7, generator=generator)
    given = [tensor.clone().requires_grad_() for tensor in (hidden, weight, bias)]
    ours, _ = linear_cross_entropy(*given, targets, factors)
    theirs = torch.nn.functional.cross_entropy(hidden_logits(given), targets, reduction="none") @ factors
    torch.testing.assert_close(ours, theirs)
    for one, two in zip(torch.autograd.grad(ours, given), torch.autograd.grad(theirs, given), strict=True):
        torch.testing.assert_close(one, two)


def hidden_logits(given: list[torch.Tensor]) -> torch.Tensor:
    return torch.nn.functional.linear(*given)
