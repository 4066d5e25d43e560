"""Metadata before and after documents: seen, not learned, gone in the cooldown."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from interruption import resumed_equals_whole
from pretrain_world import World
from train_world import LENGTH, Watch, batch_of, make_loop, make_run, train

from seedbed.core.errors import InputError
from seedbed.data.batch import Batch
from seedbed.train import interventions
from seedbed.train.intervention import Intervention

LINES = [[], [50], [51, 52], [53, 54, 55]]


def lines_for(number: int, offset: int = 0) -> list[list[int]]:
    return [LINES[(index + offset) % 4] for index in range(number)]


def joined(batch: Batch) -> Batch:
    batch.segments_BL = np.where(batch.segments_BL >= 0, 0, -1)
    batch.positions_BL = np.where(batch.segments_BL >= 0, np.arange(batch.tokens_BL.shape[1]), 0)
    return batch


@settings(max_examples=100, deadline=None)
@given(
    rows=st.lists(st.lists(st.integers(1, 5), min_size=1, max_size=4), min_size=1, max_size=4),
    offset=st.integers(0, 3),
    as_one=st.booleans(),
)
def test_framed_token_by_token(rows: list[list[int]], offset: int, as_one: bool) -> None:
    """Against rows that are written down piece by piece."""
    number = iter(range(5, 200))
    batch = batch_of([[[next(number) for _ in range(size)] for size in sizes] for sizes in rows], 20, first_row=3)
    batch = joined(batch) if as_one else batch
    before, after = lines_for(len(batch.pieces_N6)), lines_for(len(batch.pieces_N6), offset)
    framed = batch.framed(before, after)
    wanted: list[list[tuple[int, int, int]]] = [[] for _ in rows]  # token, segment, seen
    for piece, (row, column, size, _, document, _) in enumerate(batch.pieces_N6.tolist()):
        segment = 0 if as_one else document % 100
        wanted[row] += [(token, -1, segment) for token in before[piece]]
        assert framed.pieces_N6[piece, 1] == len(wanted[row])
        text = batch.tokens_BL[row, column : column + size].tolist()
        wanted[row] += [(token, segment, segment) for token in [*text, *after[piece]]]
    width = max(20, *map(len, wanted))
    for row, places in enumerate(wanted):
        full = [*places, *[(0, -1, -1)] * (width - len(places))]
        found = zip(framed.tokens_BL[row], framed.segments_BL[row], framed.seen_BL[row], strict=True)
        assert [tuple(map(int, place)) for place in found] == full
        seen = [place[2] for place in full]
        positions = [column - seen.index(segment) if segment >= 0 else 0 for column, segment in enumerate(seen)]
        assert framed.positions_BL[row].tolist() == positions
    assert framed.num_tokens == batch.num_tokens + sum(map(len, after))
    assert framed.rows_B.tolist() == batch.rows_B.tolist()
    part = framed.select(slice(0, 1))
    assert part.seen_BL.tolist() == framed.seen_BL[:1].tolist()


def test_a_batch_of_no_document_stays_as_it_is() -> None:
    empty = batch_of([[]])
    assert empty.framed([], []) is empty


FILES = {"made": SimpleNamespace(domains=[f"kind {index % 3}" for index in range(100_000)])}


def encode(text: str) -> list[int]:
    return [5 + ord(letter) % 50 for letter in text]


def settings_of(*more: Intervention, **parameters: Any) -> dict[str, Any]:
    hook = interventions.create("metadata", column="domain", **parameters)
    return {"objective": "clm", "interventions": [hook, *more], "steps": 10, "files": FILES, "encode": encode}


@pytest.mark.parametrize("position", ["before", "after"])
def test_until_the_cooldown(position: str) -> None:
    watch, plain = Watch(), Watch()
    run = train(None, **settings_of(watch, position=position, cooldown=0.3))
    other = train(None, "clm", interventions=[plain], steps=10)
    assert [batch.seen_BL is not None for batch in watch.batches] == [True] * 7 + [False] * 3
    assert run.tokens == other.tokens and run.stream.state_dict() == other.stream.state_dict()
    batch, bare = watch.batches[0], plain.batches[0]
    line = len(encode("kind 0\n"))
    assert batch.tokens_BL.shape[1] > LENGTH
    for mine, theirs in zip(batch.pieces_N6.tolist(), bare.pieces_N6.tolist(), strict=True):
        row, column, size, _, document, _ = mine
        assert (row, size, document) == (theirs[0], theirs[2], theirs[4])
        text = batch.tokens_BL[row, column : column + size].tolist()
        assert text == bare.tokens_BL[row, theirs[1] : theirs[1] + size].tolist()
        place = slice(column - line, column) if position == "before" else slice(column + size, column + size + line)
        assert batch.tokens_BL[row, place].tolist() == encode(f"kind {document % 3}\n")
    learned = sum(line * len(batch.pieces_N6) for batch in watch.batches[:7]) if position == "after" else 0
    assert run.targets == other.targets + learned


def test_before_is_seen_and_not_learned() -> None:
    """The targets are the text's own; what stands before changes their losses; no loss asks for it."""
    run = make_run("clm")
    batch = run.stream.next(4)
    count = len(batch.pieces_N6)
    losses = []
    for line in ([50, 51], [52, 53]):
        framed = batch.framed([line] * count, [[]] * count)
        loop = make_loop(run, None, micro_tokens=1000)
        ((_, examples),) = loop.passes.examples(framed, slice(0, 3), 0, 0.0)
        tokens, where = framed.tokens_BL[:3].ravel(), examples.where_T
        assert (tokens[where + 1] == examples.targets_T).all()
        assert (framed.segments_BL[:3].ravel()[where] >= 0).all()
        assert (framed.segments_BL[:3].ravel()[where + 1] >= 0).all()
        plain = run.objective.corrupt(batch.select(slice(0, 3)), seed=0, progress=0.0)
        assert examples.targets_T.tolist() == plain.targets_T.tolist()
        losses.append(float(run.objective.loss(run.network, examples.to("cpu")).sum.detach()))
    assert abs(losses[0] - losses[1]) > 1e-4


