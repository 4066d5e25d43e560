"""The world `facts`: the text says what the truth says, and nothing else does."""

from __future__ import annotations

import datetime
import itertools
import re
from collections import Counter, defaultdict
from typing import Any

import pytest

from seedbed.core.errors import InputError
from seedbed.evaluate.spans import chunks
from seedbed.worlds.relations import BY_NAME, PAIRS, RELATIONS, TYPES

SEED = 4


@pytest.fixture(scope="module")
def world(helpers: Any) -> Any:
    """(documents, truth, names by entity, facts by number)."""
    documents, truth = helpers.made("facts", SEED, documents=600)
    names = {row["entity"]: row["name"] for row in truth["entities"]}
    return documents, truth, names, {row["fact"]: row for row in truth["facts"]}


def test_names_stand_where_they_are_said_to_and_nowhere_else(world: Any) -> None:
    documents, truth, names, _ = world
    assert len(set(names.values())) == len(names)
    places: dict[str, list[tuple[int, int]]] = {}
    for row in truth["mentions"]:
        text = documents[row["document"]].text
        for mention in row["mentions"]:
            assert text[mention["start"] : mention["end"]] == names[mention["entity"]]
            assert mention["type"] == TYPES[mention["entity"] % len(TYPES)]
        places[row["document"]] = [(mention["start"], mention["end"]) for mention in row["mentions"]]
    # What is an entity's own in its name: the last name of people, the first word of everything else.
    word = {name.split()[TYPES[number % len(TYPES)] == "person"] for number, name in names.items()}
    assert len(word) == len(names)
    for id, document in documents.items():
        found = [match.start() for match in re.finditer(r"\w+", document.text) if match.group() in word]
        assert len(found) == len(places[id])
        assert all(any(start <= place < end for start, end in places[id]) for place in found)


def test_sentences_state_their_facts(world: Any) -> None:
    """Every sentence with two names is a template with these names in it, of the relation that it has."""
    documents, truth, names, facts = world
    stated = defaultdict(list)
    backward = Counter[bool]()
    for row in truth["statements"]:
        text = documents[row["document"]].text
        for sentence in row["statements"]:
            subject, object = (text[slice(*sentence[role])] for role in ("subject", "object"))
            relation = BY_NAME.get(sentence["relation"])
            templates = (*relation.forward, *relation.backward) if relation else PAIRS
            said = text[sentence["start"] : sentence["end"]]
            wanted = [
                re.escape(template.format(s=subject, o=object, n="@")).replace("@", r"\w+") for template in templates
            ]
            assert any(re.fullmatch(pattern, said) for pattern in wanted)
            if relation:
                fact = facts[sentence["fact"]]
                assert (names[fact["subject"]], fact["relation"], names[fact["object"]]) == (
                    subject,
                    relation.name,
                    object,
                )
                assert row["about"] == fact["subject"]
                stated[sentence["fact"]].append((row["document"], row["date"]))
                backward[sentence["subject"] > sentence["object"]] += 1
    for number, fact in facts.items():
        assert stated[number] == list(zip(fact["documents"], fact["dates"], strict=True))
    assert 0.2 < backward[True] / backward.total() < 0.3


def test_facts_are_repeated_as_often_as_wanted(world: Any, helpers: Any) -> None:
    documents, truth, _, facts = world
    last = truth["entities"][-1]["entity"]  # about which the documents may have ended early
    for fact in facts.values():
        assert len(set(fact["documents"])) == len(fact["documents"])
        assert len(fact["documents"]) == (0 if fact["held_out"] else 4) or fact["subject"] == last
    assert 0.05 < sum(fact["held_out"] for fact in facts.values()) / len(facts) < 0.15
    assert Counter(row["about"] for row in truth["statements"]) == Counter(
        {row["entity"]: row["documents"] for row in truth["entities"] if row["documents"]}
    )
    assert max(len(row["statements"]) for row in truth["statements"]) > 4  # facts and pairs
    per_page = [sum(s["fact"] is not None for s in row["statements"]) for row in truth["statements"]]
    assert min(per_page) >= 1 and max(per_page) == 4
    assert len(documents) == 600


