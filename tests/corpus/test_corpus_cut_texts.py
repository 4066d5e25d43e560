"""Pairs that are cut out of documents."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from seedbed.core.errors import InputError
from seedbed.corpus.build import build_corpus
from seedbed.corpus.cut_texts import GAP, cut, cut_texts
from seedbed.recipe.execute import workspace

WORDS = [f"w{number}" for number in range(60)]


@pytest.mark.parametrize("seed", range(12))
def test_pairs_are_the_document_again(seed: int) -> None:
    text = "  \n".join(WORDS) + "\n"
    kinds, places = set(), set()
    for number in range(8):
        record = cut(f"d{number}", text, ["continue", "fill"], 20, 5, seed)
        assert record is not None
        kind, mark, source = record["source"].partition(": ")
        assert mark and kind == record["kind"]
        whole = f"{source}  \n{record['target']}" if kind == "continue" else source.replace(GAP, record["target"])
        assert whole in text
        assert len(whole.split()) == 20 and len(record["target"].split()) == 5
        if kind == "fill":
            assert source.count(GAP) == 1 and not source.endswith(GAP)
        kinds.add(kind)
        places.add(whole.split()[0])
    assert kinds == {"continue", "fill"} and len(places) > 3
    assert cut("d0", text, ["fill"], 61, 5, seed) is None
    assert cut("d0", text, ["fill"], 60, 5, seed) is not None


def test_the_step(tmp_path: Path) -> None:
    rows = [{"id": f"d{number}", "text": " ".join([*WORDS[number % 7 :], f"x{number}"])} for number in range(40)]
    rows += [{"id": "short", "text": "too short"}]
    (tmp_path / "texts.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    with workspace(tmp_path / "runs"):
        read: list[Any] = [{"jsonl": {"path": str(tmp_path / "texts.jsonl")}}]
        corpus = build_corpus(read=read, split={"test": 0.3}, seed=1)
        made = cut_texts(corpus=corpus, words=30, wanted=4)
        counts = made.counts
        train, test = (
            [json.loads(line) for line in (made.path / f"{part}.jsonl").read_text().splitlines()]
            for part in ("train", "test")
        )
        assert counts["short"] == 1 and counts["train"] == len(train) and counts["test"] == len(test)
        assert len(train) + len(test) == 40 and not {row["id"] for row in train} & {row["id"] for row in test}
        fewer = cut_texts(corpus=corpus, words=30, wanted=4, limit=5)
        lines = (fewer.path / "train.jsonl").read_text().splitlines()
        assert set(lines) <= {json.dumps(row, ensure_ascii=False) for row in train} and len(lines) in (4, 5)
        for named, parameters in (
            ("wanted", {"words": 4, "wanted": 4}),
            ("ask", {"ask": ["fill", "fill"]}),
            ("has 100 words", {"words": 100}),
        ):
            with pytest.raises(InputError, match=named):
                cut_texts(corpus=corpus, **parameters)  # type: ignore[arg-type]
        held = build_corpus(read=read, split={"test": 0.3, "validation": 0.001}, seed=1)
        assert "validation" not in cut_texts(corpus=held, words=30, wanted=4).counts
