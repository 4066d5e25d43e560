"""The Poisson sampler: every document by itself, with the stated probability, in a row of its own.

It promises other things than the samplers of `test_data_samplers.py`: its batches have no fixed size, and there are no
epochs.
"""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

from seedbed.core.errors import InputError
from seedbed.data import samplers

LENGTH, PAD = 16, 1


def make(sources: dict[str, Any], weights: dict[str, float] | None = None, seed: int = 0) -> Any:
    return samplers.create("poisson").stream(sources, weights or dict.fromkeys(sources, 1.0), LENGTH, PAD, seed)


def same(a: Any, b: Any) -> None:
    for name in ("tokens_BL", "segments_BL", "positions_BL", "rows_B", "pieces_N6"):
        np.testing.assert_array_equal(getattr(a, name), getattr(b, name), err_msg=name)


def test_every_document_comes_with_the_stated_probability_and_by_itself(token_file: Any) -> None:
    file = token_file([5] * 60)
    stream = make({"a": file})
    assert stream.rates(12) == [0.2] and stream.num_documents == 60
    steps = 3000
    drawn = np.zeros((steps, 60))
    for step in range(steps):
        drawn[step, stream.next(12).pieces_N6[:, 4]] += 1
    assert drawn.max() == 1
    deviation = np.sqrt(0.2 * 0.8 / steps)
    assert np.abs(drawn.mean(0) - 0.2).max() < 4.5 * deviation
    # a step's size is binomial: what no shuffling gives
    assert abs(drawn.sum(1).var() / (60 * 0.2 * 0.8) - 1) < 0.15
    # two documents of one step, and one document in two steps, know nothing of each other
    related = np.corrcoef(drawn.T)[np.triu_indices(60, 1)]
    assert np.abs(related).max() < 5 / np.sqrt(steps) and abs(related.mean()) < 0.002
    later = [np.corrcoef(drawn[:-1, document], drawn[1:, document])[0, 1] for document in range(60)]
    assert np.abs(later).max() < 5 / np.sqrt(steps)


def test_a_row_is_a_document_or_a_window_of_one(token_file: Any) -> None:
    lengths = [1, 2, 9, 16, 17, 40, 64]
    file = token_file(lengths)
    stream = make({"a": file})
    starts: dict[int, set[int]] = {}
    for _ in range(400):
        batch = stream.next(3)
        assert (batch.pieces_N6[:, 0] == np.arange(len(batch.pieces_N6))).all() and (batch.pieces_N6[:, 1] == 0).all()
        for row, _, length, _, document, first in batch.pieces_N6.tolist():
            assert length == min(lengths[document], LENGTH)
            whole = file.document(document).tolist()
            assert batch.tokens_BL[row, :length].tolist() == whole[first : first + length]
            assert (batch.segments_BL[row] == np.where(np.arange(batch.tokens_BL.shape[1]) < length, 0, -1)).all()
            assert batch.positions_BL[row, :length].tolist() == list(range(length))
            assert (batch.tokens_BL[row, length:] == PAD).all()
            starts.setdefault(document, set()).add(first)
        assert batch.tokens_BL.shape[1] % 8 == 0
    assert starts == {1: {0}, 2: {0}, 3: {0}, 4: {0, 1}, 5: {0, 16, 24}, 6: {0, 16, 32, 48}}


def test_rows_are_numbered_and_tokens_counted(token_file: Any) -> None:
    stream = make({"a": token_file([5, 20, 40, 3] * 5)})
    batches = [stream.next(6) for _ in range(20)]
    numbers = np.concatenate([batch.rows_B for batch in batches])
    assert numbers.tolist() == list(range(len(numbers)))
    counts = stream.counts["a"]
    given = [batch for batch in batches if len(batch.pieces_N6)]
    assert counts["tokens"] == sum(batch.num_tokens for batch in given)
    assert counts["padded"] == sum(int((batch.segments_BL < 0).sum()) for batch in given)


def test_sources_have_shares_of_the_documents(token_file: Any) -> None:
    sources = {"a": token_file([5] * 50), "b": token_file([9] * 200, first=3000)}
    stream = make(sources, {"a": 1.0, "b": 3.0})
    assert stream.rates(20) == [5 / 50, 15 / 200]
    found = np.zeros(2)
    for _ in range(500):
        found += np.bincount(stream.next(20).pieces_N6[:, 3], minlength=2)
    assert np.abs(found / 500 - [5, 15]).max() < 0.8
    stream.weights["a"] = 0.0
    assert stream.rates(20) == [0.0, 0.1] and (stream.next(20).pieces_N6[:, 3] == 1).all()
    mirrored = make(dict(reversed(sources.items())), {"b": 3.0, "a": 1.0})
    same(make(sources, {"a": 1.0, "b": 3.0}).next(20), mirrored.next(20))


def test_resuming_is_exact(token_file: Any) -> None:
    sources = {"a": token_file([5, 20, 40, 3] * 9), "b": token_file([7] * 30, first=5000)}
    stream = make(sources, {"a": 0.3, "b": 0.7}, seed=2)
    for _ in range(5):
        stream.next(8)
    state = json.loads(json.dumps(stream.state_dict()))
    resumed = make(sources, seed=2)
    resumed.next(3)
    resumed.load_state_dict(state)
    for _ in range(5):
        same(stream.next(8), resumed.next(8))
    assert stream.counts == resumed.counts and stream.state_dict() == resumed.state_dict()
    packed = samplers.create("packed").stream(sources, {"a": 0.3, "b": 0.7}, LENGTH, PAD, 2)
    with pytest.raises(InputError, match="differs from the checkpoint's"):
        stream.load_state_dict(packed.state_dict())


def test_another_seed_draws_others(token_file: Any) -> None:
    sources = {"a": token_file([5] * 300)}
    drawn = [set(make(sources, seed=seed).next(100).pieces_N6[:, 4].tolist()) for seed in (1, 2)]
    assert drawn[0] != drawn[1]


def test_a_draw_may_be_empty(token_file: Any) -> None:
    stream = make({"a": token_file([5] * 1000)})
    stream.rates = lambda rows: [0.0]
    batch = stream.next(4)
    assert len(batch.rows_B) == 1 and len(batch.pieces_N6) == 0 and batch.num_tokens == 2
    assert batch.framed([], []) is batch
    assert stream.counts["a"]["tokens"] == stream.counts["a"]["documents"] == 0 and stream.num_rows == 1


def test_more_than_there_are_is_refused(token_file: Any) -> None:
    stream = make({"a": token_file([5] * 10 + [1] * 90)})
    assert len(stream.next(10).rows_B) == 10
    with pytest.raises(InputError, match="more documents a step than source a has"):
        stream.next(11)
