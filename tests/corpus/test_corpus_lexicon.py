"""A list of terms, against counting them one by one; and the insults that the world `noise` plants."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from seedbed.core.errors import InputError
from seedbed.corpus import scorers
from seedbed.corpus.rating.lexicon import Lexicon, Terms
from seedbed.worlds import Truth, worlds

TERMS = [
    {"term": "fool", "weight": 1, "category": "insult"},
    {"term": "Get lost", "weight": 2.5, "category": "threat"},
    {"term": "get", "weight": 0.25, "category": "threat"},
    {"term": "block-head", "category": "insult"},
    {"term": "naïve", "weight": -0.5, "category": "insult"},
]
TEXTS = ["Get  lost, FOOL! A fool, a block-head.", "foolish getaways", "", "So naïve; get\nLOST", "block head"]


def made(helpers: Any, folder: Path, **given: Any) -> tuple[Terms, dict[str, Any]]:
    folder.mkdir(exist_ok=True)
    counts = helpers.built(scorers, "lexicon", **given).fit(folder, lambda line: None)
    return Lexicon.load(folder), counts


def words_of(text: str) -> list[str]:
    return re.findall(r"\w+|[^\w\s]", text.lower())


def slow(text: str, category: str) -> float:
    words, total = words_of(text), 0.0
    for row in TERMS:
        term = words_of(str(row["term"]))
        hits = sum(words[place : place + len(term)] == term for place in range(len(words)))
        total += hits * float(row.get("weight", 1)) * (row["category"] == category)
    return total


def test_weights_by_counting(tmp_path: Path, helpers: Any) -> None:
    path = helpers.write_jsonl(tmp_path / "terms.jsonl", TERMS)
    scoring, counts = made(helpers, tmp_path / "scorer", path=str(path))
    assert counts == {"terms": 5, "categories": ["insult", "threat"], "without_words": 0}
    found = scoring.score(TEXTS)
    assert set(found) == set(scoring.columns) == {"score", "weight", "label", "w_insult", "w_threat"}
    for name in ("insult", "threat"):
        assert found[f"w_{name}"].tolist() == [slow(text, name) for text in TEXTS]
    total = found["w_insult"] + found["w_threat"]
    with np.errstate(invalid="ignore"):
        wanted = 100 * total / np.array([len(words_of(text)) or np.nan for text in TEXTS])
    assert np.allclose(found["score"], wanted, equal_nan=True) and np.isnan(found["score"][2])
    assert found["label"] == [
        "insult" if found["w_insult"][0] > found["w_threat"][0] else "threat",
        None,
        None,
        "threat",
        None,
    ]
    # Text by text it is the same.
    alone = [scoring.score([text])["score"][0] for text in TEXTS]
    assert np.allclose(found["score"], alone, equal_nan=True)


def test_categories_of_nearly_one_name_have_columns_of_their_own(tmp_path: Path, helpers: Any) -> None:
    rows = [{"term": "fool", "category": "a-b"}, {"term": "lost", "category": "a b"}, {"term": "you", "category": "c"}]
    scoring, _ = made(helpers, tmp_path / "scorer", path=str(helpers.write_jsonl(tmp_path / "terms.jsonl", rows)))
    found = scoring.score(["you lost, lost fool"])
    assert {name: value[0] for name, value in found.items() if name[:2] == "w_"} == {"w_a_b": 2, "w_a_b_2": 1, "w_c": 1}


def test_plain_lists_and_terms_of_a_recipe(tmp_path: Path, helpers: Any) -> None:
    (tmp_path / "terms.txt").write_text("fool\nget lost\n\n", encoding="utf8")
    plain, counts = made(helpers, tmp_path / "a", path=str(tmp_path / "terms.txt"))
    inline, _ = made(helpers, tmp_path / "b", terms={"fool": 1, "get lost": 1})
    assert counts["terms"] == 2 and list(plain.columns) == ["score", "weight", "label"]
    assert np.allclose(plain.score(TEXTS)["score"], inline.score(TEXTS)["score"], equal_nan=True)
    assert plain.score(TEXTS)["weight"][0] == 3


def test_what_is_wrong_is_said(tmp_path: Path, helpers: Any) -> None:
    with pytest.raises(InputError, match="either a path or terms"):
        Lexicon()
    with pytest.raises(InputError, match="holds no words"):
        made(helpers, tmp_path / "a", terms={" ": 1})
    path = helpers.write_jsonl(tmp_path / "terms.jsonl", [{"term": "x", "weight": "much"}])
    with pytest.raises(InputError, match="is no number"):
        made(helpers, tmp_path / "b", path=str(path))


def test_it_finds_the_insults_of_a_world(tmp_path: Path, helpers: Any) -> None:
    from seedbed.worlds.plants import _INSULTS

    scoring, _ = made(helpers, tmp_path / "scorer", terms=dict.fromkeys(_INSULTS, 1.0))
    items = list(worlds.create("noise", documents=200, toxicity=0.3, near_duplicates=0, mojibake=0).stream(1))
    texts = {item.id: item.text for item in items if not isinstance(item, Truth)}
    rows = [item.row for item in items if isinstance(item, Truth) and item.file == "planted"]
    planted = {row["document"] for row in rows if "toxicity" in row["kinds"]}
    weight = scoring.score(list(texts.values()))["weight"]
    assert isinstance(weight, np.ndarray)
    assert {id for id, value in zip(texts, weight, strict=True) if value > 0} == planted and len(planted) > 30
