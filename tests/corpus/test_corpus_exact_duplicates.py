"""Exact duplicates: by text against an older corpus, by address, by line and paragraph, and the Bloom filter."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from seedbed.core.errors import InputError
from seedbed.corpus import curation
from seedbed.corpus.curating.duplicate_urls import normalized_url
from seedbed.corpus.text.arrival import Arrival
from seedbed.corpus.text.bloom import Bloom
from seedbed.corpus.text.copies import repeats


def test_texts_of_an_older_corpus(make_corpus: Any, tmp_path: Path, helpers: Any) -> None:
    old = [{"id": f"o{number}", "text": f"text  number {number}"} for number in range(20)]
    path = helpers.write_jsonl(tmp_path / "old.jsonl", old)
    corpus, _ = make_corpus(read=[{"jsonl": str(path)}], curate=[], split={"test": 0.3})
    texts = {"a": "text number 3", "b": "text number 3 ", "c": "new", "d": "new", "e": "other", "o7": "text number 11"}
    wanted = {
        "a": "same text as o3 of corpus",
        "b": "same text as o3 of corpus",
        "d": "same text as c",
        "o7": "same text as o11 of corpus",
    }
    for expected in (None, 1000, 2):
        method = helpers.built(curation, "exact_duplicates", against=str(corpus.path), expected=expected)
        assert helpers.dropped(method, texts) == wanted == helpers.dropped(method, texts, partitions=3)
        assert bool(method.notes) == (expected == 2)


@pytest.mark.parametrize("name", ["exact_duplicates", "duplicate_urls"])
def test_a_filter_changes_no_result_however_full_it_is(name: str, helpers: Any) -> None:
    dice = random.Random(7)
    rows = []
    for number in dice.sample(range(1000), 600):
        key = dice.choice([dice.randrange(60), 1000 + number])  # some come often, most once
        metadata = json.dumps({"url": f"http://a.org/{key}"} if number % 9 else {})
        rows.append({"id": f"d{number:03d}", "text": f"text {key}", "metadata": metadata})
    field = "text" if name == "exact_duplicates" else "metadata"
    first: dict[str, str] = {}
    for row in sorted(rows, key=lambda row: row["id"]):
        first.setdefault(row[field], row["id"])
    gone = {row["id"]: first[row[field]] for row in rows if first[row[field]] != row["id"] and row[field] != "{}"}
    assert 100 < len(gone) < 400
    for expected, is_told in ((None, False), (1, True), (40, True), (5000, False)):
        method = helpers.built(curation, name, expected=expected)
        for given, partitions in ((rows, 1), (rows[::-1], 4)):
            found = helpers.dropped(method, given, partitions)
            assert {id: reason.split(" as ")[1].split(":")[0] for id, reason in found.items()} == gone
            assert bool(method.notes) == is_told
    with pytest.raises(InputError, match="expected"):
        helpers.built(curation, name, expected=0)


def test_with_a_filter_only_what_may_come_again_is_held(helpers: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    held: list[str] = []
    add = Arrival.add

    def spied(self: Arrival, ids: Any) -> None:
        held.extend(ids.to_pylist())
        add(self, ids)

    monkeypatch.setattr(Arrival, "add", spied)
    texts = {f"d{number:04d}": f"text number {max(number, 4)} of a few" for number in range(2000)}
    for name in ("exact_duplicates", "duplicate_lines"):
        held.clear()
        rows = helpers.tagged(helpers.built(curation, name, expected=2000), texts)
        assert [id for id, row in sorted(rows.items()) if row["reason"]] == ["d0001", "d0002", "d0003", "d0004"]
        assert {"d0000", "d0001", "d0002", "d0003", "d0004"} <= set(held) and len(held) == len(set(held)) < 100


def test_the_build_says_that_more_came_than_expected(make_corpus: Any, tmp_path: Path, helpers: Any) -> None:
    rows = [{"id": f"d{number}", "text": f"what document number {number} says"} for number in range(300)]
    path = helpers.write_jsonl(tmp_path / "in.jsonl", rows)
    names = ["exact_duplicates", "duplicate_lines", "repeated_ngrams"]
    curate = [{name: {"expected": 20}} for name in names[:2]] + [{names[2]: {"expected": 20, "ngram": 5}}]
    corpus, counts = make_corpus(read=[{"jsonl": str(path)}], curate=curate)
    assert [note.partition(": expected 20 different ones, but ")[0] for note in counts["notes"]] == names
    card = (corpus.path / "README.md").read_text()
    assert all(note in card for note in counts["notes"])
    _, counts = make_corpus("roomy", read=[{"jsonl": str(path)}], curate=[{"exact_duplicates": {"expected": 400}}])
    assert "notes" not in counts


def test_the_first_of_equal_rows_stays() -> None:
    keys = np.random.default_rng(3).integers(0, 6, (200, 2)).astype(np.uint64)
    first: dict[tuple[int, ...], int] = {}
    wanted = {row: first[key] for row, key in enumerate(map(tuple, keys.tolist())) if first.setdefault(key, row) != row}
    gone, kept = repeats(keys)
    assert dict(zip(gone.tolist(), kept.tolist(), strict=True)) == wanted and 30 < len(first) <= 36
    assert [len(found) for found in repeats(keys[:0])] == [0, 0]


@pytest.mark.parametrize(
    ("url", "same"),
    [
        ("https://www.Example.org:443/a/b/?b=2&a=1&utm_source=x#part", "http://example.org/a/b?a=1&b=2"),
        ("http://example.org/", "https://example.org"),
        ("http://example.org/caf%C3%A9", "http://example.org/café"),
        ("http://example.org/%7ejo%2fx%20y", "http://example.org/~jo%2Fx%20y"),
        ("http://example.org/caf%e9", "http://example.org/caf%E9"),
        ("  http://me:secret@example.org/x", "http://example.org/x"),
    ],
)
def test_addresses_that_are_the_same(url: str, same: str) -> None:
    assert normalized_url(url) == normalized_url(same) is not None


def test_addresses_that_are_not() -> None:
    urls = ["http://a.org/x", "http://a.org/X", "http://a.org:8080/x", "http://b.org/x", "http://a.org/x?p=1"]
    # What is encoded is not what parts an address, and Latin-1 is not read as UTF-8.
    urls += ["http://a.org/x%3Fp=1", "http://a.org/x?p=1&q=2", "http://a.org/x?p=1%26q=2", "http://a.org/a/b"]
    urls += [
        "http://a.org/a%2Fb",
        "http://a.org/caf%E9",
        "http://a.org/caf%E8",
        "http://a.org/a%25b",
        "http://a.org/a%b",
    ]
    assert len({normalized_url(url) for url in urls}) == len(urls)
    for text in ("d17", "", "mailto:me@a.org", "http://[bad/", "http://a.org:port/", "file.txt:3", "http:///x"):
        assert normalized_url(text) is None


def test_the_smallest_id_of_an_address_stays(helpers: Any) -> None:
    rows = [
        {"id": "b", "text": "1", "metadata": json.dumps({"url": "http://a.org/x"})},
        {"id": "a", "text": "2", "metadata": json.dumps({"url": "https://www.a.org/x/#top"})},
        {"id": "http://a.org/x", "text": "3"},
        {"id": "c", "text": "4"},
        {"id": "d", "text": "5", "metadata": json.dumps({"url": None, "link": "http://a.org/x"})},
        {"id": "e", "text": "6", "metadata": json.dumps({"link": "http://a.org/x"})},
    ]
    method = helpers.built(curation, "duplicate_urls")
    wanted = dict.fromkeys(("b", "http://a.org/x"), "same address as a: a.org/x")
    assert helpers.dropped(method, rows) == wanted == helpers.dropped(method, rows[::-1], partitions=3)
    by_link = helpers.built(curation, "duplicate_urls", field="link")
    assert set(helpers.dropped(by_link, rows)) == {"e", "http://a.org/x"}


def texts_of_lines(seed: int, glue: str) -> dict[str, str]:
    random_ = random.Random(seed)
    stock = [f"line number {number} of what they say" for number in range(40)] + ["short", "", "  "]
    texts = {}
    for number in random_.sample(range(200), 60):
        own = [f"only of document {number} and of no other" for _ in range(random_.randrange(2))]
        pieces = own + random_.choices(stock, k=random_.randrange(6))
        pieces = [random_.choice(["", "    "]) + piece + random_.choice(["", " "]) for piece in pieces]
        texts[f"d{number:03d}"] = glue.join(random_.sample(pieces, len(pieces)))
    return texts


def by_definition(texts: dict[str, str], glue: str) -> dict[str, str | None]:
    """Id -> the text that stays, None for a document that goes."""
    seen, out = set(), {}
    for id in sorted(texts):
        kept, stays = [], True
        for piece in texts[id].split(glue):
            key = piece.strip()
            if stays := len(key) < 20 or key not in seen:
                kept.append(piece)
            seen |= {key} if len(key) >= 20 else set()
        whole = len(kept) == len(texts[id].split(glue))
        left = glue.join(kept) if stays else glue.join(kept).rstrip()
        out[id] = left if whole or left.strip() else None
    return out


@pytest.mark.parametrize("expected", [None, 10, 1000])
@pytest.mark.parametrize("partitions", [1, 4])
def test_the_first_document_keeps_a_line(expected: int | None, partitions: int, helpers: Any) -> None:
    texts = texts_of_lines(1, "\n")
    method = helpers.built(curation, "duplicate_lines", expected=expected)
    rows = helpers.tagged(method, dict(reversed(texts.items())) if partitions > 1 else texts, partitions)
    wanted = by_definition(texts, "\n")
    assert {id: None if row["reason"] else row["text"] for id, row in rows.items()} == wanted
    assert None in wanted.values() and any(text != texts[id] for id, text in wanted.items() if text)
    for id, row in rows.items():
        if row["reason"]:
            assert row["text"] == texts[id] and row["reason"].startswith("nothing of its own: line ")
            continue
        assert (row["edits"] is None) == (row["text"] == texts[id])
        for why, line in json.loads(row["edits"] or "[]"):
            first = why.removeprefix("line of ")
            assert why == "line again" or (first < id and line.strip() in texts[first])


def test_paragraphs(helpers: Any) -> None:
    one, two = "the first paragraph\nis this one here", "the second paragraph is another one"
    texts = {"a": f"{one}\n\n{two}", "b": f"{one}\n\n\n  new and of its own, surely\n\n{two}\n\nend", "c": two}
    method = helpers.built(curation, "duplicate_paragraphs")
    rows = helpers.tagged(method, texts)
    assert rows["a"]["text"] == texts["a"] and rows["b"]["text"] == "  new and of its own, surely\n\nend"
    assert json.loads(rows["b"]["edits"]) == [["paragraph of a", one], ["paragraph of a", two]]
    assert rows["c"]["reason"] == "nothing of its own: paragraph of a"


def test_a_bloom_filter_keeps_its_rate_and_forgets_nothing() -> None:
    random_ = np.random.default_rng(0)
    bloom = Bloom(20_000, 0.02)
    assert 8.0 < bloom.bits / 20_000 < 8.3 and bloom.num_probes == 6
    first = random_.integers(1 << 63, size=20_000).astype(np.uint64)
    for batch in np.split(first, 10):
        bloom.add(batch)
    assert bloom.add(first).all()
    others = np.unique(random_.integers(1 << 63, size=3_000).astype(np.uint64))
    fresh = Bloom(20_000, 0.02)
    fresh.add(first)
    assert 0.01 < fresh.add(others).mean() < 0.03
    assert bloom.notes() == []
    bloom.add(np.arange(80_000, dtype=np.uint64))
    (note,) = bloom.notes()
    assert "expected 20,000 different ones, but about 100,000 came" in note or "about 99,000" in note
    rate = float(note.split("takes ")[1].split("%")[0]) / 100
    assert abs(bloom.add(others + np.uint64(1)).mean() - rate) < 0.03 and 0.7 < rate < 0.95
    full = Bloom(1)
    full.add(np.arange(5000, dtype=np.uint64))
    assert "at least" in full.notes()[0] and "takes 100.0% of" in full.notes()[0]
    assert Bloom(100).add(np.array([5, 6, 5, 5], np.uint64)).tolist() == [False, False, True, True]
    for bad in ({"expected": 0}, {"expected": 10, "false_positives": 1.0}):
        with pytest.raises(InputError):
            Bloom(**bad)  # type: ignore[arg-type]
