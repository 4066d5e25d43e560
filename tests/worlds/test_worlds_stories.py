"""News of several sides: one story's articles share what they are about, one side's the words for it."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest

from seedbed.core.errors import InputError
from seedbed.worlds import worlds


def test_articles_share_names_by_story_and_words_by_side(helpers: Any) -> None:
    documents, truth = helpers.made("stories", documents=240, outlets=6, told_by=4, things=5, loyal=1.0)
    by_side: dict[int, Counter[str]] = {}
    names: dict[int, set[str]] = {}
    last: dict[int, str] = {}
    for row in truth["articles"]:
        document = documents[row["document"]]
        assert document.metadata == {name: row[name] for name in ("story", "side", "outlet")}
        assert row["side"] == row["outlet"] % 3
        *sentences, _, signed = document.text.split(". ")
        assert len(sentences) == 4
        assert last.setdefault(row["outlet"], signed) == signed, "each outlet has its own last word"
        words = " ".join(sentences).replace(".", "").split()
        known = {"In", "Some", "The", "Nobody"}
        found = {word for word in words if word[0].isupper()} - known
        names.setdefault(row["story"], set()).update(found)
        things = [words[index + 1] for index, word in enumerate(words) if word.lower() == "the"]
        by_side.setdefault(row["side"], Counter()).update(things)
    assert len(last) == len(set(last.values())) == 6
    assert all(1 <= len(found) <= 2 for found in names.values()), "a person and a place"
    assert not set.intersection(*map(set, by_side.values())) and all(len(found) <= 5 for found in by_side.values())
    stories = Counter(row["story"] for row in truth["articles"])
    assert set(stories.values()) == {4}
    outlets = {row["story"]: set() for row in truth["articles"]}
    for row in truth["articles"]:
        outlets[row["story"]].add(row["outlet"])
    assert all(len(found) == 4 for found in outlets.values()), "no outlet tells a story twice"


def test_sides_are_told_apart_less_by_words_that_are_not_theirs(helpers: Any) -> None:
    loyal, others = (helpers.made("stories", documents=60, told_by=6, loyal=share)[0].values() for share in (1.0, 0.0))
    assert {d.metadata["side"] for d in loyal} == {d.metadata["side"] for d in others} == {0, 1, 2}
    assert [d.text for d in loyal] != [d.text for d in others]


def test_numbers_out_of_range_are_named() -> None:
    for name, value in (("sides", 1), ("outlets", 2), ("told_by", 0), ("told_by", 13), ("things", 0), ("sentences", 0)):
        with pytest.raises(InputError, match="outlets" if (name, value) == ("told_by", 13) else name):
            worlds.create("stories", **{name: value})
