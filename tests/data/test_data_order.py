"""Chunks, permutations and one pass for evaluation, against slow formulas."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from seedbed.data.order import Chunks, Cursor, Mixer
from seedbed.data.passes import one_pass


def chunks_by_hand(size, length):
    """(start, length) of a document's chunks: full ones and a rest, a rest of one token takes one more."""
    found = [[start, min(length, size - start)] for start in range(0, size, length)]
    if len(found) > 1 and found[-1][1] == 1:
        found[-2][1] -= 1
        found[-1] = [found[-1][0] - 1, 2]
    return [tuple(pair) for pair in found]


@settings(max_examples=150, deadline=None)
@given(lengths=st.lists(st.integers(0, 40), max_size=20), length=st.integers(4, 12))
def test_chunks(lengths, length, token_file):
    chunks = Chunks(token_file(lengths), length)
    expected = [(d, *chunk) for d, size in enumerate(lengths) for chunk in chunks_by_hand(size, length)]
    assert chunks.number == len(expected)
    columns = chunks.look_up(np.arange(chunks.number))
    assert list(zip(*(column.tolist() for column in columns), strict=True)) == expected


def test_cursor_goes_through_permutations(token_file):
    file = token_file([3] * 2500)  # more than two blocks
    cursor = Cursor(file, Chunks(file, 8), "a", seed=3)
    epochs = [[cursor.next()[0] for _ in range(2500)] for _ in range(2)]
    assert [sorted(epoch) == list(range(2500)) for epoch in epochs] == [True, True]
    assert epochs[0] != epochs[1]
    fixed = sum(a == b for a, b in zip(*epochs, strict=True))
    assert fixed < 10  # one is expected
    neighbors = np.corrcoef(epochs[0][:-1], epochs[0][1:])[0, 1]
    assert abs(neighbors) < 0.1
    other = Cursor(file, Chunks(file, 8), "a", seed=3)
    other.move(1, 1700)
    assert [other.next()[0] for _ in range(800)] == epochs[1][1700:]


def test_mixer_is_never_a_chunk_away_from_the_weights(token_file):
    rng = np.random.default_rng(0)
    sources = {name: token_file(rng.integers(2, 30, 300)) for name in "abc"}
    weights = {"a": 0.6, "b": 0.3, "c": 0.1}
    mixer = Mixer(sources, weights, 16, 0)
    drawn = Counter()
    for _ in range(3000):
        piece = mixer.next()
        drawn[mixer.names[piece[0]]] += piece[3]
        total = sum(drawn.values())
        for name, weight in weights.items():
            assert abs(drawn[name] - weight * total) <= 2 * 16


@settings(max_examples=80, deadline=None)
@given(lengths=st.lists(st.integers(0, 60), max_size=30), rows=st.integers(1, 7))
def test_one_pass_has_every_token_once(lengths, rows, token_file):
    file = token_file(lengths)
    tokens, numbers = [], []
    for batch in one_pass(file, 16, 0, rows, "held out"):
        assert batch.tokens_BL.shape[1] == 16 and len(batch.rows_B) <= rows
        assert batch.sources == ("held out",)
        tokens += batch.tokens_BL[batch.segments_BL >= 0].tolist()
        numbers += batch.rows_B.tolist()
        for row, column, length, _, document, _ in batch.pieces_N6.tolist():
            part = batch.tokens_BL[row, column : column + length]
            assert np.isin(part, file.document(document)).all()
            assert batch.positions_BL[row, column : column + length].tolist() == list(range(length))
    assert sorted(tokens) == file.tokens.tolist()
    assert numbers == list(range(len(numbers)))


def test_one_pass_rows_do_not_depend_on_the_batch(token_file):
    file = token_file(np.random.default_rng(0).integers(0, 60, 300))
    passes = [np.concatenate([b.tokens_BL for b in one_pass(file, 32, 0, rows)]) for rows in (1, 7, 1000)]
    np.testing.assert_array_equal(passes[0], passes[1])
    np.testing.assert_array_equal(passes[0], passes[2])
    assert (passes[0] > 0).mean() > 0.95, "hardly any padding"


@pytest.mark.long
def test_a_batch_is_filled_in_under_two_milliseconds(token_file):
    import time

    from seedbed.data import samplers

    stream = samplers.create("packed").stream({"a": token_file([22] * 100_000)}, {"a": 1.0}, 128, 0, 0)
    stream.next(32)
    times = []
    for _ in range(200):
        start = time.perf_counter()
        stream.next(32)
        times.append(time.perf_counter() - start)
    assert np.median(times) < 2e-3
