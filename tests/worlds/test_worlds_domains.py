"""The world `domains`: every answer is right, by a solver that knows nothing of how the items are made."""

from __future__ import annotations

import re
from collections import Counter
from typing import Any

import pytest

from seedbed.core.errors import InputError
from seedbed.worlds import worlds
from seedbed.worlds.skills import SKILLS

CLOSING = dict(zip("([{<", ")]}>", strict=True))


def closed(marks: list[str]) -> str:
    waiting: list[str] = []
    for mark in marks:
        if mark in CLOSING:
            waiting.append(CLOSING[mark])
        else:
            assert waiting.pop() == mark
    return " ".join(reversed(waiting))


def solve(prompt: str) -> str:
    """The answer to a prompt, read word by word."""
    words = prompt.split()
    if words[0] == "modulo":
        modulus, rest = int(words[1]), words[3:]
        if rest[0] == "close":
            total = sum(int(word) for word in rest if word.isdigit())
            return f"{closed([word for word in rest[1:] if not word.isdigit() and word != '+'])} {total % modulus}"
        if rest[0] == "how":
            one, other, counted = rest[2], rest[6], rest[8:]
            return str((counted.count(one) + counted.count(other)) % modulus)
        if rest[0] == "first":
            return str(sum(map(int, solve(" ".join(rest[3:])).split()[:2])) % modulus)
        return str(sum(int(word) for word in rest if word != "+") % modulus)
    if prompt.startswith("in order backwards"):
        return " ".join(reversed(solve("in order " + prompt[19:]).split()))
    if prompt.startswith("in order"):
        return " ".join(sorted(words[2:], key=int))
    if words[0] == "how":
        return str(words[4:].count(words[2]))
    if words[0] == "close":
        return closed(words[1:])
    if words[0] == "backwards":
        return " ".join(reversed(words[1:]))
    assert words[0] == "repeat"
    if words[2:4] == ["first", "in"]:
        return " ".join([words[1]] * int(solve(" ".join(words[3:])).split()[0]))
    return " ".join(words[1:])


@pytest.fixture(scope="module")
def world(helpers: Any) -> Any:
    return helpers.made("domains", documents=330)


def test_answers_are_right_and_where_they_are_said_to_be(world: Any) -> None:
    documents, truth = world
    seen = Counter[str]()
    for row in truth["items"]:
        text = documents[row["document"]].text
        assert len(row["items"]) == 8
        for item in row["items"]:
            assert text[item["answer_start"] : item["end"]] == item["answer"] and text[item["end"]] == "."
            prompt = text[item["start"] : item["answer_start"]]
            asked = re.fullmatch(r"(?:Task|To do|Asked): (.*)\. (?:Answer|Done|Given): ", prompt)
            assert asked and solve(asked[1]) == item["answer"], prompt
            seen[row["skill"]] += 1
        assert documents[row["document"]].domain == row["skill"] == documents[row["document"]].metadata["skill"]
    assert set(seen) == set(SKILLS) and min(seen.values()) > 100


def test_the_graph_has_no_circle_and_skills_use_their_parents(world: Any) -> None:
    _, truth = world
    known: set[str] = set()
    for row in truth["graph"]:  # parents come first
        assert set(row["parents"]) <= known
        known.add(row["skill"])
    assert known == set(SKILLS)
    assert sum(row["share"] for row in truth["graph"]) == pytest.approx(1)
    assert max(len(SKILLS[name].parents) for name in known) == 2 and "reverse_sort" in SKILLS["top_add"].parents


def test_shares_and_difficulty(helpers: Any) -> None:
    documents, _ = helpers.made("domains", documents=400, shares={"copy": 3, "sort": 1}, difficulty=9)
    counts = Counter(document.domain for document in documents.values())
    assert set(counts) == {"copy", "sort"} and 0.68 < counts["copy"] / 400 < 0.82
    lengths = [
        len(match.split()) for d in documents.values() for match in re.findall(r"(?:repeat|in order) (.*?)\.", d.text)
    ]
    assert (min(lengths), max(lengths)) == (5, 9)


def test_wrong_parameters() -> None:
    for wrong, key in (
        ({"shares": {"copi": 1}}, "shares"),
        ({"shares": {"copy": -1}}, "shares.copy"),
        ({"shares": {"copy": 0}}, "shares"),
        ({"difficulty": 1}, "difficulty"),
        ({"modulus": 1}, "modulus"),
    ):
        with pytest.raises(InputError, match=key):
            worlds.create("domains", **wrong)