def test_a_piece_with_its_line_is_that_text_alone() -> None:
    """Isolation: in packed rows a piece after its line gets what the two would get in a row of their own."""
    network = make_run("clm").network
    batch = batch_of([[[7, 8, 9], [10, 11, 12, 13]]], 8).framed([[50, 51], [52]], [[], []])
    tensors = [torch.from_numpy(array) for array in (batch.tokens_BL, batch.seen_BL, batch.positions_BL)]
    with torch.no_grad():
        packed = network.hidden(*tensors)[0, 5:10]
        alone = network.hidden(torch.tensor([[52, 10, 11, 12, 13]]))[0]
    torch.testing.assert_close(packed, alone, rtol=1e-5, atol=1e-5)


def test_masked_models_never_hide_the_line() -> None:
    run = make_run("mlm")
    batch = run.stream.next(3)
    framed = batch.framed([[50, 51, 52]] * len(batch.pieces_N6), [[]] * len(batch.pieces_N6))
    ((_, examples),) = make_loop(run, None, micro_tokens=1000).passes.examples(framed, slice(0, 3), 0, 0.0)
    given = (framed.segments_BL < 0) & (framed.seen_BL >= 0)
    assert (examples.tokens_BL[given] == framed.tokens_BL[given]).all()
    assert not set(examples.where_T.tolist()) & set(np.flatnonzero(given).tolist())


@pytest.mark.parametrize("position", ["before", "after"])
@pytest.mark.parametrize("killed_at", [3, 7, 9])
def test_resume(position: str, killed_at: int, tmp_path: Path) -> None:
    resumed_equals_whole(tmp_path, lambda: settings_of(position=position), killed_at)


def test_with_rows_that_are_cut() -> None:
    cut = interventions.create("row_length", schedule={"constant": {"value": 0.5}}, shortest=4)
    line = interventions.create("metadata", column="domain")
    train(None, "clm", interventions=[cut, line], steps=3, files=FILES, encode=encode)
    with pytest.raises(InputError, match="list it before metadata"):
        train(None, "clm", interventions=[line, cut], steps=3, files=FILES, encode=encode)


def test_through_pretrain(world: World) -> None:
    """A source's own name, by the run's own tokenizer: the loss is another one, the tokens are the same."""
    plain = world.pretrain(budget="6 steps", validate_every=0)
    lined = world.pretrain(budget="6 steps", validate_every=0, interventions=[{"metadata": {"cooldown": 0.5}}])
    ours, theirs = (
        [json.loads(line) for line in (artifact.path / "metrics.jsonl").read_text().splitlines()]
        for artifact in (lined, plain)
    )
    assert [line["tokens"] for line in ours] == [line["tokens"] for line in theirs]
    assert ours[0]["loss"] != theirs[0]["loss"]
    assert lined.counts["padding"] > plain.counts["padding"]


def test_bad_parameters_are_named() -> None:
    for parameters, named in (({"cooldown": 1.5}, "cooldown"), ({"column": "color"}, "column")):
        with pytest.raises(InputError, match=named):
            interventions.create("metadata", **parameters)
    none = {"files": {"made": SimpleNamespace(domains=[])}}
    with pytest.raises(InputError, match="no domains"):
        train(None, "clm", interventions=[interventions.create("metadata", column="domain")], **none)
