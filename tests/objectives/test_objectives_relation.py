"""Relations between texts: how a pair is read, what it loses, who takes part."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from train_world import LENGTH, MadeStream, batch_of, network_of, vocabulary

from seedbed.core.errors import InputError
from seedbed.data.batch import KINDS, Batch
from seedbed.objectives import objectives

CLS, SEP, MASK = 2, 3, 4


def relation(network: Any = None, **parameters: Any) -> Any:
    objective = objectives.create("relation", **parameters)
    objective.bind(vocabulary())
    if network is not None:
        objective.prepare(network, 5)
    return objective


def paired(rows: list[list[list[int]]], kinds: list[str | None], length: int = LENGTH) -> Batch:
    batch = batch_of(rows, length)
    batch.kinds_B = np.array([-1 if kind is None else KINDS.index(kind) for kind in kinds])  # type: ignore[arg-type]
    return batch


def test_pairs_are_framed_and_other_rows_stay() -> None:
    rows = [[[CLS, 10, 11], [12, 13, SEP]], [[20, 21], [22]], [[1, 30, CLS], [SEP, 31]]]
    batch = paired(rows, ["random", None, "next"])
    found = relation(rate=1e-9).corrupt(batch, seed=0, progress=0.0)
    wanted = [[CLS, 10, 11, SEP, 12, 13, SEP], [20, 21, 22], [CLS, 1, 30, SEP, 31, SEP]]
    for row, tokens in enumerate(wanted):
        assert found.tokens_BL[row, : len(tokens)].tolist() == tokens, "the unknown token stays, marks go"
        assert (found.segments_BL[row] >= 0).sum() == len(tokens)
    assert found.segments_BL[0].max() == 0 and found.positions_BL[0, :7].tolist() == list(range(7))
    assert found.segments_BL[1, :3].tolist() == [0, 0, 1]
    assert found.rows_R.tolist() == [0, 2] and found.class_R.tolist() == [2, 0]


@pytest.mark.parametrize(
    ("first", "second", "kept"), [(8, 8, (6, 7)), (3, 13, (3, 10)), (13, 3, (10, 3)), (5, 8, (5, 8))]
)
def test_what_is_too_long_is_cut_where_it_is_longer(first: int, second: int, kept: tuple[int, int]) -> None:
    texts = [list(range(10, 10 + first)), list(range(30, 30 + second))]
    found = relation(rate=1e-9).corrupt(paired([texts], ["next"]), seed=0, progress=0.0).tokens_BL[0]
    whole = [CLS, *texts[0][: kept[0]], SEP, *texts[1][: kept[1]], SEP]
    assert found.tolist()[: len(whole)] == whole and len(whole) == LENGTH


def test_loss_equals_a_slow_formula() -> None:
    network = network_of("bidirectional", 3)
    objective = relation(network, weight=0.7, rate=0.3, classes=[["next"], ["random", "linked"]])
    batch = MadeStream(7, pairs=True).next(5)
    examples = objective.corrupt(batch, seed=0, progress=0.5).to("cpu")
    loss = objective.loss(network, examples)
    head, masked, judged, total = network.extra["relation_head"], 0.0, 0.0, 0.0
    with torch.no_grad():
        hidden = network.hidden(examples.tokens_BL, examples.segments_BL, examples.positions_BL)
        log_p = network.logits(hidden.flatten(0, 1)).double().log_softmax(-1)
        for where, target in zip(examples.where_T, examples.targets_T, strict=True):
            masked -= float(log_p[where, target])
        for row in range(5):
            pooled = torch.tanh(head.dense.weight @ hidden[row, 0] + head.dense.bias)
            logits = head.dense_prediction.weight @ pooled + head.dense_prediction.bias
            wanted = [0, 1, 1][row % 3]
            entropy = -float(logits.log_softmax(0)[wanted])
            tokens = [token for token in batch.tokens_BL[row].tolist() if token >= 5][: LENGTH - 3]
            judged += entropy
            total += 0.7 * 0.3 * len(tokens) * entropy
    assert float(loss.sum.detach()) == pytest.approx(masked + total, rel=1e-5)
    assert float(loss.parts["masked"].sum) == pytest.approx(masked, rel=1e-5)
    assert float(loss.parts["relation"].sum) == pytest.approx(judged, rel=1e-5)
    assert loss.count == len(examples.where_T) and loss.parts["relation"].count == 5


def test_errors() -> None:
    for classes, message in (
        ([["next"]], "two or more"),
        ([["next"], []], "two or more"),
        ([["next"], ["next"]], "twice"),
    ):
        with pytest.raises(InputError, match=message):
            relation(classes=classes)
    with pytest.raises(InputError, match="not negative"):
        relation(weight=-1.0)
    batch = paired([[[10, 11], [12, 13]]], ["previous"])
    with pytest.raises(InputError, match="no class has the pairs of kind 'previous'"):
        relation().corrupt(batch, seed=0, progress=0.0)
