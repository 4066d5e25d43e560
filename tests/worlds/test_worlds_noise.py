"""The world `noise`: what is planted stands where it is said to, and the rest is as it was."""

from __future__ import annotations

import re
from difflib import SequenceMatcher
from typing import Any

import pytest

from seedbed.corpus.artifact import Corpus
from seedbed.worlds import worlds
from seedbed.worlds.measure import Agreement, planted_documents, planted_spans, precision_recall
from seedbed.worlds.plants import PLANTS

KINDS = [*PLANTS, "exact_duplicates", "near_duplicates"]
LOOKS = {
    "email": r"[a-z]+\.[a-z]+@[a-z]+\.example",
    "phone": r"\+1 \d{3} 555 01\d\d",
    "ip": r"(192\.0\.2|198\.51\.100|203\.0\.113)\.\d{1,3}",
    "iban": r"XX\d\d( \d{4}){4}",
    "name": r"[A-Z][a-z]+ [A-Z][a-z]+",
    "mojibake": r"(?s).*(Ã|â€™|Â).*",
    "markup": r"[<&{].*",
    "toxicity": r"(?i).*(fool|blockhead|nitwit|numbskull|dunce|windbag|nincompoop|lout).*[.!]",
    "header": r"(?s).*(Home|Menu|You are here).*\n\n",
    "footer": r"(?s)\n\n.*(All rights reserved|cookies|Share this page).*",
    "truncation": "",
}


@pytest.fixture(scope="module")
def world(helpers: Any) -> Any:
    """(documents, truth, the prose that it is made over)."""
    rates = dict.fromkeys(KINDS, 0.3)
    documents, truth = helpers.made("noise", documents=400, **rates)
    return documents, truth, helpers.made("noise", documents=400, **dict.fromkeys(KINDS, 0.0))[0]


def test_without_rates_nothing_is_planted(helpers: Any) -> None:
    documents, truth = helpers.made("noise", documents=50, **dict.fromkeys(KINDS, 0.0))
    assert len(documents) == 50 and list(truth) == ["planted"]
    assert all(row["kinds"] == row["spans"] == [] and row["copy_of"] is None for row in truth["planted"])


def test_spans_hold_what_they_say(world: Any) -> None:
    documents, truth, _ = world
    seen = set()
    for row in truth["planted"]:
        text = documents[row["document"]].text
        ends = 0
        for span in row["spans"]:
            assert ends <= span["start"] <= span["end"] <= len(text)
            ends = span["end"]
            assert re.fullmatch(LOOKS[span["type"]], text[span["start"] : span["end"]]), span
            seen.add(span["type"])
        assert {span["kind"] for span in row["spans"]} == set(row["kinds"]) & set(PLANTS)
    assert seen == set(LOOKS)


def test_the_source_is_kept(world: Any) -> None:
    documents, truth, source = world
    originals = {row["document"]: row["text"] for row in truth["originals"]}
    assert set(source) <= set(documents)
    for row in truth["planted"]:
        document, before = documents[row["document"]], source[row["original"]].text
        assert document.metadata["original"] == row["original"]
        if row["copy_of"] is None:
            assert originals.get(row["document"], document.text) == before
            assert (row["document"] in originals) == bool(row["kinds"])
        if not row["kinds"]:
            assert document.text == before
        if row["kinds"] == ["pii"]:
            text = document.text
            for span in reversed(row["spans"]):
                text = text[: span["start"]] + "{0}" + text[span["end"] :]
            for carrier in (
                " Write to {0} for more.",
                " Questions go to {0} at any time.",
                " The entry was left by {0}.",
                " It was last seen from {0}.",
            ):
                text = text.replace(carrier, "")
            assert text == before
        if row["kinds"] == ["truncation"]:
            assert before.startswith(document.text) and len(before) / 2 - 1 <= len(document.text) < len(before)
            assert row["spans"][0]["start"] == len(document.text)


def test_shares_are_as_wanted_and_rates_do_not_disturb_each_other(world: Any, helpers: Any) -> None:
    _, truth, source = world
    for kind in KINDS:
        marked = {row["original"] for row in truth["planted"] if kind in row["kinds"]}
        assert 0.2 < len(marked) / len(source) < 0.4, kind
    less, _ = helpers.made("noise", documents=400, **dict.fromkeys(KINDS, 0.0) | {"pii": 0.1})
    more, rows = helpers.made("noise", documents=400, **dict.fromkeys(KINDS, 0.0) | {"pii": 0.2})
    changed = {id for id in source if less[id].text != source[id].text}
    assert 20 < len(changed) < 60
    assert all(less[id] == more[id] for id in changed)
    assert all(row["kinds"] in ([], ["pii"]) for row in rows["planted"])


