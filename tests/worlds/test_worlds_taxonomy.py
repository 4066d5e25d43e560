"""The tree of concepts: names by words of nodes, distances by walking."""

from __future__ import annotations

import itertools
from typing import Any

import pytest

from seedbed.core.errors import InputError
from seedbed.worlds import worlds


def words(text: str) -> list[str]:
    """From the top down."""
    return text.split(", ") if "," in text else text.split()[::-1]


def test_names_are_of_the_words_of_a_path(helpers: Any) -> None:
    documents, truth = helpers.made("taxonomy", documents=900, branches=3, names=5, synonyms=2)
    meaning: dict[str, tuple[int, int]] = {}
    spoken: dict[tuple[int, int], set[str]] = {}
    first_child: dict[int, int] = {}
    for row in truth["terms"]:
        document, path = documents[row["document"]], row["path"]
        assert document.metadata == {"concept": path[-1], "parent": path[-2] if path[1:] else -1, "path": path}
        for parent, child in itertools.pairwise(path):
            first_child.setdefault(parent, child)
            assert first_child[parent] <= child < first_child[parent] + 3
        assert path[0] < 3 and len(words(document.text)) == len(path)
        for level, (node, word) in enumerate(zip(path, words(document.text), strict=True)):
            known = level, node % 3
            assert meaning.setdefault(word, known) == known, "a word means one thing"
            spoken.setdefault(known, set()).add(word)
    assert all(len(found) == 2 for key, found in spoken.items() if key[0] < 4)
    assert [row["concept"] for row in truth["terms"]] == [number // 5 for number in range(900)]


def test_distances_are_steps_in_the_tree(helpers: Any) -> None:
    documents, truth = helpers.made("taxonomy", documents=200, branches=3)
    world = worlds.create("taxonomy", documents=200, branches=3)
    texts = {id: document.text for id, document in documents.items()}
    parent = {d.metadata["concept"]: d.metadata["parent"] for d in documents.values()}
    of_text: dict[str, set[int]] = {}
    for document in documents.values():
        of_text.setdefault(document.text, set()).add(document.metadata["concept"])

    def steps(one: int, other: int) -> int:
        ups = []
        for node in (one, other):
            chain = [node]
            while chain[-1] != -1:
                chain.append(parent[chain[-1]])
            ups.append(chain)
        return min(i + j for i, a in enumerate(ups[0]) for j, b in enumerate(ups[1]) if a == b)

    records = list(world.records("distances", texts, lambda name: iter(truth[name])))
    assert len(records) > 150 and len({record["score"] for record in records}) >= 5
    for record in records:
        (one,), (other,) = of_text[record["first"]], of_text[record["second"]]
        assert record["score"] == -steps(one, other)
    for record in world.records("synonyms", texts, lambda name: iter(truth[name])):
        assert record["query"] != record["document"] and of_text[record["query"]] == of_text[record["document"]]


def test_numbers_out_of_range_are_named() -> None:
    for name, value in (("branches", 1), ("names", 0), ("synonyms", 0)):
        with pytest.raises(InputError, match=name):
            worlds.create("taxonomy", **{name: value})
