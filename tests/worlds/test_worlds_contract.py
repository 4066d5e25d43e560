"""What every registered world must do."""

from __future__ import annotations

import hashlib
import itertools
import os
import re
import subprocess
import sys
from typing import Any

import pytest

from seedbed.core.errors import InputError
from seedbed.core.schema import parameters_of
from seedbed.corpus.labels import PARTS
from seedbed.worlds import Truth, worlds

NAMES = worlds.names()
COLUMNS = {
    "tokens": {"tokens", "tags"},
    "sequences": {"text", "label"},
    "sentences": {"sentences", "labels"},
    "retrieval": {"query", "document"},
    "cloze": {"text", "start", "end"},
    "completion": {"text", "start", "end"},
    "similarity": {"first", "second", "score"},
    "multiple_choice": {"text", "choices", "label", "hops"},
    "alignment": {"first", "second", "first_words", "second_words", "links"},
}


def digest(name: str, **parameters: Any) -> str:
    world = worlds.create(name, **{"documents": 40, **parameters})
    return hashlib.sha256("\n".join(map(repr, world.stream(3))).encode()).hexdigest()


def test_another_process_makes_the_same() -> None:
    code = f"import runpy; m = runpy.run_path({__file__!r}); print(*[m['digest'](name) for name in m['NAMES']])"
    environment = {**os.environ, "PYTHONHASHSEED": "7"}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment)
    assert done.stdout.split() == [digest(name) for name in NAMES], done.stderr


@pytest.mark.parametrize("name", NAMES)
def test_a_smaller_world_is_the_beginning_of_a_larger_one(name: str, helpers: Any) -> None:
    small, large = (list(helpers.made(name, documents=number)[0].values()) for number in (30, 70))
    assert len(small) >= 30 and len(large) >= 70
    assert small == large[: len(small)]


@pytest.mark.parametrize("name", NAMES)
def test_documents_come_one_at_a_time(name: str) -> None:
    """The first of a million is there at once."""
    items = worlds.create(name, documents=1_000_000).stream(0)
    documents = (item for item in items if not isinstance(item, Truth))
    assert len(list(itertools.islice(documents, 20))) == 20


@pytest.mark.parametrize("name", NAMES)
def test_seeds_and_vocabularies_differ(name: str, helpers: Any) -> None:
    worlds_made = [
        helpers.made(name, documents=30, seed=seed, vocabulary=vocabulary)[0]
        for seed, vocabulary in ((1, 0), (2, 0), (1, 1))
    ]
    texts = [{document.text for document in world.values()} for world in worlds_made]
    assert not texts[0] & texts[1] and not texts[0] & texts[2]


@pytest.mark.parametrize("name", NAMES)
def test_truth_is_of_the_documents_and_described(name: str, helpers: Any) -> None:
    documents, truth = helpers.made(name, documents=60)
    doc = worlds.get(name).doc
    for file, rows in truth.items():
        assert f"{file}.jsonl" in doc, f"the docstring does not describe {file}"
        for row in rows:
            assert set(row) == set(rows[0])
            assert row.get("document", next(iter(documents))) in documents
            for field in row:
                assert re.search(rf"\b{field}\b", doc), f"the docstring does not describe {file}.{field}"


@pytest.mark.parametrize("name", NAMES)
def test_wrong_parameters_are_named(name: str) -> None:
    for parameter, value in (("documents", 0), ("vocabulary", 99), ("documants", 3)):
        with pytest.raises(InputError, match=parameter):
            list(worlds.create(name, **{parameter: value}).stream(0))
    shares = [p.name for p in parameters_of(worlds.get(name).target) if p.annotation is float and p.name != "filler"]
    for parameter in shares:
        for value in (-0.1, 1.1):
            with pytest.raises(InputError, match=parameter):
                worlds.create(name, **{parameter: value})


@pytest.mark.parametrize("name", NAMES)
def test_generate_writes_a_whole_corpus(name: str, run: Any, helpers: Any) -> None:
    split = {"validation": 0.1, "test": 0.2}
    corpus = run("generate", world={name: {"documents": 60}}, split=split, seed=3)
    counts, documents = corpus.counts, helpers.made(name, documents=60, seed=3)[0]
    assert helpers.texts_of(corpus) == {id: document.text for id, document in documents.items()}
    assert corpus.splits() == ["train", "validation", "test"] and not corpus.problems(contents=True)
    assert counts["read"] == counts["kept"] and counts["kept"]["documents"] == len(documents)
    assert counts["quarantined"] == {"documents": 0} and counts["dropped"] == {} and counts["renamed"] == 0
    assert list(corpus.quarantine()) == [] and list(corpus.dropped()) == []
    for split_name in corpus.splits():
        found = list(corpus.documents(split_name))
        assert [row["id"] for row in found] == sorted(row["id"] for row in found)
        num_bytes = sum(len(row["text"].encode()) for row in found)
        assert counts["splits"][split_name] == {"documents": len(found), "bytes": num_bytes}
        assert corpus.num_documents(split_name) == len(found)
    truth = {path.stem: len(helpers.rows(path)) for path in (corpus.path / "truth").iterdir()}
    assert counts["truth"] == truth
    card = (corpus.path / "README.md").read_text(encoding="utf8")
    assert "made by Seedbed's `generate`" in card and "taken out" not in card and f"  {name}:" in card
    assert all(f"| `truth/{file}.jsonl` | {rows:,} |" in card for file, rows in truth.items())
    assert sum(counts["domains"][domain]["documents"] for domain in counts["domains"]) == len(documents)


@pytest.mark.parametrize("name", NAMES)
def test_labels_are_what_the_tasks_take(name: str, run: Any, helpers: Any) -> None:
    corpus = run("generate", world={name: {"documents": 120}}, split={"validation": 0.1, "test": 0.2}, seed=3)
    world = worlds.create(name, documents=120)
    assert world.tasks
    for task, evaluation in world.tasks.items():
        labels = run("labels", world=corpus, task=task, limit=50)
        assert labels.counts["task"] == evaluation
        for part in PARTS:
            records = helpers.rows(labels.path / f"{part}.jsonl")
            assert len(records) == labels.counts[part] and 0 < len(records) <= 50
            assert len({record["id"] for record in records}) == len(records)
            texts = helpers.texts_of(corpus, part)
            for record in records:
                assert set(record) == {"id", *COLUMNS[evaluation]}
                assert record["id"].rsplit(":", 1)[0] in texts, f"{record['id']} is not of the split {part}"
            for one, other in (("tokens", "tags"), ("sentences", "labels")):
                assert all(len(record[one]) == len(record[other]) for record in records if one in record)