def test_zipf_repeats_as_one_over_n(helpers: Any) -> None:
    _, truth = helpers.made("facts", documents=4000, repetitions=16, distribution="zipf", held_out=0.0, filler=0)
    told = [fact for fact in truth["facts"] if fact["subject"] != truth["entities"][-1]["entity"]]
    counts = Counter(len(fact["documents"]) for fact in told)
    harmonic = sum(1 / n for n in range(1, 17))
    assert set(counts) == set(range(1, 17))
    for n in (1, 2, 4):
        assert counts[n] / counts.total() == pytest.approx(1 / n / harmonic, rel=0.2)
    late = sum(counts[n] for n in range(8, 16)) / counts.total()
    assert late == pytest.approx(sum(1 / n for n in range(8, 16)) / harmonic, rel=0.15)


def test_what_changes_holds_for_a_time(world: Any) -> None:
    documents, _, _, facts = world
    values = defaultdict(list)
    for fact in facts.values():
        values[fact["subject"], fact["relation"]].append(fact)
        assert fact["dates"] == sorted(set(fact["dates"]))
        assert all((fact["since"] or "") <= date < (fact["until"] or "9") for date in fact["dates"])
        for document, date in zip(fact["documents"], fact["dates"], strict=True):
            assert documents[document].metadata["date"] == date
            day = datetime.date.fromisoformat(date)
            assert f"Written on {day.day} {day:%B} {day.year}." in documents[document].text
    changed = 0
    for (_, relation), row in values.items():
        assert len({fact["object"] for fact in row}) == len(row) <= max(BY_NAME[relation].most, 3)
        if BY_NAME[relation].changes:
            assert row[0]["since"] is None and row[-1]["until"] is None
            assert all(one["until"] == other["since"] is not None for one, other in itertools.pairwise(row))
            changed += len(row) > 1
        else:
            assert all(fact["since"] is None and fact["until"] is None for fact in row)
            assert len(row) <= BY_NAME[relation].most
    assert changed > 15


def test_links_lead_to_documents_about_what_is_named(world: Any) -> None:
    documents, truth, names, _ = world
    about = {row["document"]: row["about"] for row in truth["statements"]}
    count = 0
    for row in truth["links"]:
        document = documents[row["document"]]
        assert document.metadata["links"] == sorted({link["to"] for link in row["links"]})
        for link in row["links"]:
            assert document.text[link["start"] : link["end"]] == names[about[link["to"]]]
            assert about[link["to"]] != about[row["document"]]
            count += 1
    assert count > 2 * len(documents)


def test_questions_have_the_answers_of_the_facts(world: Any) -> None:
    documents, truth, names, facts = world
    entity = {name: number for number, name in names.items()}
    all_text = "\n".join(document.text for document in documents.values())
    completed = 0
    for row in truth["questions"]:
        fact = facts[row["fact"]]
        relation = BY_NAME[fact["relation"]]
        assert row["answer"] == names[fact["object"]] in row["answers"]
        assert row["choices"].count(row["answer"]) == 1 and len(set(row["choices"])) == len(row["choices"])
        right = {
            names[f["object"]]
            for f in truth["facts"]
            if (f["subject"], f["relation"]) == (fact["subject"], relation.name)
        }
        assert set(row["choices"]) & right == {row["answer"]}
        assert {TYPES[entity[name] % len(TYPES)] for name in row["choices"]} == {relation.object}
        assert names[fact["subject"]] in row["question"] and names[fact["subject"]] in row["prefix"]
        if fact["since"] or fact["until"]:
            assert (fact["since"] or "") <= row["date"] < (fact["until"] or "9") and row["answers"] == [row["answer"]]
        else:
            assert row["date"] is None and set(row["answers"]) == right
        said = f"{row['prefix'].split('. ')[-1]} {row['answer']}."
        completed += said in all_text
        assert not (fact["held_out"] and said in all_text)
    assert completed > 0.4 * len(truth["questions"])
    assert sum(len(row["choices"]) == 4 for row in truth["questions"]) > 0.8 * len(truth["questions"])


