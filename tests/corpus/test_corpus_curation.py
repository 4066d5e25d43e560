"""Curation: the contract that every step keeps, and the steps that look at one document at a time."""

from __future__ import annotations

import unicodedata
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from seedbed.core.errors import InputError
from seedbed.corpus import curation
from seedbed.corpus.curating.normalize import Normalize
from seedbed.corpus.documents import COLUMNS

SENTENCE = "the quick brown fox jumps over the lazy dog near the bank of the river"
DOCUMENTS = {
    "a": SENTENCE,
    "b": SENTENCE,
    "c": SENTENCE + " today",
    "d": "  something else,\r\nin two lines  ",
    "e": "",
    "f": "short",
    "g": "Größe e\u0301 \u200b\ufeff",
    "http://example.org/h": "read this line of the page\nread this line of the Page\nread this line of the page",
    "https://www.example.org/h/": "what stands at one address",
}


@pytest.fixture
def parameters(tmp_path: Path, helpers: Any, tiny_encoder: Path) -> dict[str, dict[str, Any]]:
    """For each step, parameters under which it drops, changes or scores something of DOCUMENTS, not everything."""
    held = helpers.write_jsonl(tmp_path / "test.jsonl", [{"text": "brown fox jumps over the lazy dog near the bank"}])
    queries = helpers.write_jsonl(tmp_path / "train.jsonl", [{"text": "brown fox jumps over the lazy dog"}])
    return {
        "best": {"by": "words", "documents": 3},
        "bm25": {"queries": str(queries), "top": 1},
        "bucket": {"by": "chars", "bounds": [10, 60]},
        "plant": {"text": "velum ordo", "share": 0.5},
        "normalize": {},
        "dsir": {"target": str(queries)},
        "keep": {"expression": "words > 3"},
        "exact_duplicates": {},
        "semantic_duplicates": {"model": str(tiny_encoder)},
        "duplicate_urls": {},
        "duplicate_lines": {},
        "duplicate_paragraphs": {},
        "similar_lines": {},
        "repeated_ngrams": {"ngram": 5},
        "near_duplicates": {"threshold": 0.7},
        "decontaminate": {"against": [str(held)], "ngram": 8},
        "permute_words": {"share": 0.5},
        "personal_data": {},
        "sample": {"documents": 4},
        "score": {"by": str(helpers.length_scorer(tmp_path / "scorer"))},
        "prox": {"by": str(programmer(tmp_path / "programmer"))},
        "sentences": {"by": str(segmenter(tmp_path / "segmenter"))},
        "gopher_quality": {"min_words": 5, "min_stop_words": None},
        "gopher_repetition": {},
        "language": {},
        "normalize_language": {"rules": ["fullwidth", "thai"]},
        "c4": {"need_terminal": False, "min_sentences": 1},
        "fineweb": {"min_terminated_lines": None},
        "dolma": {"terminal": "ryt", "min_words": 3, "min_stop_words": None, "top_ngrams": {}},
    }


def programmer(folder: Path) -> Path:
    """One that has learned nothing but to put one word in the place of another, wherever it wants to."""
    import torch

    from seedbed.corpus.neural.segments import NUMBERS
    from seedbed.corpus.neural.tagger import Sizes, Tagger
    from seedbed.corpus.refining.lexicon import Lexicon
    from seedbed.corpus.refining.programmer import DOCUMENT_LABELS, LABELS, Programmer

    tagger = Tagger(Sizes(NUMBERS, LABELS, DOCUMENT_LABELS, width=16, layers=1, heads=1), seed=3)
    with torch.no_grad():
        tagger.document.bias -= 9.0
    folder.mkdir(parents=True)
    Programmer(tagger, Lexicon({"lazy": "sleepy"})).write(folder)
    (folder / "scorer.json").write_text('{"method": "prox"}', encoding="utf8")
    manifest = '{"kind": "scorer", "fingerprint": "programmer", "files": {}, "format": 1}'
    (folder / "manifest.json").write_text(manifest, encoding="utf8")
    return folder


def segmenter(folder: Path) -> Path:
    """One that has learned nothing, and ends sentences anywhere."""
    from seedbed.segmentation.network import SentenceEnds, Sizes

    folder.mkdir(parents=True)
    SentenceEnds(Sizes(width=16, layers=1, heads=1, behind=4, lookahead=4), seed=3).write(folder, threshold=0.5)
    manifest = '{"kind": "segmenter", "fingerprint": "segmenter", "files": {}, "format": 1}'
    (folder / "manifest.json").write_text(manifest, encoding="utf8")
    return folder


