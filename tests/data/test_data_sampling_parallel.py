"""Rows of a text and its translation."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from seedbed.core.errors import InputError
from seedbed.data import samplers
from seedbed.data.artifact import TokenFile

LENGTH, PAD = 24, 1
Make = Callable[..., TokenFile]


def two(token_file: Make) -> dict[str, TokenFile]:
    """Documents 0 to 29 in one language, 10 to 39 in another that takes half as many tokens."""
    one = token_file([4 + n % 9 for n in range(30)])
    other = token_file([2 + n % 5 for n in range(30)])
    return {
        "a": replace(one, ids=[f"d{n}" for n in range(30)]),
        "b": replace(other, ids=[f"d{n + 10}" for n in range(30)]),
    }


def stream(sources: dict[str, TokenFile], weights: dict[str, float], seed: int = 0, **parameters: Any) -> Any:
    return samplers.create("parallel", **parameters).stream(sources, weights, LENGTH, PAD, seed)


def rows_of(batch: Any, sources: dict[str, TokenFile]) -> list[list[tuple[str, str, int, int]]]:
    """Of each row source, id, start and length of its pieces; tokens and segments are checked."""
    rows: list[list[tuple[str, str, int, int]]] = [[] for _ in batch.rows_B]
    for row, column, size, source, document, start in batch.pieces_N6.tolist():
        name = batch.sources[source]
        assert column == sum(piece[3] for piece in rows[row])
        tokens = sources[name].document(document)[start : start + size]
        assert np.array_equal(batch.tokens_BL[row, column : column + size], tokens)
        rows[row].append((name, sources[name].ids[document], start, size))
    for row, pieces in enumerate(rows):
        total = sum(piece[3] for piece in pieces)
        assert (batch.segments_BL[row, :total] == 0).all() and (batch.segments_BL[row, total:] == -1).all()
        assert batch.positions_BL[row, :total].tolist() == list(range(total))
    return rows


def test_rows_are_documents_and_their_translations(token_file: Make) -> None:
    sources = two(token_file)
    rows = rows_of(stream(sources, {"a": 1.0, "b": 1.0}).next(200), sources)
    for first, *rest in rows:
        if int(first[1][1:]) in range(10, 30):
            (second,) = rest
            assert second[1] == first[1] and second[0] != first[0]
            assert second[2] == 0 and second[3] == sources[second[0]].lengths[sources[second[0]].ids.index(second[1])]
        else:
            assert not rest
    firsts = [row[0][0] for row in rows if len(row) == 2]
    assert 0.2 < firsts.count("a") / len(firsts) < 0.8
    assert {row[0][1] for row in rows} == {f"d{n}" for n in range(40)}


def test_a_weight_of_zero_gives_translations_only(token_file: Make) -> None:
    sources = two(token_file)
    rows = rows_of(stream(sources, {"a": 1.0, "b": 0.0}).next(60), sources)
    assert {row[0][0] for row in rows} == {"a"} and {row[1][0] for row in rows if len(row) > 1} == {"b"}


def test_a_share_of_documents_has_its_translation_with_it(token_file: Make) -> None:
    sources = two(token_file)
    with_one: list[set[str]] = []
    for seed in (0, 1):
        rows = rows_of(stream(sources, {"a": 1.0, "b": 1.0}, seed, share=0.5).next(300), sources)
        pairs = {row[0][1] for row in rows if len(row) == 2}
        assert not pairs & {row[0][1] for row in rows if len(row) == 1}
        with_one.append(pairs)
    assert with_one[0] == with_one[1] and 4 <= len(with_one[0]) <= 16
    alone = rows_of(stream(sources, {"a": 1.0, "b": 1.0}, share=0.0).next(100), sources)
    assert all(len(row) == 1 for row in alone)


def test_long_documents_are_cut_in_step(token_file: Make) -> None:
    one, other = token_file([30, 12]), token_file([60, 12])
    sources = {"a": replace(one, ids=["x", "y"]), "b": replace(other, ids=["x", "z"])}
    rows = rows_of(stream(sources, {"a": 1.0, "b": 0.0}).next(40), sources)
    found = {(row[0][2], row[0][3]): (row[1][2], row[1][3]) for row in rows if row[0][1] == "x"}
    assert found == {(0, 12): (0, 12), (12, 12): (24, 12), (24, 6): (48, 12)}


def test_it_goes_on_where_it_was(token_file: Make) -> None:
    sources = two(token_file)
    whole = stream(sources, {"a": 1.0, "b": 1.0})
    whole.next(7)
    state = whole.state_dict()
    again = stream(sources, {"a": 1.0, "b": 1.0})
    again.load_state_dict(state)
    one, two_ = whole.next(9), again.next(9)
    assert np.array_equal(one.tokens_BL, two_.tokens_BL) and np.array_equal(one.pieces_N6, two_.pieces_N6)
    parts = stream(sources, {"a": 1.0, "b": 1.0})
    rows = [row for size in (3, 4, 9) for row in rows_of(parts.next(size), sources)]
    assert rows[7:] == rows_of(one, sources)


def test_sources_without_translations_are_refused(token_file: Make) -> None:
    sources = {"a": token_file([5, 6])}
    with pytest.raises(InputError, match="no translations"):
        stream(sources, {"a": 1.0})
    with pytest.raises(InputError, match="share"):
        samplers.create("parallel", share=2.0)
