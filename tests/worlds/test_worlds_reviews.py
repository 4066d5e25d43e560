"""Reviews: praise and blame are words of their own, which kinds of goods have in common in part."""

from __future__ import annotations

from typing import Any

import pytest

from seedbed.core.errors import InputError
from seedbed.worlds import worlds


def words_by_kind(helpers: Any, **parameters: Any) -> dict[tuple[int, str], set[str]]:
    """The words of opinion of each kind of goods and label, of reviews that are always loyal."""
    documents, truth = helpers.made("reviews", documents=900, opinions=20, loyal=1.0, **parameters)
    found: dict[tuple[int, str], set[str]] = {}
    for row in truth["reviews"]:
        document = documents[row["document"]]
        assert document.metadata == {"goods": row["goods"], "label": row["label"]}
        assert document.domain == f"goods-{row['goods']}"
        assert len(row["said"]) == 3 and all(word in document.text for word in row["said"])
        found.setdefault((row["goods"], row["label"]), set()).update(row["said"])
    return found


def test_a_label_has_words_of_its_own_of_which_kinds_share_some(helpers: Any) -> None:
    found = words_by_kind(helpers, domains=4, shared=0.2, overlap=0.5)
    assert set(found) == {(goods, label) for goods in range(4) for label in ("good", "bad")}
    everywhere = {label: set.intersection(*(found[goods, label] for goods in range(4))) for label in ("good", "bad")}
    assert all(4 <= len(words) < 10 for words in everywhere.values()), "a fifth of twenty at least"
    assert all(6 <= len(words) <= 18 for words in found.values())
    union = {label: set.union(*(found[goods, label] for goods in range(4))) for label in ("good", "bad")}
    assert not union["good"] & union["bad"]


def test_other_kinds_of_the_same_words_are_another_world(helpers: Any) -> None:
    old, new = words_by_kind(helpers, domains=3), words_by_kind(helpers, domains=1, first=3)
    assert {goods for goods, _ in new} == {3}
    for label in ("good", "bad"):
        known = set.union(*(old[goods, label] for goods in range(3)))
        assert 0 < len(new[3, label] & known) < len(new[3, label] | known)
    assert words_by_kind(helpers, domains=4)[3, "good"] == new[3, "good"], "a kind's words are its number's"
    assert words_by_kind(helpers, domains=1, seed=2)[0, "bad"] == old[0, "bad"], "and not the seed's"


def test_a_kind_has_a_word_at_least(helpers: Any) -> None:
    found = words_by_kind(helpers, domains=2, shared=0.0, overlap=0.001)
    assert all(found.values()) and len(found) == 4


def test_numbers_out_of_range_are_named() -> None:
    for name, value in (
        ("domains", 0),
        ("first", -1),
        ("loyal", 1.5),
        ("overlap", -0.1),
        ("filler", -1),
        ("things", 0),
    ):
        with pytest.raises(InputError, match=name):
            worlds.create("reviews", **{name: value})
    with pytest.raises(InputError, match="without any word"):
        worlds.create("reviews", shared=0.0, overlap=0.0)
