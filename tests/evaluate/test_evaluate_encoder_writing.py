"""Encoders that write: what sees what, and that they learn to."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from test_evaluate_text_to_text import MARKS, SIZE, model_of

from seedbed.core.errors import InputError
from seedbed.evaluate import tasks
from seedbed.evaluate.encoder_writing import MaskedWriter, ParallelWriter, Way, encoder_writer
from seedbed.evaluate.finetuning import Training
from seedbed.evaluate.summary import lines, summarize
from seedbed.evaluate.task import EvaluationContext
from seedbed.models import backbones
from seedbed.models.network import Ranks

MASK = 4


def network_of() -> Any:
    sizes = {"layers": 2, "width": 32, "heads": 2, "max_length": 64, "kernel": "products"}
    return backbones.create("encoder", **sizes).network(SIZE + 2, 5, pad=0)


def pairs_of(seed: int) -> list[tuple[list[int], list[int]]]:
    random_ = np.random.default_rng(seed)
    sources = [random_.integers(5, SIZE, size).tolist() for size in (2, 3, 9, 4)]
    return list(zip(sources, [random_.integers(5, SIZE, size).tolist() for size in (2, 0, 6, 4)], strict=True))


def slow_logits(network: Any, source: list[int], written: list[int], masks: tuple[int, ...] = ()) -> torch.Tensor:
    """Of the token behind what is written, by a mask there; each token in a call of its own would see the same."""
    tokens = torch.tensor([[*source, MARKS.end, *(MASK if n in masks else t for n, t in enumerate(written)), MASK]])
    prefix = np.arange(tokens.shape[1])[None] < len(source) + 1
    ranks = Ranks.of_prefix(prefix)
    given = Ranks(torch.tensor(ranks.shown_BL), torch.tensor(ranks.sees_BL.copy()))
    with torch.no_grad():
        return network.logits(network.hidden(tokens, None, None, given)[:, -1]).double()[0]


def test_pseudo_masks_give_what_one_mask_at_the_end_gives() -> None:
    network, pairs = network_of(), pairs_of(0)
    nats = MaskedWriter(network, MARKS, None, MASK).nats(pairs)
    for (source, target), found in zip(pairs, nats, strict=True):
        whole = [*target, MARKS.end]
        logits = [slow_logits(network, source, target[:n]).log_softmax(-1) for n in range(len(whole))]
        assert found == pytest.approx(
            sum(-float(row[token]) for row, token in zip(logits, whole, strict=True)), rel=1e-5
        )


def test_no_target_is_seen_before_its_turn() -> None:
    """The gradient of each prediction in what stands in the row."""
    writer = MaskedWriter(network_of(), MARKS, None, MASK)
    (source, target) = pairs_of(1)[2]
    examples = writer.examples([(source, target)])
    x = writer.network.embedding(examples.tokens_BL).detach().requires_grad_()
    given = {"dtype": torch.float32, "kernel": "products", "ranks": examples.ranks}
    hidden = writer.network.states(x, examples.segments_BL, examples.positions_BL, **given)
    read = len(source) + 1
    for number, place in enumerate(examples.where_T.tolist()):
        (gradient,) = torch.autograd.grad(hidden[0, place].square().sum(), x, retain_graph=True)
        seen = np.flatnonzero(gradient[0].abs().sum(-1).numpy())
        assert seen.tolist() == [*range(read + number), place]
        assert int(examples.positions_BL[0, place]) == read + number
    (gradient,) = torch.autograd.grad(hidden[0, :read].square().sum(), x)
    assert np.flatnonzero(gradient[0].abs().sum(-1).numpy()).tolist() == list(range(read)), "nor by the source"


def test_masks_in_place_are_half_of_a_target() -> None:
    writer = MaskedWriter(network_of(), MARKS, None, MASK, pseudo=False)
    pairs = [([7, 8], list(range(10, 29)))] * 400
    examples = writer.masked(pairs, 3)
    rows, columns = np.divmod(examples.where_T.numpy(), examples.tokens_BL.shape[1])
    assert len(rows) / (400 * 20) == pytest.approx(0.5, abs=0.02)
    whole = np.array([7, 8, MARKS.end, *range(10, 29), MARKS.end])
    assert (examples.targets_T.numpy() == whole[columns]).all()
    shown = examples.tokens_BL.numpy()[:, : len(whole)]
    assert ((shown == MASK) | (shown == whole)).all() and (shown == MASK).sum() == len(rows)
    assert len(np.unique(writer.masked([([7], [])] * 30, 4).where_T.numpy())) == 30, "the end alone is masked then"


@pytest.mark.parametrize(
    ("way", "epochs", "lr"), [("masked", 20, 8e-3), ("pseudo_masked", 20, 8e-3), ("parallel", 40, 3e-3)]
)
def test_it_learns_to_write_what_depends_on_the_source(way: Way, epochs: int, lr: float, tmp_path: Path) -> None:
    vocabulary = model_of("encoder", tmp_path).tokenizer().vocabulary()
    writer = encoder_writer(way, network_of(), MARKS, None, vocabulary, 4)
    random_ = np.random.default_rng(1)
    pairs = [([token], [token + 1]) for token in random_.integers(5, 9, 64).tolist()]
    writer.fit(pairs[:48], training=Training(epochs=epochs, batch_size=8, lr=lr), seed=0)
    written = writer.write([source for source, _ in pairs[48:]], 4)
    assert np.mean([said == target for said, (_, target) in zip(written, pairs[48:], strict=True)]) > 0.7


def test_a_parallel_writer_reads_its_last_pass() -> None:
    network, pairs = network_of(), pairs_of(2)
    sources = [source for source, _ in pairs]
    one, two = (ParallelWriter(network, MARKS, None, passes) for passes in (1, 2))
    assert one.nats(pairs) is None
    assert one.write(sources, 5) == one.write(sources, 5)
    assert one.write(sources[:1], 5) == one.write(sources, 5)[:1]
    assert all(len(text) <= 6 and min(text, default=5) >= 5 for text in two.write(sources, 5))


@pytest.mark.parametrize("way", ["pseudo_masked", "parallel"])
def test_the_task(way: str, tmp_path: Path) -> None:
    model = model_of("encoder", tmp_path)
    records = [{"source": f"{n} is a number", "target": "yes" if n % 4 else "no"} for n in range(40)]
    (tmp_path / "data.jsonl").write_text("".join(json.dumps(record) + "\n" for record in records))
    given = {"data": tmp_path / "data.jsonl", "epochs": 1.0, "max_target": 6, "bidirectional": way, "passes": 2}
    result = tasks.create("text_to_text", **given).run(EvaluationContext(model, seeds=1))
    runs = {run.system: run for run in result.runs}
    summary = summarize(result, 0)
    assert len(lines("written", summary)) == 5
    assert "bits_per_byte" not in summary["systems"]["lead"], "a system has the metrics that it has"
    assert set(runs) == {"model", "untrained", "lead", "frequent"}
    assert ("bits_per_byte" in runs["model"].measures) == (way != "parallel")
    with pytest.raises(InputError, match="passes"):
        tasks.create("text_to_text", data=tmp_path / "data.jsonl", passes=0)