@pytest.mark.parametrize("name", curation.names())
def test_every_step_gives_each_document_once(name: str, parameters: dict[str, Any], helpers: Any) -> None:
    method = helpers.built(curation, name, **parameters[name])
    rows = helpers.tagged(method, DOCUMENTS)
    assert set(rows) == set(DOCUMENTS)
    reasons = [row["reason"] for row in rows.values() if row.get("reason") is not None]
    assert len(reasons) < len(DOCUMENTS) and all(isinstance(reason, str) and reason for reason in reasons)
    changed = [id for id, row in rows.items() if row["text"] != DOCUMENTS[id]]
    assert reasons or changed or set(rows["a"]) - {*COLUMNS, "reason", "edits"}
    assert rows == helpers.tagged(method, DOCUMENTS)


@pytest.mark.parametrize("name", curation.names())
def test_no_step_depends_on_order_or_partitions(name: str, parameters: dict[str, Any], helpers: Any) -> None:
    method = helpers.built(curation, name, **parameters[name])
    rows = helpers.tagged(method, DOCUMENTS)
    turned = dict(reversed(DOCUMENTS.items()))
    assert helpers.tagged(method, turned) == rows
    assert helpers.tagged(method, turned, partitions=3) == rows


@pytest.mark.parametrize("name", curation.names())
@pytest.mark.parametrize("documents", [{}, {"a": SENTENCE}, {"a": ""}], ids=["none", "one", "blank"])
def test_every_step_takes_none_and_one(
    name: str, documents: dict[str, str], parameters: dict[str, Any], helpers: Any
) -> None:
    rows = helpers.tagged(helpers.built(curation, name, **parameters[name]), documents)
    assert set(rows) == set(documents)


@pytest.mark.parametrize("name", curation.names())
def test_every_step_refuses_an_unknown_parameter(name: str, parameters: dict[str, Any], helpers: Any) -> None:
    with pytest.raises(InputError, match="unknown key"):
        helpers.built(curation, name, **parameters[name], speed=3)


@given(st.text(alphabet=st.characters(codec="utf8"), max_size=60), st.integers(0, 3))
@settings(max_examples=200, deadline=None)
def test_cleaning_twice_is_cleaning_once(text: str, blank_lines: int) -> None:
    method = Normalize(blank_lines=blank_lines)
    clean = method.clean(text)
    assert method.clean(clean) == clean
    assert unicodedata.is_normalized("NFC", clean)
    assert "\n" * (blank_lines + 2) not in clean and clean == clean.strip("\n")
    assert not any(line != line.rstrip() for line in clean.split("\n"))
    assert all(char in "\t\n" or unicodedata.category(char) != "Cc" for char in clean)
    visible = [char for char in unicodedata.normalize("NFC", text) if char.isalnum()]
    assert [char for char in clean if char.isalnum()] == visible or "\u200b" in text or "\u2060" in text


def test_what_normalize_does_to_text(helpers: Any) -> None:
    texts = {
        "code": "def f():\r\n\tif x:  \r\n        return 1\r\n",
        "blank": "a\n\n\n\n\nb",
        "accent": "e\u0301",
        "wide": "ﬁne\x00 \u200bx",
        "family": "👨\u200d👩\u200d👧",
        "pages": "one\x0ctwo\u2028three",
        "nothing": "\ufeff \u200b\n",
    }
    rows = helpers.tagged(Normalize(), texts)
    wanted = {
        "code": "def f():\n\tif x:\n        return 1",
        "blank": "a\n\n\nb",
        "accent": "é",
        "wide": "ﬁne x",
        "family": texts["family"],
        "pages": "one\ntwo\nthree",
        "nothing": "",
    }
    assert {id: row["text"] for id, row in rows.items()} == wanted
    assert {id for id, row in rows.items() if row["reason"]} == {"nothing"}
    assert Normalize(form="NFKC").clean("ﬁ") == "fi" and Normalize(form="none").clean("e\u0301") == "e\u0301"
    assert Normalize(collapse_spaces=True).clean("a \t b\n  c") == "a b\n c"


def test_exact_duplicates_keep_the_smallest_id(helpers: Any) -> None:
    texts = {"z": "a  b", "y": "a b\n", "x": "A b", "w": "other", "v": "a\tb"}
    method = helpers.built(curation, "exact_duplicates")
    assert helpers.dropped(method, texts) == {"z": "same text as v", "y": "same text as v"}
    strict = helpers.built(curation, "exact_duplicates", ignore_space=False)
    assert helpers.dropped(strict, texts) == {}
    loose = helpers.built(curation, "exact_duplicates", ignore_case=True)
    assert set(helpers.dropped(loose, texts)) == {"x", "y", "z"}
