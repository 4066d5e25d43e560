"""Products of a group's elements, computed again by other means."""

from __future__ import annotations

from itertools import permutations
from typing import Any

import numpy as np
import pytest

from seedbed.core.errors import InputError
from seedbed.worlds import worlds


def _matrices(group: str) -> list[np.ndarray]:
    if group in ("parity", "cyclic5"):
        size = 2 if group == "parity" else 5
        return [np.roll(np.eye(size, dtype=int), element, axis=0) for element in range(size)]
    return [np.eye(len(one), dtype=int)[:, list(one)] for one in permutations(range(int(group[-1])))]


def _number(letter: str) -> int:
    return (ord(letter) - ord("a") - 3) % 26


@pytest.mark.parametrize("group", ["parity", "cyclic5", "symmetric3", "symmetric4"])
def test_every_answer_is_the_product_of_matrices(group: str, helpers: Any) -> None:
    documents, truth = helpers.made(
        "word_problem", documents=40, group=group, shortest=2, longest=5, answers=3, vocabulary=3
    )
    matrices, rows = _matrices(group), {row["document"]: row for row in truth["products"]}
    seen = set()
    for id, document in documents.items():
        state, count, answers = matrices[0], 0, 0
        words = document.text.removesuffix(" .").split()
        for number, word in enumerate(words):
            if word.islower():
                state, count = matrices[_number(word)] @ state, count + 1
            elif word != "=":
                wanted = next(index for index, one in enumerate(matrices) if np.array_equal(one, state))
                assert words[number - 1] == "=" and _number(word.lower()) == wanted
                answers += 1
                seen.add(wanted)
        row = rows[id]
        assert answers == 3 and count == row["elements"] and 6 <= count <= 15
        assert document.text[row["start"] : row["end"]] == words[-1]
    assert len(seen) == len(matrices)


def test_rows_and_groups_that_there_are_not() -> None:
    for parameters, message in (
        ({"shortest": 9}, "shortest: must lie between 1 and longest"),
        ({"answers": 0}, "answers: must be at least 1"),
        ({"group": "monster"}, "group"),
    ):
        with pytest.raises(InputError, match=message):
            worlds.create("word_problem", **parameters)
