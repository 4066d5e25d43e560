"""Why two documents of a finished corpus match."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from seedbed.core.errors import InputError
from seedbed.corpus.artifact import Corpus
from seedbed.corpus.why import compare, lines

CURATE: list[Any] = ["exact_duplicates", {"near_duplicates": {"threshold": 0.7, "ngram": 3}}]


@pytest.fixture
def corpus(make_corpus: Any, tmp_path: Path, helpers: Any) -> Corpus:
    """A chain from a to d, each a little further; e is another text, f without words, g the same as a."""
    random_ = random.Random(0)
    words = [f"w{number}" for number in random_.sample(range(1000), 100)]
    rows = [{"id": "e", "text": " ".join(f"v{number}" for number in range(50))}, {"id": "f", "text": "..."}]
    rows.append({"id": "g", "text": "  " + " ".join(words)})
    for step, id in enumerate("abcd"):
        changed = [f"x{place}" if place % 20 < step else word for place, word in enumerate(words)]
        rows.append({"id": id, "text": " ".join(changed).capitalize() + "."})
    rows[3]["text"] = " ".join(words)
    path = helpers.write_jsonl(tmp_path / "a.jsonl", rows)
    made, _ = make_corpus(read=[{"jsonl": str(path)}], curate=CURATE, split={})
    parameters = {
        "curate": [{"exact_duplicates": {}}, {"near_duplicates": {"threshold": 0.7, "ngram": 3, "against": None}}]
    }
    made.__dict__["manifest"] = {"kind": "corpus", "parameters": parameters}
    return made


def similarity(corpus: Corpus, left: str, right: str) -> float:
    texts = {row["id"]: row["text"] for row in [*corpus.documents("train"), *corpus.dropped()]}
    sets = []
    for id in (left, right):
        words = texts[id].lower().strip(". ").split()
        sets.append({tuple(words[place : place + 3]) for place in range(len(words) - 2)})
    return len(sets[0] & sets[1]) / len(sets[0] | sets[1])


def test_a_chain_of_links(corpus: Corpus) -> None:
    assert similarity(corpus, "a", "d") < 0.7 <= similarity(corpus, "a", "b")
    found = compare(corpus, "a", "d")
    assert found.left.fate == "kept" and found.right.step == "near_duplicates"
    assert found.right.reason.startswith("near duplicate of a (similarity ")
    assert (found.ngram, found.threshold) == (3, 0.7)
    assert found.similarity == pytest.approx(similarity(corpus, "a", "d"))
    assert found.estimate == pytest.approx(found.similarity, abs=0.2)
    assert found.chain[0].left == "a" and found.chain[-1].right == "d" and len(found.chain) > 1
    for before, after in zip(found.chain, found.chain[1:], strict=False):
        assert before.right == after.left
    for link in found.chain:
        assert link.similarity == pytest.approx(similarity(corpus, link.left, link.right)) and link.similarity >= 0.7
    words = next(row["text"] for row in corpus.documents("train") if row["id"] == "a").split()
    assert len(found.examples) == 3 and all(example in " ".join(words) for example in found.examples)
    text = list(lines(found))
    assert text[0] == "a: kept" and sum(line.startswith("linked: ") for line in text) == len(found.chain)
    between = compare(corpus, "b", "c")  # both dropped
    assert [(link.left, link.right) for link in between.chain] == [("b", "c")]


def test_documents_that_do_not_match(corpus: Corpus) -> None:
    found = compare(corpus, "a", "e")
    assert (found.shared, found.similarity, found.shared_bands, found.examples, found.chain) == (0, 0.0, [], [], [])
    assert "no chain of links leads from one to the other" in lines(found)
    without = compare(corpus, "f", "a")
    assert without.estimate is None and without.similarity == 0.0 and without.sizes == (0, 98)
    assert "a text has no words, so it has no signature" in lines(without)
    with pytest.raises(InputError, match="never seen"):
        compare(corpus, "a", "nobody")


def test_the_same_text(corpus: Corpus) -> None:
    found = compare(corpus, "a", "g")
    assert found.same_text and found.similarity == 1.0 and found.right.step == "exact_duplicates"
    assert len(found.shared_bands) == found.bands and found.estimate == 1.0


def test_the_command(corpus: Corpus) -> None:
    import json

    from seedbed.cli.corpus import app

    (corpus.path / "manifest.json").write_text(
        json.dumps({"kind": "corpus", "fingerprint": "x", "files": {}, "format": 1, **corpus.manifest})  # type: ignore[dict-item]
    )
    printed = CliRunner().invoke(app, ["why", str(corpus.path), "a", "b"])
    assert printed.exit_code == 0 and "linked: a - b (similarity" in printed.output
    printed = CliRunner().invoke(app, ["why", str(corpus.path), "a", "b", "--json"])
    assert json.loads(printed.output)["left"] == {"id": "a", "fate": "kept", "step": "", "reason": ""}
