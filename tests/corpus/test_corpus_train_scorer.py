"""The step `train_scorer`, from a corpus to a corpus that its scores have filtered."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import seedbed
from seedbed.core.errors import InputError
from seedbed.core.files import read_json
from seedbed.corpus.train_scorer import train_scorer

GOOD, BAD = ["tree", "river", "stone", "bird"], ["offer", "click", "price", "cheap"]


def rows(words: list[str], name: str) -> list[dict[str, str]]:
    return [
        {"id": f"{name}{n}", "text": " ".join([words[(n * k) % 4] for k in range(1, 9)] + [f"the {n % 5} of {n % 7}"])}
        for n in range(60)
    ]


def test_from_examples_to_a_filtered_corpus(tmp_path: Path, helpers: Any) -> None:
    paths = {
        name: str(helpers.write_jsonl(tmp_path / f"{name}.jsonl", rows(words, name)))
        for name, words in (("good", GOOD), ("bad", BAD))
    }
    with seedbed.workspace(tmp_path / "runs"):
        good = seedbed.build_corpus(read=[{"jsonl": {"path": paths["good"]}}], curate=[], split={"test": 0.2})
        quality = train_scorer(method={"ngram_classifier": {"good": good, "bad": paths["bad"]}})
        likeness = train_scorer(method={"ngram_perplexity": {"texts": good}})
        again = train_scorer(method={"ngram_classifier": {"good": str(good.path), "bad": paths["bad"]}})
        assert again.path == quality.path  # a path to the corpus is the corpus
        kept = seedbed.build_corpus(
            read=[{"jsonl": {"path": str(tmp_path / "*.jsonl")}}],
            curate=[
                {"score": {"by": quality}},
                {"score": {"by": likeness, "name": "perplexity"}},
                {"best": {"by": "quality", "share": 0.5}},
            ],
            split={},
        )
        with pytest.raises(InputError, match="is a scorer, but a corpus or a labels is wanted"):
            train_scorer(method={"ngram_perplexity": {"texts": str(quality.path)}})
    record = read_json(quality.path / "scorer.json")
    assert record == {"method": "ngram_classifier", "columns": {"score": "float", "label": "string"}}
    assert quality.counts["auc"] > 0.95 and set(quality.counts["noise"]) == {"texts", "mean_score", "sees_noise"}
    for scorer in (quality, likeness):
        assert set(scorer.counts["filter"]) == {"good", "pool", "bits_per_byte", "better"}
    documents = list(kept.documents("train"))
    assert {row["id"][:4] for row in documents} == {"good"} and len(documents) == 60
    assert all(row["quality"] > 0.5 and row["quality_label"] == "good" for row in documents)
    gone = list(kept.dropped())
    assert len(gone) == 60 and all("not among the highest by quality" in row["reason"] for row in gone)
    assert max(row["perplexity"] for row in documents) < min(row["perplexity"] for row in gone)
