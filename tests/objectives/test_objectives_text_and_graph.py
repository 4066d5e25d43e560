"""Masked text and missing links of a graph: which graph a row has, and the loss from its parts."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from train_world import REQUIRED, batch_of, network_of, vocabulary

from seedbed.core.errors import InputError
from seedbed.data.artifact import TokenFile
from seedbed.data.batch import Batch
from seedbed.data.metadata import Metadata
from seedbed.models.graph import EXTRA, FILE, GraphSide
from seedbed.objectives import objectives

TEXTS = ["Ada Vil met Cy.", "Nobody came.", "DEE and Bo", "Eli"]
GIVEN = REQUIRED["text_and_graph"]


class Told(Metadata):
    """The documents' texts, without a corpus."""

    def __init__(self) -> None:
        pass

    def column(self, name: str) -> list[Any]:
        assert name == "text"
        return TEXTS


def told_batch() -> Batch:
    """A row of documents 2 and 0, one of 1, one of 0, one of 3."""
    rows = [[[2, 10, 11, 12], [2, 20, 21]], [[2, 30, 31, 32, 33]], [[2, 40, 41, 42, 43, 44, 45]], [[2, 50]]]
    batch = batch_of(rows)
    batch.pieces_N6[:, 4] = [2, 0, 1, 0, 3]
    count = np.arange(len(TEXTS))
    names = [str(number) for number in count]
    batch.files = (TokenFile(np.arange(9), count, count, count, names, metadata=Told()),)
    return batch


def made(**parameters: Any) -> Any:
    objective = objectives.create("text_and_graph", **{**GIVEN, **parameters})
    objective.bind(vocabulary())
    return objective


def test_a_row_has_the_graph_of_its_first_text() -> None:
    objective = made(nodes=8, hops=1, held=0.0)
    found = objective.corrupt(told_batch(), seed=1, progress=0.0)
    graph, types_BNN = objective.graph, found.graphs.types_BNN
    meets = types_BNN[:, 0] == graph.num_types - 1
    names = [
        {graph.entities[number - 2] for number in found.graphs.nodes_BN[row][meets[row]].tolist()} for row in range(4)
    ]
    assert names == [{"dee", "bo"}, set(), {"ada vil", "cy"}, {"eli"}]
    shown = [{graph.entities[n - 2] for n in row if n > 1} for row in found.graphs.nodes_BN.tolist()]
    assert shown[1] == set() and shown[3] == {"eli", "bo", "dee"}
    assert not len(found.weight_P), "nothing is held out"
    plain = objective.masking.corrupt(told_batch(), seed=1, progress=0.0)
    assert np.array_equal(found.tokens_BL, plain.tokens_BL) and np.array_equal(found.where_T, plain.where_T)


def test_the_loss_is_that_of_masks_and_links() -> None:
    objective, network = made(rate=0.5, held=0.5, negatives=3, weight=0.7, nodes=8), network_of("bidirectional", 2)
    objective.prepare(network, 4)
    examples = objective.corrupt(told_batch(), seed=3, progress=0.0)
    rows = examples.graphs.row_P
    assert len(rows) > 2 and 1 not in rows
    words_B = [5, 4, 6, 1]
    weights = [0.5 * words_B[row] / (rows == row).sum() for row in rows]
    assert examples.weight_P == pytest.approx(weights)

    given = examples.to("cpu")
    loss = objective.loss(network, given)
    with torch.no_grad():
        side: GraphSide = network.extra[EXTRA]
        states = given.tokens_BL, given.segments_BL, given.positions_BL
        hidden_BLD, nodes_BNG = side.read(network, *states, given.graphs)
        log_p = network.logits(hidden_BLD.flatten(0, 1)).double().log_softmax(-1)
        masked = -sum(float(log_p[w, t]) for w, t in zip(given.where_T, given.targets_T, strict=True))
        right_P, wrong_PK = side.link_scores(nodes_BNG, given.graphs)
    links = [
        (-np.log(1 / (1 + np.exp(-right))) - np.mean(np.log(1 - 1 / (1 + np.exp(-wrong))))) / 2
        for right, wrong in zip(right_P.double().numpy(), wrong_PK.double().numpy(), strict=True)
    ]
    assert float(loss.sum.detach()) == pytest.approx(masked + 0.7 * np.dot(weights, links), rel=1e-5)
    assert loss.count == len(given.where_T)
    logged = {name: float(value) / count for name, (value, count) in loss.logged().items()}
    assert logged["links.loss"] == pytest.approx(np.mean(links), rel=1e-5)
    assert logged["masked.loss"] == pytest.approx(masked / loss.count, rel=1e-5)
    assert logged["links.accuracy"] == pytest.approx(float((right_P[:, None] > wrong_PK).float().mean()))


def test_the_side_is_kept_beside_the_model(tmp_path: Path) -> None:
    objective, network = made(), network_of("bidirectional", 2)
    objective.prepare(network, 4)
    side = network.extra[EXTRA]
    objective.export(network)
    objective.save(tmp_path)
    assert EXTRA not in network.extra and (tmp_path / FILE).is_file()
    loaded = GraphSide.load(tmp_path, network.width)
    assert loaded is not None
    for (name, one), (_, other) in zip(side.named_parameters(), loaded.named_parameters(), strict=True):
        assert torch.equal(one, other), name


def test_the_graph_costs_its_part() -> None:
    objective, network = made(nodes=8, width=16, heads=2), network_of("bidirectional", 2)
    plain = network.architecture.flops_per_token(10, 0.15)
    nodes = 8 * (8 * 16 * 16 + 2 * 8 * 16 + 2 * objective.graph.num_types * 16)
    exchange = 2 * (network.width + 16) ** 2
    assert objective.flops_per_token(network.architecture, 10, 0.15) == pytest.approx(
        plain + 6 * (nodes + exchange) / 10
    )


def test_numbers_out_of_range_are_named() -> None:
    wrong = {"heads": 3, "nodes": 2, "held": 1.0, "width": 0, "fused": 0, "hops": 0, "negatives": 0, "weight": -1.0}
    for name, value in wrong.items():
        with pytest.raises(InputError, match=name):
            made(**{name: value})
    with pytest.raises(InputError, match="2 layers"):
        made(fused=3).prepare(network_of("bidirectional", 2), 0)
