"""Rows of texts that belong together in parts."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from seedbed.core.errors import InputError
from seedbed.data import samplers
from seedbed.data.artifact import TokenFile

LENGTH, PAD = 32, 1
Make = Callable[..., TokenFile]


def grouped(file: TokenFile, seed: int = 0, **parameters: Any) -> Any:
    given = {"links": "metadata.concept", "texts": 4, **parameters}
    return samplers.create("grouped", **given).stream({"a": file}, {"a": 1.0}, LENGTH, PAD, seed)


def concepts(token_file: Make, lengths: list[int], number: int) -> TokenFile:
    file = token_file(lengths)
    return replace(file, metadata=[{"concept": index % number} for index in range(len(lengths))])


def rows_of(batch: Any) -> list[list[tuple[int, int, int]]]:
    rows: list[list[tuple[int, int, int]]] = [[] for _ in batch.rows_B]
    for row, column, size, _, document, start in batch.pieces_N6.tolist():
        stretch = batch.segments_BL[row, column : column + size]
        assert (stretch == len(rows[row])).all(), "each text a segment of its own"
        rows[row].append((document, start, size))
    return rows


def test_every_text_comes_with_others_of_its_concept(token_file: Make) -> None:
    file = concepts(token_file, [5, 8, 20, 3, 6, 7, 4, 9] * 5, 10)
    given = grouped(file, members=3)
    drawn = Counter[int]()
    for row in rows_of(given.next(60)):
        assert sum(size for _, _, size in row) <= LENGTH and len(row) >= 3
        for number in range(0, len(row), 3):
            group = row[number : number + 3]
            assert len({document % 10 for document, _, _ in group}) == 1, "one concept"
            assert len({document for document, _, _ in group}) == 3
            assert all(2 <= size <= 8 and start + size <= file.lengths[document] for document, start, size in group)
        assert len({document for document, _, _ in row}) == len(row), "no document twice in a row"
        drawn.update(document for document, _, _ in row[::3])
    assert set(drawn) == set(range(40)) and max(drawn.values()) <= 3 * min(drawn.values()) + 4


def test_first_texts_are_an_epoch(token_file: Make) -> None:
    """Every part of every document is the first of a group once."""
    file = concepts(token_file, [8] * 24, 12)
    given, firsts = grouped(file), []
    while len(firsts) < 48:
        firsts += [row[number][0] for row in rows_of(given.next(1)) for number in range(0, len(row), 2)]
    assert sorted(firsts[:24]) == sorted(firsts[24:48]) == list(range(24)) and firsts[:24] != firsts[24:48]


def test_rows_do_not_depend_on_grouping_and_streams_go_on(token_file: Make) -> None:
    file = concepts(token_file, [5, 8, 20, 3, 6, 7, 4, 9] * 3, 7)
    whole = rows_of(grouped(file, 3).next(20))
    first = grouped(file, 3)
    parts = [row for size in (1, 6, 2) for row in rows_of(first.next(size))]
    state = json.loads(json.dumps(first.state_dict()))
    resumed = grouped(file, 3)
    resumed.next(4)
    resumed.load_state_dict(state)
    assert parts + rows_of(resumed.next(11)) == whole
    assert rows_of(grouped(file, 4).next(20)) != whole
    with pytest.raises(InputError, match="checkpoint"):
        grouped(file, 3, members=4).load_state_dict(state)


def test_documents_without_links_come_alone(token_file: Make) -> None:
    file = replace(token_file([6, 6, 6]), metadata=[{"concept": 1}, {"concept": 1}, {}])
    found = [[document for document, _, _ in row] for row in rows_of(grouped(file).next(30))]
    for row in found:
        others = [document for document in row if document != 2]
        assert row.count(2) <= 1 and sorted(others) in ([0, 1], [])
    assert np.mean([2 in row for row in found]) > 0.4


def test_errors(token_file: Make) -> None:
    file = concepts(token_file, [6] * 6, 3)
    for parameters, message in (
        ({"members": 1}, "members"),
        ({"members": 5}, "members"),
        ({"neighbors": 0}, "neighbors"),
        ({"links": "concept"}, "not a field"),
        ({"links": "metadata.x"}, "no document has this field"),
        ({"texts": 9}, "at least 36 tokens"),
    ):
        with pytest.raises(InputError, match=message):
            grouped(file, **parameters)
