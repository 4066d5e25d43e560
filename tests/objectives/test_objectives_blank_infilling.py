"""Blank infilling, read back from its examples the slow way."""

from __future__ import annotations

from collections import Counter
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from train_world import MadeStream, batch_of, vocabulary

from seedbed.core.errors import InputError
from seedbed.objectives import Examples, objectives

WITH_SENTINELS = vocabulary(sentinels=8)
SHORT, LONG, BEGIN = WITH_SENTINELS.sentinels[:3]
END = 3


def bound(**settings: Any) -> Any:
    made = objectives.create("blank_infilling", **settings)
    made.bind(WITH_SENTINELS)
    return made


def read(examples: Examples) -> list[tuple[list[int], list[tuple[int, list[int]]]]]:
    """Of each text what is seen whole, and its pieces in their order with the blank that each one is placed at."""
    found = []
    assert examples.ranks is not None
    wanted = dict(zip(examples.where_T.tolist(), examples.targets_T.tolist(), strict=True))
    width = examples.tokens_BL.shape[1]
    for row, tokens in enumerate(examples.tokens_BL):
        for segment in range(examples.segments_BL[row].max() + 1):
            places = np.flatnonzero(examples.segments_BL[row] == segment)
            seen_by_all = examples.ranks.shown_BL[row] == 0
            assert (examples.ranks.sees_BL[row] == np.arange(width)).all()
            text = [place for place in places if seen_by_all[place]]
            assert [row * width + place in wanted for place in places] == [place not in text for place in places]
            assert examples.positions_BL[row][text].tolist() == list(range(len(text)))
            pieces: list[tuple[int, list[int]]] = []
            last = END
            for place in places[len(text) :]:
                token, position = int(tokens[place]), int(examples.positions_BL[row][place])
                if last == END:
                    assert token == BEGIN
                    pieces.append((position, []))
                else:
                    assert token == last, "what was predicted is read next"
                    pieces[-1][1].append(token)
                assert position == pieces[-1][0] + len(pieces[-1][1])
                last = wanted[row * width + place]
            assert last == END
            found.append((tokens[text].tolist(), pieces))
    return found


def filled(text: list[int], pieces: list[tuple[int, list[int]]]) -> list[int]:
    """The text with its pieces put back where they say they were."""
    by_place = dict(pieces)
    assert len(by_place) == len(pieces)
    assert sorted(by_place) == [place for place, token in enumerate(text) if token in (SHORT, LONG)]
    return [token for place, one in enumerate(text) for token in by_place.get(place, [one])]


@pytest.mark.parametrize("long", [0.0, 0.5, 1.0])
def test_pieces_put_back_give_the_text(long: float) -> None:
    batch = MadeStream(3).next(40)
    found = read(bound(rate=0.3, long=long).corrupt(batch, seed=1, progress=0.0))
    texts = [
        [int(token) for token in batch.tokens_BL[row][batch.segments_BL[row] == segment] if token >= 5]
        for row in range(40)
        for segment in range(batch.segments_BL[row].max() + 1)
    ]
    texts = [text for text in texts if len(text) > 1 or (text and long == 1)]
    if long in (0, 1):
        assert [filled(*pair) for pair in found] == texts
    else:
        assert {LONG in text for text, _ in found} == {True, False}
        assert all(filled(*pair) in texts or len(filled(*pair)) == 1 for pair in found)
    for text, pieces in found:
        if LONG in text:
            lost = len(pieces[0][1])
            assert len(pieces) == 1 and text[-1] == LONG and lost >= round(0.5 * (len(text) - 1 + lost))


def test_lengths_are_of_a_poisson_distribution_without_zero() -> None:
    batch = batch_of([[(5 + np.arange(400) % 59).tolist()]] * 60, length=400)
    found = read(bound(long=0.0).corrupt(batch, seed=2, progress=0.0))
    assert all(sum(len(piece) for _, piece in pieces) == 60 for _, pieces in found)
    lengths = [len(piece) for _, pieces in found for _, piece in pieces]
    assert np.mean(lengths) == pytest.approx(3 / (1 - np.exp(-3)), rel=0.04)
    counts = Counter(lengths)
    assert counts[2] / counts[1] == pytest.approx(1.5, rel=0.15)  # e^-3 3^2/2! over e^-3 3^1/1!


def test_every_order_of_pieces_is_as_likely() -> None:
    batch = batch_of([[list(range(5, 17))]] * 3000, length=16)
    found = read(bound(rate=0.25, mean_length=1.0, long=0.0).corrupt(batch, seed=4, progress=0.0))
    orders = Counter(
        tuple(np.argsort([place for place, _ in pieces]).tolist()) for _, pieces in found if len(pieces) == 3
    )
    assert len(orders) == 6
    assert max(orders.values()) < 1.4 * min(orders.values())
    in_order = read(bound(rate=0.25, long=0.0, shuffle=False).corrupt(batch, seed=4, progress=0.0))
    assert all(pieces == sorted(pieces) for _, pieces in in_order)


def test_long_blanks_have_all_lengths() -> None:
    batch = batch_of([[list(range(5, 15))]] * 2000, length=16)
    found = read(bound(long=1.0, shortest=0.5).corrupt(batch, seed=4, progress=0.0))
    lengths = Counter(len(pieces[0][1]) for _, pieces in found)
    assert sorted(lengths) == [5, 6, 7, 8, 9, 10]
    assert all(abs(lengths[inner] - 400) < 80 for inner in (6, 7, 8, 9))


def test_what_it_needs_is_asked_for() -> None:
    objective = objectives.create("blank_infilling")
    with pytest.raises(InputError, match="three sentinels"):
        objective.bind(vocabulary(sentinels=2))
    with pytest.raises(InputError, match="at its blank"):
        objective.prepare(SimpleNamespace(architecture=SimpleNamespace(positions="alibi")), 0)
    with pytest.raises(InputError, match="long"):
        objectives.create("blank_infilling", long=1.5)