def test_copies(world: Any) -> None:
    documents, truth, _ = world
    similar = []
    for row in truth["planted"]:
        if row["copy_of"] is None:
            assert row["edits"] == 0
            continue
        one, other = documents[row["copy_of"]].text, documents[row["document"]].text
        assert row["document"] == row["copy_of"] + ("~near" if "near_duplicates" in row["kinds"] else "~exact")
        if "exact_duplicates" in row["kinds"]:
            assert one == other and row["edits"] == 0
        else:
            assert one != other and row["edits"] >= 1
            similar.append(row["edits"] / len(one.split()))
            changes = SequenceMatcher(None, one.split(), other.split(), autojunk=False).get_opcodes()
            seen = sum(max(c[2] - c[1], c[4] - c[3]) for c in changes if c[0] != "equal")
            assert 0.6 * row["edits"] <= seen <= row["edits"]
    assert 0.02 < sum(similar) / len(similar) < 0.06


def test_a_filter_is_measured(run: Any) -> None:
    """The package's own search for equal texts finds all copies and nothing else."""
    rates = dict.fromkeys(KINDS, 0.0) | {"exact_duplicates": 0.2, "pii": 0.2}
    noisy = run("generate", world={"noise": {"documents": 150, **rates}}, split={"test": 0.2})
    read = [{"parquet": {"path": str(noisy.path / "data"), "id": "id"}}]
    clean = run("build_corpus", read=read, curate=["exact_duplicates"], split={})
    all_ids, kept = (
        {row["id"] for split in corpus.splits() for row in corpus.documents(split)} for corpus in (noisy, clean)
    )
    found = precision_recall(all_ids - kept, planted_documents(noisy, "exact_duplicates"))
    assert (found.precision, found.recall, found.f1) == (1, 1, 1) and found.planted > 15
    assert all("~exact" in id for id in all_ids - kept)
    emails = {
        (row["id"], match.start(), match.end())
        for split in noisy.splits()
        for row in noisy.documents(split)
        for match in re.finditer(r"\S+@\S+\.example", row["text"])
    }
    assert emails == planted_spans(noisy, "email") < planted_spans(noisy, "pii") == planted_spans(noisy)
    assert planted_documents(noisy, "pii") | planted_documents(noisy, "exact_duplicates") == planted_documents(noisy)
    groups = [{row["metadata"].split('"original": ')[1] for row in noisy.documents(split)} for split in noisy.splits()]
    assert not groups[0] & groups[1], "a document and its copies are on one side"


def test_agreement_by_hand() -> None:
    found = precision_recall(["a", "b", "b", "c"], {"b", "c", "d", "e"})
    assert found == Agreement(right=2, found=3, planted=4)
    assert (found.precision, found.recall, found.f1) == (2 / 3, 2 / 4, 4 / 7)
    nothing = precision_recall([], [])
    assert (nothing.precision, nothing.recall, nothing.f1) == (1, 1, 1)
    assert precision_recall([], ["a"]).f1 == 0


def test_over_a_corpus(facts: Corpus, run: Any, helpers: Any) -> None:
    noisy = run(
        "generate", world={"noise": {"corpus": facts, "documents": 100, "pii": 1.0}}, split={"test": 0.2}, seed=5
    )
    source, texts = helpers.texts_of(facts), helpers.texts_of(noisy)
    originals = {row["document"]: row["text"] for row in helpers.rows(noisy.path / "truth" / "originals.jsonl")}
    assert len(set(texts) & set(source)) == len(originals) == 100
    assert 10 < len(set(helpers.texts_of(noisy, "test")) & set(source)) < 30
    assert all(originals[id] == source[id] for id in originals)
    assert set(helpers.texts_of(noisy, "test")) & set(source) <= set(helpers.texts_of(facts, "test"))
    assert {row["domain"] for row in noisy.documents("train")} == {"facts"} and set(texts) > set(originals)


def test_labels(run: Any, helpers: Any) -> None:
    noisy = run("generate", world={"noise": {"documents": 300, "pii": 0.3}}, split={"test": 0.2})
    kinds = helpers.rows(run("labels", world=noisy, task="kinds").path / "train.jsonl")
    assert {record["label"] for record in kinds} == {*PLANTS, "clean"}
    planted = {row["document"]: row["kinds"] for row in helpers.rows(noisy.path / "truth" / "planted.jsonl")}
    for record in kinds:
        assert [record["label"]] == ([kind for kind in planted[record["id"]] if kind in PLANTS] or ["clean"])
    tagged = helpers.rows(run("labels", world=noisy, task="pii").path / "train.jsonl")
    addresses = [
        "".join(word for word, tag in zip(r["tokens"], r["tags"], strict=True) if tag.endswith("email")) for r in tagged
    ]
    assert any(addresses) and all(re.fullmatch(r"([a-z]+\.[a-z]+@[a-z]+\.example)*", address) for address in addresses)


def test_documents_without_text_pass() -> None:
    class Empty:
        def read(self, seed: int) -> Any:
            from seedbed.corpus.documents import Document

            return [Document("a", ""), Document("b", "no end"), Document("c", "\n")]

    world = worlds.create("noise", **dict.fromkeys(KINDS, 1.0))
    world.base = Empty()
    assert len(list(world.stream(0))) > 9
