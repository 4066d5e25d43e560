"""Linked pages: what is asked of one stands on the other, and nowhere else."""

from __future__ import annotations

from typing import Any

import pytest

from seedbed.core.errors import InputError
from seedbed.worlds import worlds


def test_what_one_page_states_the_other_states_too(helpers: Any) -> None:
    documents, truth = helpers.made("bridges", documents=80, choices=5, stated=2, filler=1)
    rows = {row["document"]: row for row in truth["statements"]}
    for id, row in rows.items():
        document = documents[id]
        (other,) = document.metadata["links"]
        assert documents[other].metadata["links"] == [id] and other != id
        assert document.metadata["pair"] == rows[other]["pair"] == documents[other].metadata["pair"] == row["pair"]
        told = [{} for _ in range(2)]
        for page, facts in zip((id, other), told, strict=True):
            for stated in rows[page]["statements"]:
                start, end = stated["answer"]
                answer = documents[page].text[start:end]
                assert stated["start"] < start < end < stated["end"] and answer == answer.capitalize()
                assert documents[page].text[stated["end"] - 1] == "."
                facts[stated["fact"]] = answer
        assert told[0] == told[1] and len(told[0]) == 2
        assert document.text.count(".") == 3
    river = {d.text.split("is called ")[1].split(".")[0] for d in documents.values() if "is called" in d.text}
    assert len(river) == 5, "names come again"


def test_records_ask_over_both_pages(helpers: Any) -> None:
    documents, truth = helpers.made("bridges", documents=20)
    world = worlds.create("bridges", documents=20)
    texts = {id: document.text for id, document in documents.items() if id != "bridge-0000003"}
    both = list(world.records("bridges", texts, lambda name: iter(truth[name])))
    alone = list(world.records("alone", texts, lambda name: iter(truth[name])))
    assert len(both) == len(alone) == 3 * 18, "a page whose other one is not there is left out"
    for asked, control in zip(both, alone, strict=True):
        answer = asked["text"][asked["start"] : asked["end"]]
        assert answer == control["text"][control["start"] : control["end"]]
        assert asked["text"].count(answer) == 2 and control["text"].count(answer) == 1
        page = documents[asked["id"].split(":")[0]]
        assert asked["text"].endswith(documents[page.metadata["links"][0]].text) and control["text"] in page.text


def test_the_neighbor_is_asked_where_it_is_named(helpers: Any) -> None:
    documents, truth = helpers.made("bridges", documents=40, stated=3, named=1)
    world = worlds.create("bridges", documents=40, stated=3, named=1)
    texts = {id: document.text for id, document in documents.items()}
    both = list(world.records("neighbors", texts, lambda name: iter(truth[name])))
    alone = list(world.records("neighbors_alone", texts, lambda name: iter(truth[name])))
    assert len(both) == len(alone) == 20, "one on each second page"
    for asked, control in zip(both, alone, strict=True):
        id = asked["id"].split(":")[0]
        (other,) = documents[id].metadata["links"]
        answer = asked["text"][asked["start"] : asked["end"]]
        assert answer == control["text"][control["start"] : control["end"]]
        assert texts[id].count(answer) == control["text"].count(answer) == 1 and texts[other].count(answer) == 3
        assert control["text"] in texts[id] and asked["text"] == f"{control['text']} {texts[other]}"


def test_numbers_out_of_range_are_named() -> None:
    for name, value in (
        ("towns", 1),
        ("choices", 1),
        ("stated", 5),
        ("stated", 0),
        ("named", 4),
        ("named", -1),
        ("filler", -1),
    ):
        with pytest.raises(InputError, match=name):
            worlds.create("bridges", **{name: value})
