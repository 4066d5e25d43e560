"""The overlap report against plain sets of n-grams."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

from seedbed.evaluate.contamination import contamination


def grams(text: str, n: int) -> set[tuple[str, ...]]:
    words = re.findall(r"\w+", text.lower())
    return {tuple(words[i : i + n]) for i in range(len(words) - n + 1)}


def test_report_equals_sets_of_ngrams(make_corpus, tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    texts = [" ".join(random.choice(list("abcd"), 30)) for _ in range(30)]
    corpus = make_corpus(tmp_path / "c", {"train": texts, "test": ["x y z " * 10]})
    tests = {"one": [(f"i{n}", " ".join(random.choice(list("abcde"), 12))) for n in range(40)], "two": [("s", "a b")]}
    report = contamination(tests, [corpus], n=5, examples=100)
    seen = set().union(*(grams(text, 5) for text in texts))
    wanted = {name: len(grams(text, 5) & seen) / len(grams(text, 5)) for name, text in tests["one"]}
    found = report["tasks"]["one"]
    assert found["contaminated"] == sum(value > 0 for value in wanted.values()) == len(found["examples"])
    assert 0 < found["contaminated"] < 40
    for row in found["examples"]:
        assert row["share"] == pytest.approx(wanted[row["item"]], abs=1e-4)
        text = texts[int(row["document"].removeprefix("train-"))]
        assert grams(text, 5) & grams(dict(tests["one"])[row["item"]], 5)
    total = sum(len(grams(text, 5)) for _, text in tests["one"])
    shared = sum(len(grams(text, 5) & seen) for _, text in tests["one"])
    assert found["ngram_share"] == pytest.approx(shared / total)
    assert report["tasks"]["two"] == {
        "items": 1,
        "too_short": 1,
        "contaminated": 0,
        "contaminated_share": 0.0,
        "ngram_share": 0.0,
        "examples": [],
    }


def test_held_out_splits_are_not_what_was_trained_on(make_corpus, tmp_path: Path) -> None:
    text = "one two three four five six"
    held = make_corpus(tmp_path / "held", {"train": ["nothing of it at all here"], "test": [text]})
    assert contamination({"t": [("i", text)]}, [held], n=4)["tasks"]["t"]["contaminated"] == 0
    leaked = make_corpus(tmp_path / "leaked", {"train": [f"before {text.upper()}, after"], "test": [text]})
    report = contamination({"t": [("i", text)]}, [held, leaked], n=4)
    assert report["tasks"]["t"]["contaminated"] == 1 and report["tasks"]["t"]["ngram_share"] == 1.0
    assert report["corpora"] == [str(held.path), str(leaked.path)]
