"""Batches that grow and rows that grow longer."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from interruption import resumed_equals_whole
from train_world import LENGTH, MadeStream, Watch, batch_of, make_run, train, weights

from seedbed.core.errors import InputError
from seedbed.data.batch import Batch
from seedbed.objectives import objectives
from seedbed.train import interventions


def rows_of(watch: Watch) -> list[int]:
    return [len(batch.rows_B) for batch in watch.batches]


def shapes_of(watch: Watch) -> list[tuple[int, ...]]:
    return [batch.tokens_BL.shape for batch in watch.batches]


def test_batch_size_follows_the_schedule_of_progress() -> None:
    watch = Watch()
    chosen = [watch, interventions.create("batch_size", schedule={"linear": {"start": 0.25, "end": 1.0}})]
    run = train(None, steps=4, rows=8, interventions=chosen)
    assert rows_of(watch) == [2, 4, 5, 6], "8 (1 + 3 p) / 4 at p = 0, 1/4, 1/2, 3/4; half a row goes to the even number"
    assert run.step == 4


def test_batch_size_with_a_budget_of_tokens_ends_at_the_budget() -> None:
    """Progress is that of tokens: as many tokens as without, in more steps."""
    watch, plain = Watch(), Watch()
    goal = (2000, "tokens")
    grown = train(None, rows=8, goal=goal, interventions=[watch, interventions.create("batch_size")])
    fixed = train(None, rows=8, goal=goal, interventions=[plain])
    assert min(grown.tokens, fixed.tokens) >= 2000 and max(grown.tokens, fixed.tokens) < 2000 + 8 * LENGTH
    rows = rows_of(watch)
    assert rows[0] == 2 and max(rows) == 8 and rows == sorted(rows)
    assert grown.step > fixed.step


@pytest.mark.parametrize("goal", [(12, "steps"), (1200, "tokens")])
@pytest.mark.parametrize("name", ["batch_size", "row_length"])
@pytest.mark.parametrize("killed_at", [4, 6, 9])
def test_resume(goal: tuple[int, str], name: str, killed_at: int, tmp_path: Path) -> None:
    def settings() -> dict[str, Any]:
        hook = interventions.create(name, schedule={"linear": {"start": 0.2, "end": 1.0}})
        return {"goal": goal, "interventions": [hook]}

    resumed_equals_whole(tmp_path, settings, killed_at)


def test_row_length_keeps_order_and_tokens() -> None:
    watch, plain = Watch(), Watch()
    schedule = {"phases": {"start": 0.25, "parts": ["50%", "25% to 0.5", "25% to 1"]}}
    hook = interventions.create("row_length", schedule=schedule, shortest=4)
    cut = train(None, steps=8, rows=8, interventions=[hook, watch])
    whole = train(None, steps=8, rows=8, interventions=[plain])
    assert shapes_of(watch) == [(32, 4)] * 4 + [(32, 4), (32, 4), (16, 8), (16, 8)]
    assert shapes_of(plain) == [(8, 16)] * 8
    assert (cut.tokens, cut.positions) == (whole.tokens, whole.positions)
    assert cut.stream.state_dict() == whole.stream.state_dict()


@pytest.mark.parametrize(
    ("share", "shortest", "parts"), [(1.0, 8, 1), (0.6, 8, 2), (0.5, 8, 2), (0.25, 8, 4), (0.01, 8, 16), (0.1, 50, 2)]
)
def test_the_number_of_parts(share: float, shortest: int, parts: int) -> None:
    hook = interventions.create("row_length", schedule={"constant": {"value": share}}, shortest=shortest)
    assert hook.parts(128, 0.5) == parts


rows_of_pieces = st.lists(
    st.lists(st.integers(1, 9), min_size=1, max_size=5).filter(lambda sizes: sum(sizes) <= 18), min_size=1, max_size=4
)


@settings(max_examples=150, deadline=None)
@given(rows=rows_of_pieces, parts=st.integers(1, 5))
def test_cut_token_by_token(rows: list[list[int]], parts: int) -> None:
    """Against a walk over every token."""
    number = iter(range(5, 500))
    batch = batch_of([[[next(number) for _ in range(size)] for size in sizes] for sizes in rows], 18, first_row=7)
    cut = batch.cut(parts)
    length = -(-18 // parts)
    assert cut.tokens_BL.shape == (len(rows) * parts, length)
    assert cut.num_tokens == batch.num_tokens
    seen = set()
    for row, column in np.argwhere(batch.segments_BL >= 0):
        place = (row * parts + column // length, column % length)
        seen.add(tuple(int(number) for number in place))
        assert cut.tokens_BL[place] == batch.tokens_BL[row, column]
        start = column - column % length
        first = max(start, int(column - batch.positions_BL[row, column]))
        assert cut.positions_BL[place] == column - first
        assert cut.segments_BL[place] == batch.segments_BL[row, column] - batch.segments_BL[row, start]
    assert seen == {tuple(place) for place in np.argwhere(cut.segments_BL >= 0).tolist()}
    assert (cut.segments_BL[:, 0] <= 0).all(), "numbered from 0"
    originals = {(piece[0], piece[4]): piece for piece in batch.pieces_N6.tolist()}
    covered = 0
    for row, column, size, _, document, first in cut.pieces_N6.tolist():
        whole = originals[row // parts, document]
        begin = whole[1] + first - whole[5]
        assert (
            cut.tokens_BL[row, column : column + size].tolist()
            == batch.tokens_BL[row // parts, begin : begin + size].tolist()
        )
        assert len(set(cut.segments_BL[row, column : column + size])) == 1
        covered += size
    assert covered == batch.num_tokens


def test_counters_of_cut_rows_are_unique_over_the_run() -> None:
    """Whatever a row is cut into, no two rows of a run draw the same numbers."""
    stream, seen = MadeStream(1), []
    for parts in (4, 2, 1, 8):
        batch = stream.next(6)
        seen += batch.cut(parts).rows_B.tolist()
    assert len(set(seen)) == 6 * (4 + 2 + 1 + 8)
    assert batch.cut(1).rows_B.tolist() == batch.rows_B.tolist()
    mlm: Any = objectives.create("mlm", rate=0.5)
    run = make_run(mlm)
    tokens = np.full((1, 16), 20)
    one = Batch(
        tokens, np.zeros_like(tokens), np.arange(16)[None], np.array([3]), np.array([[0, 0, 16, 0, 0, 0]]), ("a",)
    )
    hidden = run.objective.corrupt(one.cut(2), seed=1, progress=0.0).where_T
    assert set(hidden[hidden < 8]) != set(hidden[hidden >= 8] - 8), "the halves are hidden differently"


def test_a_plain_row_stays_plain() -> None:
    one = batch_of([[list(range(5, 21))]])
    assert one.is_plain and one.cut(4).is_plain


def test_uncut_rows_are_left_alone() -> None:
    hook = interventions.create("row_length", schedule={"constant": {"value": 1.0}})
    one, other = train(None, steps=3, interventions=[hook]), train(None, steps=3)
    assert all((value == weights(other)[name]).all() for name, value in weights(one).items())


@pytest.mark.parametrize("name", ["batch_size", "row_length"])
def test_a_schedule_that_depends_on_the_batch_is_refused(name: str) -> None:
    with pytest.raises(InputError, match="learning rates"):
        interventions.create(name, schedule="power")
    with pytest.raises(InputError, match="shortest"):
        interventions.create("row_length", shortest=0)
