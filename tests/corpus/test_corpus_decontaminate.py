"""Decontamination against a plain check of all n-grams."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import pytest

from seedbed.core.errors import InputError
from seedbed.corpus import curation
from seedbed.corpus.artifact import Corpus


def ngrams(text: str, n: int) -> set[tuple[str, ...]]:
    words = text.split()
    return {tuple(words[i : i + n]) for i in range(len(words) - n + 1)}


def by_definition(texts: dict[str, str], held: list[str], n: int, threshold: float) -> set[str]:
    held_sets = [grams for text in held if (grams := ngrams(text, n))]
    everything = set().union(*held_sets)
    gone = set()
    for id, text in texts.items():
        own = ngrams(text, n)
        shares = [len(own & grams) / len(grams) for grams in held_sets]
        if own:
            shares.append(len(own & everything) / len(own))
        if max(shares) > threshold:
            gone.add(id)
    return gone


@pytest.fixture
def material() -> tuple[dict[str, str], list[str]]:
    random_ = random.Random(3)
    words = [f"w{number}" for number in range(300)]
    held = [" ".join(random_.choices(words, k=random_.choice([4, 12, 30, 60]))) for _ in range(40)]
    texts = {}
    for number in range(300):
        row = random_.choices(words, k=random_.choice([5, 50, 150]))
        if number % 3 == 0:
            quoted = random_.choice(held).split()
            start = random_.randrange(len(quoted))
            row[random_.randrange(len(row)) :] = quoted[start : start + random_.choice([3, 8, 20, 60])]
        texts[f"d{number}"] = " ".join(row)
    return texts, held


@pytest.mark.parametrize("ngram", [2, 5, 13])
@pytest.mark.parametrize("threshold", [0.0, 0.2, 0.6])
def test_the_same_as_all_n_grams(
    ngram: int, threshold: float, material: tuple[dict[str, str], list[str]], tmp_path: Path, helpers: Any
) -> None:
    texts, held = material
    path = helpers.write_jsonl(tmp_path / "held.jsonl", [{"text": text} for text in held])
    wanted = by_definition(texts, held, ngram, threshold)
    assert wanted and wanted != set(texts)
    method = helpers.built(curation, "decontaminate", against=[str(path)], ngram=ngram, threshold=threshold)
    assert set(helpers.dropped(method, texts, partitions=2)) == wanted


def test_case_and_punctuation_do_not_hide(tmp_path: Path, helpers: Any) -> None:
    path = helpers.write_jsonl(
        tmp_path / "qa.jsonl", [{"q": "Who wrote, in 1913,", "a": "Remembrance of Things Past?"}]
    )
    texts = {"a": "they ask WHO WROTE in 1913 'remembrance of things past' and so on", "b": "who wrote that"}
    method = helpers.built(curation, "decontaminate", against=[str(path)], ngram=8, fields=["q", "a"])
    (reason,) = helpers.dropped(method, texts).values()
    folder = tmp_path.name
    assert reason == f"1 of 6 8-grams stand in evaluation texts; {folder}/qa.jsonl:1 has 1 of its 1"
    with pytest.raises(InputError, match="fields: no record"):
        helpers.dropped(helpers.built(curation, "decontaminate", against=[str(path)], fields=["question"]), texts)


def test_against_a_corpus_its_split_counts(make_corpus: Any, tmp_path: Path, helpers: Any) -> None:
    rows = [{"text": f"shared words number {n} are here for {n} all to see"} for n in range(40)]
    path = helpers.write_jsonl(tmp_path / "a.jsonl", rows)
    corpus, _ = make_corpus(read=[{"jsonl": str(path)}], split={"test": 0.4})
    test = [document["text"] for document in corpus.documents("test")]
    method = helpers.built(curation, "decontaminate", against=[corpus], ngram=5)
    texts = {str(n): row["text"] for n, row in enumerate(rows)}
    gone = helpers.dropped(method, texts)
    assert {texts[id] for id in gone} == set(test)
    assert isinstance(method.against[0], Corpus)
    # In a recipe, a folder with a manifest is a corpus, and another path a source.
    parsed = curation.parse({"decontaminate": {"against": [str(corpus.path), str(path)]}})
    assert [type(item).__name__ for item in parsed.parameters["against"]] == ["Source", "Source"]
    (corpus.path / "manifest.json").write_text("{}")
    parsed = curation.parse({"decontaminate": {"against": [str(corpus.path)]}})
    assert parsed.parameters["against"][0].kind == "corpus"


def test_plain_text_files_and_what_is_too_short(tmp_path: Path, helpers: Any) -> None:
    (tmp_path / "poem.txt").write_text("Tyger Tyger, burning bright,\nIn the forests of the night")
    texts = {"a": "tyger tyger burning bright in the forests", "b": "tyger tyger"}
    method = helpers.built(curation, "decontaminate", against=[str(tmp_path / "poem.txt")], ngram=6)
    assert set(helpers.dropped(method, texts)) == {"a"}
    with pytest.raises(InputError, match="none of the 1 evaluation texts has 13 words"):
        helpers.dropped(helpers.built(curation, "decontaminate", against=[str(tmp_path / "poem.txt")]), texts)


def test_an_evaluation_text_that_cannot_be_read_is_an_error(tmp_path: Path, helpers: Any) -> None:
    (tmp_path / "a.jsonl").write_bytes(b'{"text": "caf\xe9"}\n')
    with pytest.raises(InputError, match="against: line 1: not UTF-8"):
        helpers.dropped(helpers.built(curation, "decontaminate", against=[str(tmp_path / "a.jsonl")]), {"a": "b"})
    with pytest.raises(InputError, match="no file has this path"):
        helpers.built(curation, "decontaminate", against=["nowhere.jsonl"])
    with pytest.raises(InputError, match="names no evaluation texts"):
        helpers.built(curation, "decontaminate", against=[])
