"""Why two documents of a finished corpus match."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

import seedbed
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
    (overlap,) = found.overlaps
    assert (overlap.number, overlap.ngram, overlap.threshold) == (2, 3, 0.7)
    assert overlap.similarity == pytest.approx(similarity(corpus, "a", "d"))
    assert overlap.estimate == pytest.approx(overlap.similarity, abs=0.2)
    assert overlap.chain[0].left == "a" and overlap.chain[-1].right == "d" and len(overlap.chain) > 1
    for before, after in zip(overlap.chain, overlap.chain[1:], strict=False):
        assert before.right == after.left
    for link in overlap.chain:
        assert link.similarity == pytest.approx(similarity(corpus, link.left, link.right)) and link.similarity >= 0.7
    words = next(row["text"] for row in corpus.documents("train") if row["id"] == "a").split()
    assert len(overlap.examples) == 3 and all(example in " ".join(words) for example in overlap.examples)
    text = list(lines(found))
    assert text[0] == "a: kept" and sum(line.startswith("  linked: ") for line in text) == len(overlap.chain)
    assert text[3] == "step 2, near_duplicates:"
    (between,) = compare(corpus, "b", "c").overlaps  # both dropped
    assert [(link.left, link.right) for link in between.chain] == [("b", "c")]


def test_documents_that_do_not_match(corpus: Corpus) -> None:
    found = compare(corpus, "a", "e")
    (overlap,) = found.overlaps
    assert (overlap.shared, overlap.similarity, overlap.shared_bands) == (0, 0.0, [])
    assert overlap.examples == overlap.chain == []
    assert "  no chain of links leads from one to the other" in lines(found)
    found = compare(corpus, "f", "a")
    (without,) = found.overlaps
    assert without.estimate is None and without.similarity == 0.0 and without.sizes == (0, 98)
    assert "  a text has no words, so it has no signature" in lines(found)
    with pytest.raises(InputError, match="never seen"):
        compare(corpus, "a", "nobody")


def test_the_same_text(corpus: Corpus) -> None:
    found = compare(corpus, "a", "g")
    (overlap,) = found.overlaps
    assert found.same_text and overlap.similarity == 1.0 and found.right.step == "exact_duplicates"
    assert len(overlap.shared_bands) == overlap.bands and overlap.estimate == 1.0


def worded(number: int, *changed: int) -> str:
    """A text of 100 words, some of them changed."""
    return " ".join(f"x{place}" if place in changed else f"t{number}w{place}" for place in range(100))


def test_documents_of_an_older_corpus(tmp_path: Path, helpers: Any) -> None:
    old = helpers.write_jsonl(tmp_path / "old.jsonl", [{"id": f"o{n}", "text": worded(n)} for n in range(3)])
    rows = [
        {"id": "near", "text": worded(0, 50)},
        {"id": "further", "text": worded(0, 30, 50)},  # linked to o0 by way of near only
        {"id": "same", "text": worded(1)},
        {"id": "o2", "text": worded(2, 50)},
        {"id": "new", "text": worded(7)},
    ]
    path = helpers.write_jsonl(tmp_path / "new.jsonl", rows)
    with seedbed.workspace(tmp_path / "runs"):
        before = seedbed.build_corpus(read=[{"jsonl": {"path": str(old)}}], split={})
        near = {"against": before, "threshold": 0.89}
        steps = [{"exact_duplicates": {"against": before}}, {"near_duplicates": near}]
        corpus = seedbed.build_corpus(read=[{"jsonl": {"path": str(path)}}], curate=steps, split={})
    of = f" of {before.path.name}"
    found = compare(corpus, "near", "o0")
    assert found.left.reason.startswith(f"near duplicate of o0{of} (") and (found.right.id, found.right.fate) == (
        f"o0{of}",
        "kept",
    )
    assert [(link.left, link.right) for link in found.overlaps[0].chain] == [("near", f"o0{of}")]
    assert list(lines(found))[1] == f"o0{of}: kept"
    chain = compare(corpus, f"o0{of}", "further").overlaps[0].chain
    assert [(link.left, link.right) for link in chain] == [(f"o0{of}", "near"), ("near", "further")]
    found = compare(corpus, "same", "o1")
    assert found.same_text and found.left.step == "exact_duplicates" and found.left.reason == f"same text as o1{of}"
    # Both have an o2: the new one is meant, unless the corpus is named.
    found = compare(corpus, "o2", f"o2{of}")
    assert [found.left.fate, found.right.fate] == ["dropped", "kept"] and len(found.overlaps[0].chain) == 1
    assert compare(corpus, "new", "o0").overlaps[0].chain == []
    with pytest.raises(InputError, match=f"(?s)nor has a corpus that it was made against.*{before.path.name}"):
        compare(corpus, "new", "nobody")


def test_every_step_with_its_own_parameters(tmp_path: Path, helpers: Any) -> None:
    texts = {"a": worded(0), "b": worded(0, 50), "c": worded(0, 10, 30, 50, 70)}
    path = helpers.write_jsonl(tmp_path / "a.jsonl", [{"id": id, "text": text} for id, text in texts.items()])
    steps = [{"near_duplicates": 0.85}, {"near_duplicates": {"threshold": 0.5, "ngram": 3}}]
    with seedbed.workspace(tmp_path / "runs"):
        corpus = seedbed.build_corpus(read=[{"jsonl": {"path": str(path)}}], curate=steps, split={})
    found = compare(corpus, "a", "c")
    assert [(each.number, each.ngram, each.threshold) for each in found.overlaps] == [(1, 5, 0.85), (2, 3, 0.5)]
    assert [len(each.chain) for each in found.overlaps] == [0, 1]
    assert [len(each.chain) for each in compare(corpus, "a", "b").overlaps] == [1, 0]  # the second has not seen b
    assert "step 2, near_duplicates:" in lines(found)


def test_addresses_and_embeddings(tmp_path: Path, helpers: Any, tiny_encoder: Path) -> None:
    rows = [
        {"id": "a", "text": "one two three", "url": "https://www.example.org/x/?utm_source=y"},
        {"id": "b", "text": "four five six", "url": "http://example.org/x#part"},
        {"id": "c", "text": "seven eight nine"},
        {"id": "d", "text": "seven eight nine ten"},
        {"id": "e", "text": "zzzz"},
    ]
    path = helpers.write_jsonl(tmp_path / "a.jsonl", rows)
    steps = ["duplicate_urls", {"semantic_duplicates": {"model": str(tiny_encoder), "threshold": 0.9}}]
    with seedbed.workspace(tmp_path / "runs"):
        corpus = seedbed.build_corpus(read=[{"jsonl": {"path": str(path)}}], curate=steps, split={})
    found = compare(corpus, "a", "b")
    assert found.right.step == "duplicate_urls" and found.meanings == []
    assert (found.addresses[0].left, found.addresses[0].right) == ("example.org/x", "example.org/x")
    assert list(lines(found))[-1] == "  addresses: example.org/x and example.org/x"
    assert found.overlaps[0].number == 0 and "near_duplicates, which is no step of it, by default:" in lines(found)
    found = compare(corpus, "c", "d")
    assert found.right.step == "semantic_duplicates" and found.addresses == []
    told = float(found.right.reason.rpartition("cosine ")[2].rstrip(")"))
    assert found.meanings[0].cosine == pytest.approx(told, abs=2e-3) and found.meanings[0].threshold == 0.9
    assert list(lines(found))[-1].endswith("of which 0.9 is enough")


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
