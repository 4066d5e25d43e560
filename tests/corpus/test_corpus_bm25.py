"""Retrieval by BM25 against the formula, one query and one document at a time."""

from __future__ import annotations

import json
import math
import random
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from seedbed.core.counters import key
from seedbed.core.errors import InputError
from seedbed.corpus import curation
from seedbed.corpus.curating import bm25


def by_definition(texts: dict[str, str], queries: list[str], top: int, k1: float = 1.2, b: float = 0.75) -> set[str]:
    """Word by word, as rank_bm25's `BM25Okapi` goes about it, but for the idf, which is Lucene's."""
    counts = {id: Counter(text.split()) for id, text in texts.items()}
    mean = sum(sum(count.values()) for count in counts.values()) / len(texts)
    kept: set[str] = set()
    for query in queries:
        scores = dict.fromkeys(texts, 0.0)
        for word in query.split():
            having = sum(word in count for count in counts.values())
            idf = math.log(1 + (len(texts) - having + 0.5) / (having + 0.5))
            for id, count in counts.items():
                norm = 1 - b + b * sum(count.values()) / mean
                if word in count:
                    scores[id] += idf * count[word] * (k1 + 1) / (count[word] + k1 * norm)
        found = sorted((id for id in texts if scores[id] > 0), key=lambda id: (-scores[id], key(0, "bm25", id)))
        kept.update(found[:top])
    return kept


@pytest.fixture
def material() -> tuple[dict[str, str], list[str]]:
    """Words of very different frequency; a query has some of them twice, and two words that no document has."""
    dice = random.Random(5)
    words = [f"w{number}" for number in range(200)]
    weights = [1 / (rank + 1) for rank in range(200)]
    texts = {f"d{number}": " ".join(dice.choices(words, weights, k=dice.choice([3, 20, 60]))) for number in range(250)}
    queries = [" ".join([*dice.choices(words[3:], weights[3:], k=dice.choice([2, 8])), "nowhere"]) for _ in range(23)]
    return texts, queries


@pytest.mark.parametrize(
    "settings",
    [{"top": 1}, {"top": 4}, {"top": 4, "k1": 0.0}, {"top": 4, "k1": 2.0, "b": 0.0}, {"top": 4, "k1": 2.0, "b": 1.0}],
)
def test_the_same_as_the_formula(
    settings: dict[str, Any], material: tuple[dict[str, str], list[str]], tmp_path: Path, helpers: Any
) -> None:
    texts, queries = material
    path = helpers.write_jsonl(tmp_path / "train.jsonl", [{"text": text} for text in queries])
    rows = helpers.tagged(helpers.built(curation, "bm25", queries=str(path), **settings), texts)
    kept = {id for id, row in rows.items() if not row["reason"]}
    assert kept == by_definition(texts, queries, **settings)
    assert 0 < len(kept) < len(texts)


def test_small_blocks_and_other_orders_change_nothing(
    material: tuple[dict[str, str], list[str]], tmp_path: Path, helpers: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    texts, queries = material
    path = helpers.write_jsonl(tmp_path / "train.jsonl", [{"text": text} for text in queries])
    method = helpers.built(curation, "bm25", queries=str(path), top=3)
    whole = helpers.dropped(method, texts)
    monkeypatch.setattr(bm25, "_BLOCK", 500)
    monkeypatch.setattr(bm25, "_WAITING", 40)
    assert helpers.dropped(method, texts) == whole
    assert helpers.dropped(method, dict(reversed(texts.items())), partitions=4) == whole
    again = helpers.write_jsonl(tmp_path / "other.jsonl", [{"text": text} for text in reversed(queries)])
    assert helpers.dropped(helpers.built(curation, "bm25", queries=str(again), top=3), texts) == whole


def test_equal_documents_are_told_apart_by_id(tmp_path: Path, helpers: Any) -> None:
    path = helpers.write_jsonl(tmp_path / "train.jsonl", [{"text": "seed"}, {"text": "seed"}])
    texts = {f"d{number}": "a seed" for number in range(9)} | {"other": "a stone"}
    rows = helpers.tagged(helpers.built(curation, "bm25", queries=str(path), top=2), texts)
    wanted = sorted((f"d{number}" for number in range(9)), key=lambda id: key(0, "bm25", id))[:2]
    assert {id for id, row in rows.items() if not row["reason"]} == set(wanted)
    assert rows["other"]["reason"] == "not among the 2 best documents of any query"


def test_case_and_punctuation_do_not_count_and_fields_do(tmp_path: Path, helpers: Any) -> None:
    path = helpers.write_jsonl(tmp_path / "train.jsonl", [{"title": "Seed!", "body": "ROOT", "label": "stone"}])
    texts = {"a": "the seed, sown", "b": "a root; a leaf", "c": "a stone"}
    method = helpers.built(curation, "bm25", queries=str(path), fields=["title", "body"])
    assert set(helpers.dropped(method, texts)) == {"c"}


@pytest.mark.parametrize("texts", [{}, {"a": "seed"}, {"a": ""}, {"a": "", "b": "..."}])
def test_few_documents_or_none(texts: dict[str, str], tmp_path: Path, helpers: Any) -> None:
    path = helpers.write_jsonl(tmp_path / "train.jsonl", [{"text": "seed"}])
    rows = helpers.tagged(helpers.built(curation, "bm25", queries=str(path)), texts)
    assert {id for id, row in rows.items() if not row["reason"]} == {id for id, text in texts.items() if text == "seed"}


def test_test_texts_are_no_queries(tmp_path: Path, helpers: Any) -> None:
    helpers.write_jsonl(tmp_path / "task" / "train.jsonl", [{"text": "seed"}])
    helpers.write_jsonl(tmp_path / "task" / "test.jsonl", [{"text": "stone"}])
    helpers.write_jsonl(tmp_path / "task" / "dev-00000.jsonl", [{"text": "stone"}])
    (tmp_path / "task" / "manifest.json").write_text(json.dumps({"format": 1}))
    method = helpers.built(curation, "bm25", queries=str(tmp_path / "task" / "*"))
    assert set(helpers.dropped(method, {"a": "seed", "b": "stone"})) == {"b"}
    alone = helpers.built(curation, "bm25", queries=str(tmp_path / "task" / "test.jsonl"))
    with pytest.raises(InputError, match="no file of training texts"):
        helpers.tagged(alone, {"a": "seed"})


def test_what_cannot_be_is_refused(tmp_path: Path, helpers: Any) -> None:
    path = helpers.write_jsonl(tmp_path / "train.jsonl", [{"text": "..."}])
    for settings, problem in (({"top": 0}, "at least 1"), ({"k1": -1}, "negative"), ({"b": 1.5}, "between 0 and 1")):
        with pytest.raises(InputError, match=problem):
            helpers.built(curation, "bm25", queries=str(path), **settings)
    with pytest.raises(InputError, match="hold no word"):
        helpers.tagged(helpers.built(curation, "bm25", queries=str(path)), {"a": "seed"})
