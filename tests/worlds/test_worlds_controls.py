"""The world `controls`: brackets that close, by a reader that knows nothing of how they are made; and random words."""

from __future__ import annotations

import re
from collections import Counter
from typing import Any

import pytest

from seedbed.core.errors import InputError
from seedbed.worlds import worlds


def sentences(text: str) -> list[list[str]]:
    assert re.fullmatch(r"((([a-z]{3} )+[a-z]{3}\.)( |\n\n|$))+", text)
    return [part.split() for part in text.replace("\n\n", " ").split(".")[:-1]]


def test_nested_pairs_close_and_do_not_cross(helpers: Any) -> None:
    documents, truth = helpers.made("controls", documents=40)
    depths = Counter[int]()
    for row in truth["pairs"]:
        found = sentences(documents[row["document"]].text)
        assert len(found) == len(row["partners"]) == 32
        for words, partners in zip(found, row["partners"], strict=True):
            assert len(words) == len(partners) and 4 <= len(words) <= 16
            waiting: list[int] = []
            for place, partner in enumerate(partners):
                assert words[place] == words[partner] and partners[partner] == place
                if partner > place:
                    waiting.append(place)
                    depths[len(waiting)] += 1
                else:
                    assert waiting.pop() == partner
            assert not waiting
    assert min(depths[depth] for depth in range(1, 6)) > 50, "they are nested, not only side by side"


def test_random_words_are_all_alike_often_and_know_nothing_of_each_other(helpers: Any) -> None:
    documents, truth = helpers.made("controls", documents=150, structure="random", words=30)
    lines = [words for document in documents.values() for words in sentences(document.text)]
    counts = Counter(word for words in lines for word in words)
    assert len(counts) == 30 and max(counts.values()) < 1.2 * min(counts.values())
    again = sum(words[0] == words[-1] for words in lines) / len(lines)  # in nested text often, as the pair is open
    assert abs(again - 1 / 30) < 0.01
    assert all(partner is None for row in truth["pairs"] for partners in row["partners"] for partner in partners)


def test_both_structures_have_the_same_words_and_lengths(helpers: Any) -> None:
    seen = {}
    for structure in ("nested", "random"):
        documents, _ = helpers.made("controls", documents=60, structure=structure, words=50)
        lines = [words for document in documents.values() for words in sentences(document.text)]
        seen[structure] = ({word for words in lines for word in words}, sum(map(len, lines)) / len(lines))
        assert {document.domain for document in documents.values()} == {structure}
    assert seen["nested"][0] == seen["random"][0] and len(seen["nested"][0]) == 50
    assert abs(seen["nested"][1] - seen["random"][1]) < 0.5


def test_labels_say_what_opens(run: Any, helpers: Any) -> None:
    corpus = run("generate", world={"controls": {"documents": 60}}, split={"test": 0.3}, seed=3)
    labels = run("labels", world=corpus, task="openings", limit=100)
    for record in helpers.rows(labels.path / "test.jsonl"):
        open_now: list[str] = []
        for word, tag in zip(record["tokens"], record["tags"], strict=True):
            if tag == "opens":
                open_now.append(word)
            else:
                assert tag == "closes" and open_now.pop() == word
        assert not open_now


def test_random_text_has_no_labels_and_too_many_words_are_refused(run: Any) -> None:
    corpus = run("generate", world={"controls": {"documents": 20, "structure": "random"}}, split={"test": 0.3}, seed=3)
    with pytest.raises(InputError, match="openings"):
        run("labels", world=corpus, task="openings")
    for words in (1, 5000):
        with pytest.raises(InputError, match="words"):
            worlds.create("controls", words=words)
