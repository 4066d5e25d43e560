"""Word alignment: transport, labels and the pointer against slow formulas."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch
from train_world import MadeStream, batch_of, network_of, vocabulary

from seedbed.core.errors import InputError
from seedbed.models.alignment import agreed, transport
from seedbed.objectives import objectives
from seedbed.objectives.pairing import pair_rows

SIDES = torch.tensor([[-1, 0, 0, 0, -1, 1, 1, -1], [-1, 0, 0, -1, 1, 1, 1, -1], [-1] * 8])


def slow_plan(states: np.ndarray, side: list[int], sharpness: float, rounds: int) -> dict[tuple[int, int], float]:
    """Sinkhorn's alternation with plain numbers."""
    first, second = ([n for n, s in enumerate(side) if s == which] for which in (0, 1))
    unit = states / np.linalg.norm(states, axis=1, keepdims=True)
    mass = {(i, j): math.exp(sharpness * float(unit[i] @ unit[j])) for i in first for j in second}
    for _ in range(rounds):
        for i in first:
            total = sum(mass[i, j] for j in second) * len(first)
            mass |= {(i, j): mass[i, j] / total for j in second}
        for j in second:
            total = sum(mass[i, j] for i in first) * len(second)
            mass |= {(i, j): mass[i, j] / total for i in first}
    return mass


def test_transport_equals_a_slow_formula_and_labels_agree() -> None:
    states = torch.randn(3, 8, 4, generator=torch.Generator().manual_seed(2))
    plan = transport(states, SIDES, 3.0, 4)
    labels, leads = agreed(plan, SIDES)
    for row in range(3):
        side = SIDES[row].tolist()
        slow = slow_plan(states[row].double().numpy(), side, 3.0, 4)
        for i in range(8):
            for j in range(8):
                if (i, j) in slow:
                    assert math.exp(float(plan[row, i, j])) == pytest.approx(slow[i, j], rel=1e-4)
                else:
                    assert float(plan[row, i, j]) <= -1e4
        wanted = [-1] * 8
        for i, j in slow:
            forward = max((slow[i, k], k) for k in range(8) if (i, k) in slow)[1]
            backward = max((slow[k, j], k) for k in range(8) if (k, j) in slow)[1]
            if forward == j and backward == i:
                wanted[i], wanted[j] = j, i
        assert labels[row].tolist() == wanted
        for i, j in slow:
            if wanted[i] == j:
                others = [slow[i, k] for k in range(8) if k != j and (i, k) in slow]
                backs = [slow[k, j] for k in range(8) if k != i and (k, j) in slow]
                lead = 1 - max(*others, *backs) / slow[i, j]
                assert float(leads[row, i]) == float(leads[row, j]) == pytest.approx(lead, rel=1e-4)
    assert not leads[labels < 0].any()
    assert (labels >= 0).any() and not (labels[2] >= 0).any()


def aligner(network: Any = None, **parameters: Any) -> Any:
    objective = objectives.create("word_alignment", **parameters)
    objective.bind(vocabulary())
    if network is not None:
        objective.prepare(network, 5)
    return objective


def test_loss_equals_a_slow_formula() -> None:
    network = network_of("bidirectional", 3)
    objective = aligner(network, weight=0.6, rate=0.4, rounds=3)
    examples = objective.corrupt(MadeStream(7, pairs=True).next(6), seed=0, progress=0.5).to("cpu")
    loss = objective.loss(network, examples)
    pointer, masked, pointed, count, right = network.extra["pointer"], 0.0, 0.0, 0, 0
    with torch.no_grad():
        whole = network.hidden(examples.whole_BL, examples.segments_BL, examples.positions_BL)
        label_BL, lead_BL = agreed(transport(whole, examples.side_BL, 10.0, 3), examples.side_BL)
        hidden = network.hidden(examples.tokens_BL, examples.segments_BL, examples.positions_BL)
        log_p = network.logits(hidden.flatten(0, 1)).double().log_softmax(-1)
        for where, target in zip(examples.where_T.tolist(), examples.targets_T.tolist(), strict=True):
            masked -= float(log_p[where, target])
            row, column = divmod(where, examples.tokens_BL.shape[1])
            label = int(label_BL[row, column])
            if label < 0:
                continue
            asked = pointer.query.weight @ hidden[row, column] + pointer.query.bias
            other = 1 - int(examples.side_BL[row, column])
            logits = {}
            for place in range(examples.tokens_BL.shape[1]):
                if int(examples.side_BL[row, place]) == other:
                    offered = pointer.key.weight @ hidden[row, place]
                    logits[place] = float(asked @ offered) / math.sqrt(32)
            entropy = math.log(sum(map(math.exp, logits.values()))) - logits[label]
            pointed += float(lead_BL[row, column]) * entropy
            count, right = count + 1, right + (max(logits, key=logits.__getitem__) == label)
    assert float(loss.sum.detach()) == pytest.approx(masked + 0.6 * pointed, rel=1e-4)
    assert loss.count == len(examples.where_T) > count > 0 and int(loss.sums["aligned"]) == count
    assert loss.parts["alignment"].count == count
    assert float(loss.parts["alignment"].sum) == pytest.approx(pointed, rel=1e-4)
    assert int(loss.parts["alignment"].sums["accuracy"]) == right


def test_which_rows_are_pairs() -> None:
    batch = batch_of([[[10, 11], [12, 13]], [[10, 11]], [[10], [11], [12]], [[14, 15], [16]]])
    assert pair_rows(batch).tolist() == [], "pieces are apart"
    batch.segments_BL = np.minimum(batch.segments_BL, 0)
    assert pair_rows(batch).tolist() == [0, 3]
    batch.kinds_B = np.array([-1, -1, -1, 3])
    assert pair_rows(batch).tolist() == [3]


def test_errors() -> None:
    for parameters, message in (
        ({"weight": -1.0}, "weight"),
        ({"sharpness": 0.0}, "above 0"),
        ({"rounds": 0}, "rounds"),
    ):
        with pytest.raises(InputError, match=message):
            aligner(**parameters)
