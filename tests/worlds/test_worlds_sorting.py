"""The world `sorting`: every answer, worked out again from the text."""

from __future__ import annotations

import re
from typing import Any

import pytest

from seedbed.core.errors import InputError
from seedbed.worlds import worlds


def worked_out(kind: str, asked: list[str]) -> list[str]:
    """The answer to a row, with what stands behind the semicolon."""
    cut = asked.index(";") if ";" in asked else len(asked)
    row, about = asked[:cut], asked[cut + 1 :]
    if kind == "sort":
        return sorted(row)
    if kind == "smallest":
        return [min(row)]
    if kind == "fill":
        return [one for one, shown in zip(sorted(row), about, strict=True) if shown == "_"]
    (one,) = about
    assert one in row
    if kind == "count":
        return [str(sum(other == one for other in row))]
    if kind == "place":
        return [str(len([other for other in row if other < one]))]
    assert kind == "successor"
    return [min([other for other in row if other > one], default="none")]


@pytest.mark.parametrize("hint", ["successor", "count", "smallest", "place", "fill"])
def test_answers(hint: str, helpers: Any) -> None:
    documents, truth = helpers.made("sorting", documents=300, hint=hint, numbers=30)
    kinds = []
    for row in truth["answers"]:
        document = documents[row["document"]]
        kind, *asked = document.text[: row["start"]].split()
        assert kind == row["kind"] == document.domain and asked.pop() == "="
        assert document.text[row["start"] : row["end"]].split() == worked_out(kind, asked)
        assert document.text[row["end"] :] == " ."
        kinds.append(kind)
    assert set(kinds) == {"sort", hint} and 110 < kinds.count(hint) < 190


def test_lengths(helpers: Any) -> None:
    documents, _ = helpers.made("sorting", documents=200, shortest=3, longest=5, hinted=0.0)
    lengths = [len(re.findall(r"a\d{3}", document.text)) // 2 for document in documents.values()]
    assert set(lengths) == {3, 4, 5}


def test_bad_settings() -> None:
    for name, value in (("shortest", 9), ("numbers", 1), ("hint", "sort"), ("hinted", 2.0)):
        with pytest.raises(InputError, match=name):
            worlds.create("sorting", **{name: value})