def test_templates() -> None:
    for relation in RELATIONS:
        for template in relation.forward:
            assert 0 <= template.index("{s}") < template.index("{o}")
        for template in relation.backward:
            assert 0 <= template.index("{o}") < template.index("{s}")
        for role, type in (("{s}", relation.subject), ("{o}", relation.object)):
            assert type in TYPES
            if type == "substance":
                assert not any(t.startswith(role) for t in (*relation.forward, *relation.backward)), relation.name
        assert relation.cloze and "{s}" in relation.question and ("{when}" in relation.question) == relation.changes
        assert sum(other.changes for other in RELATIONS if other.subject == relation.subject) <= 1
    assert len(BY_NAME) == len(RELATIONS)


def test_wrong_parameters() -> None:
    from seedbed.worlds import worlds

    for wrong in (
        {"repetitions": 0},
        {"repetitions": 10_000},
        {"facts_per_document": 0},
        {"filler": -1},
        {"domain": "a b"},
    ):
        with pytest.raises(InputError, match=next(iter(wrong))):
            worlds.create("facts", **wrong)


def test_labels(facts: Any, run: Any, helpers: Any) -> None:
    names = {row["name"]: row["type"] for row in helpers.rows(facts.path / "truth" / "entities.jsonl")}
    made = {
        task: run("labels", world=facts, task=task, limit=100).path
        for task in ("entities", "relations", "statements", "questions")
    }
    spans = Counter[str]()
    for record in helpers.rows(made["entities"] / "train.jsonl"):
        for type, first, last in chunks(record["tags"]):
            assert names[" ".join(record["tokens"][first : last + 1])] == type
            spans[type] += 1
        assert ("O" in record["tags"]) or len(record["tokens"]) < 3
    assert set(spans) == set(TYPES)
    texts = helpers.texts_of(facts, "test")
    for record in helpers.rows(made["relations"] / "test.jsonl"):
        text = re.sub(r"</?[12]> ?", "", record["text"]).replace(" ,", ",")
        assert record["label"] == "none" or record["label"] in BY_NAME
        assert set(re.findall(r"<[12]> (.*?) </", record["text"])) <= set(names)
        assert re.sub(" (?=[.,])", "", text) in texts[record["id"].rsplit(":", 1)[0]].replace(" ,", ",")
    told = {row["document"]: row["statements"] for row in helpers.rows(facts.path / "truth" / "statements.jsonl")}
    for record in helpers.rows(made["statements"] / "train.jsonl"):
        labels = Counter(row["relation"] for row in told[record["id"]] if row["fact"] is not None)
        assert Counter(label for label in record["labels"] if label != "none") == labels
    stated = {row["fact"]: set(row["documents"]) for row in helpers.rows(facts.path / "truth" / "facts.jsonl")}
    records = helpers.rows(made["questions"] / "test.jsonl")
    chosen = {record["id"].rsplit(":", 1)[0] for record in records}
    assert len(chosen) == len(records) > 10
    for record in records:
        id, fact = record["id"].rsplit(":", 1)
        assert texts[id] == record["document"]
        assert stated[int(fact)] & chosen == {id}, "another document answers it as well"


def test_labels_of_what_is_no_world(facts: Any, run: Any, tmp_path: Any) -> None:
    with pytest.raises(InputError, match=r"entitys.*\n.*entities"):
        run("labels", world=facts, task="entitys")
    (tmp_path / "a.txt").write_text("One.\n\nTwo.")
    plain = run("build_corpus", read=[{"text": {"path": str(tmp_path)}}], split={})
    with pytest.raises(InputError, match="nothing is known to be true"):
        run("labels", world=plain, task="entities")
