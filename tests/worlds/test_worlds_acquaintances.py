"""People and who is whose teacher: what is told is so, and the right answers are those of the graph."""

from __future__ import annotations

import re
from collections import Counter
from typing import Any

import pytest

from seedbed.core.errors import InputError
from seedbed.worlds import worlds

Graph = dict[tuple[str, str], str]


def made(helpers: Any, **parameters: Any) -> tuple[dict[str, Any], list[dict[str, Any]], Graph]:
    documents, truth = helpers.made("acquaintances", **{"documents": 300, "people": 40, **parameters})
    graph = {(row["head"], row["relation"]): row["tail"] for row in truth["triples"]}
    assert len(graph) == len(truth["triples"]), "of each one only"
    return documents, truth["questions"], graph


def test_the_graph_is_whole_and_what_is_told_is_in_it(helpers: Any) -> None:
    documents, _, graph = made(helpers, relations=3, stated=2, filler=1)
    people = {head for head, _ in graph}
    assert len(people) == 40 and len(graph) == 120 and set(graph.values()) <= people
    assert all(head != tail for (head, _), tail in graph.items())
    for document in documents.values():
        told = 0
        for sentence in document.text.removesuffix(".").split(". "):
            names = [word for word in re.findall(r"\w+", sentence) if word in people]
            relations = [word for word in re.findall(r"\w+", sentence) if word in {name for _, name in graph}]
            if names:
                told += 1
                subject = Counter(names)
                assert len(subject) == 2 and len(relations) == 1
                first, second = names
                pairs = ((first, second), (second, first))
                assert any(graph[head, relations[0]] == tail for head, tail in pairs), sentence
        assert told == 2


def test_questions_are_answered_by_the_graph(helpers: Any) -> None:
    documents, questions, graph = made(helpers, relations=3, near=2, choices=5)
    steps = Counter()
    for row in questions:
        *relations, name = re.findall(
            r"\w+", row["text"].removeprefix("Who is ").replace("the ", "").replace("of ", "")
        )
        answer = name
        for relation in reversed(relations):
            answer = graph[answer, relation]
        assert row["hops"] == len(relations) and row["choices"][row["label"]] == answer
        assert len(set(row["choices"])) == 5 and name not in set(row["choices"]) - {answer}
        near = {tail for (head, _), tail in graph.items() if head == name}
        if row["hops"] == 2:
            near = {tail for (head, _), tail in graph.items() if head in near}
        assert len(set(row["choices"]) & (near - {answer, name})) >= 2
        steps[row["hops"]] += 1
    assert min(steps[1], steps[2]) > 100
    labels = Counter(row["label"] for row in questions)
    assert max(labels.values()) < 0.3 * len(questions), "no place is the answer's"
    by_number: dict[int, str] = {}
    for row in questions:
        number = documents[row["document"]].metadata["question"]
        assert by_number.setdefault(number, row["text"]) == row["text"]
    assert len(by_number) == len(set(by_number.values()))


def test_no_question_is_learned_and_asked(run: Any, helpers: Any) -> None:
    world = {"acquaintances": {"documents": 400, "people": 20}}
    corpus = run("generate", world=world, split={"test": 0.3}, seed=3)
    labels = run("labels", world=corpus, task="questions")
    parts = [{row["text"] for row in helpers.rows(labels.path / f"{part}.jsonl")} for part in ("train", "test")]
    assert all(len(part) > 50 for part in parts) and not parts[0] & parts[1]


def test_numbers_out_of_range_are_named() -> None:
    wrong = (
        ("stated", 0),
        ("stated", 5),
        ("relations", 1),
        ("relations", 9),
        ("filler", -1),
        ("near", 4),
        ("people", 9),
    )
    for name, value in wrong:
        with pytest.raises(InputError, match=name):
            worlds.create("acquaintances", **{name: value})
