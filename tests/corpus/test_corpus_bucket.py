"""Buckets by an attribute, against ranks counted one by one."""

from __future__ import annotations

import random
from collections import Counter
from typing import Any

import pytest

from seedbed.core.errors import InputError
from seedbed.corpus import curation

TEXTS = {f"d{n:02d}": "x" * random.Random(n).randrange(1, 40) for n in range(53)}


def test_quantiles_are_of_equal_numbers(helpers: Any) -> None:
    rows = helpers.tagged(helpers.built(curation, "bucket", by="chars", quantiles=4), TEXTS, partitions=3)
    lengths = sorted(map(len, TEXTS.values()))
    for id, text in TEXTS.items():
        number = 1 + sum(len(text) >= lengths[i * 53 // 4] for i in (1, 2, 3))
        assert rows[id]["bucket"] == f"chars {number} of 4"
    assert all(8 <= count <= 18 for count in Counter(row["bucket"] for row in rows.values()).values())


def test_bounds_belong_to_the_bucket_above(helpers: Any) -> None:
    method = helpers.built(curation, "bucket", by="words", bounds=[2, 4], into="domain")
    rows = helpers.tagged(method, {"a": "x", "b": "x y", "c": "x y z", "d": "x y z w", "e": ""})
    found = {id: row["domain"] for id, row in rows.items()}
    first, middle, last = (f"words {number} of 3" for number in (1, 2, 3))
    assert found == {"a": first, "b": middle, "c": middle, "d": last, "e": first}


def test_a_score_that_is_missing(tmp_path: Any, helpers: Any) -> None:
    scored = helpers.built(curation, "score", by=str(helpers.length_scorer(tmp_path / "scorer")))
    frame = scored(helpers.frame_of({"a": "one", "b": "", "c": "seven.."}))
    rows = helpers.built(curation, "bucket", by="quality", quantiles=2)(frame).to_pylist()
    found = {row["id"]: row["bucket"] for row in rows}
    assert found == {"a": "quality 1 of 2", "b": "quality unknown", "c": "quality 2 of 2"}


@pytest.mark.parametrize(
    "given",
    [
        {"by": "chars"},
        {"by": "chars", "quantiles": 2, "bounds": [1]},
        {"by": "chars", "quantiles": 1},
        {"by": "chars", "bounds": [2, 2]},
        {"by": "chars", "bounds": [1], "into": "text"},
        {"by": "chars", "bounds": [1], "into": "chars"},
        {"by": "char", "bounds": [1]},
        {"by": "source", "bounds": [1]},
    ],
    ids=str,
)
def test_what_cannot_be(given: dict[str, Any], helpers: Any) -> None:
    with pytest.raises(InputError):
        helpers.tagged(helpers.built(curation, "bucket", **given), TEXTS)
