"""Pairs of motifs, read off the texts again."""

from __future__ import annotations

from typing import Any

import pytest

from seedbed.core.errors import InputError
from seedbed.worlds import worlds


def test_what_stands_at_the_end_follows_from_a_motif_far_before(helpers: Any) -> None:
    settings = {"motifs": 5, "width": 8, "pairs": 2, "nearest": 30, "farthest": 40, "vocabulary": 2}
    documents, truth = helpers.made("motifs", documents=300, **settings)
    world = worlds.create("motifs", **settings)
    partner: dict[str, set[str]] = {}
    for row in truth["pairs"]:
        text = documents[row["document"]].text
        assert set(text) <= set("ACGT") and row["end"] == len(text) == row["start"] + 8
        assert text[row["start"] - 8 : row["start"]] == world.signal
        begin = row["start"] - row["distance"] - 8
        assert 38 <= row["distance"] <= 48 and text[begin : begin + 8] == world.first[row["motif"]]
        partner.setdefault(text[begin : begin + 8], set()).add(text[row["start"] :])
    assert len(partner) == 5 and all(len(found) == 1 for found in partner.values())
    assert len({*partner, *(next(iter(found)) for found in partner.values()), world.signal}) == 11


def test_motifs_that_there_cannot_be() -> None:
    for parameters, message in (
        ({"nearest": 200}, "nearest: must lie between 0 and farthest"),
        ({"width": 2}, "width: is too small for so many"),
        ({"pairs": 0}, "pairs: must be at least 1"),
        ({"motifs": 1}, "motifs: must lie between 2"),
    ):
        with pytest.raises(InputError, match=message):
            worlds.create("motifs", **parameters)
