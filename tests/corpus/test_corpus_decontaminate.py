"""Decontamination against a plain check of all n-grams."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from seedbed.core.errors import InputError
from seedbed.corpus import curation
from seedbed.corpus.artifact import Corpus
from seedbed.corpus.text.ngrams import text_words
from seedbed.corpus.text.overlap import passages


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
    assert reason.split("\n") == [
        f"1 of 6 8-grams stand in evaluation texts; {folder}/qa.jsonl:1 has 1 of its 1:",
        f"at 9 ({folder}/qa.jsonl:1): WHO WROTE in 1913 'remembrance of things past'",
    ]
    with pytest.raises(InputError, match="fields: no record"):
        helpers.dropped(helpers.built(curation, "decontaminate", against=[str(path)], fields=["question"]), texts)


def test_words_stand_where_they_are_found() -> None:
    random_ = random.Random(4)
    for _ in range(200):
        text = "".join(random_.choices("aB.,-é\u0130'\n\t \u00a0\u2003\x1c\x85\u200b!", k=random_.randrange(1, 40)))
        words, _ = text_words([text])
        whole = passages(text, np.arange(len(words)), 1)
        assert len(words) == (whole[-1].gram + 1 if whole else 0) == len(words)
        bare = [text[passage.start : passage.end] for passage in passages(text, np.arange(0, len(words), 2), 1)]
        assert text_words([" ".join(bare)])[0].tolist() == words[::2].tolist()


def planted(seed: int) -> tuple[dict[str, str], list[str], dict[str, list[str]]]:
    """Documents, evaluation texts, and what of these was planted in which document."""
    random_ = random.Random(seed)
    words = [f"w{number}" for number in range(2000)]
    held = [" ".join(random_.choices(words, k=20)) for _ in range(30)]
    texts, known = {}, {}
    for number in range(200):
        row = random_.choices(words, k=120)
        id = f"d{number}"
        if number % 4 == 0:
            known[id] = random_.sample(held, random_.choice([1, 2]))
            for passage in known[id]:
                place = random_.randrange(40, 80)
                row[place:place] = [passage.upper() + ","]
        elif number % 4 == 1:  # near misses: twelve words
            row[50:50] = random_.choice(held).split()[:12]
        texts[id] = " ".join(row)
    return texts, held, known


def test_planted_passages_are_found_shown_and_cut(tmp_path: Path, helpers: Any) -> None:
    texts, held, known = planted(6)
    path = helpers.write_jsonl(tmp_path / "held.jsonl", [{"text": text} for text in held])
    method = helpers.built(curation, "decontaminate", against=[str(path)])
    gone = helpers.dropped(method, texts, partitions=2)
    assert set(gone) == set(known)  # precision and recall of 1
    for id, reason in gone.items():
        shown = reason.split("\n")[1:]
        for passage in known[id]:
            place = texts[id].index(passage.upper())
            name = f"{tmp_path.name}/held.jsonl:{held.index(passage) + 1}"
            assert any(f"({name}" in line or f"{name})" in line for line in shown)
            assert any(passage.upper() in line for line in shown)
            assert any(line.startswith(f"at {place} ") for line in shown) or len(known[id]) > 1
    cutting = helpers.built(curation, "decontaminate", against=[str(path)], window=50)
    rows = helpers.tagged(cutting, texts)
    assert not any(row["reason"] for row in rows.values())
    assert {id for id, row in rows.items() if row["edits"]} == set(known)
    for id, passages_ in known.items():
        left = rows[id]["text"]
        assert all(passage.upper() not in left for passage in passages_)
        assert set(left.split()) <= set(texts[id].split())
        place = texts[id].index(passages_[0].upper())
        before = texts[id][: place - 50].split(" ")[:-1]  # what is not within 50 characters
        if len(passages_) == 1:
            assert left.startswith(" ".join(before)) and "\n\n" in left
        why = [row[0] for row in json.loads(rows[id]["edits"])]
        assert why[0].startswith("at ") and "held.jsonl:" in why[0]
    assert not helpers.dropped(method, {id: row["text"] for id, row in rows.items()})


def rewritten(words: list[str], random_: random.Random) -> str:
    """Other case, other punctuation, another line width."""
    marks = [",", ";", "...", "!", " -", '"', ")"]
    changed = [random_.choice([str.upper, str.title, str.lower])(word.strip(".,")) for word in words]
    changed = [word + random_.choice(marks) if random_.random() < 0.3 else word for word in changed]
    return "".join(word + random_.choice([" ", " ", "\n", "  "]) for word in changed)


def replaced(words: list[str], places: list[int]) -> str:
    return " ".join(f"other{place}" if place in places else word for place, word in enumerate(words))


# How a test text of 60 words, or the first 20 of one, stands in a document: the recall that shared n-grams of 13 and of
# 8 words can have. Three words replaced in 60 leave 15 in a row wherever they are; one in 20 leaves 13 only where it is
# one of 14 of them; every eighth leaves 7.
PLANTED: dict[str, tuple[Any, tuple[float, float], tuple[float, float]]] = {
    "whole": (lambda words, random_: " ".join(words), (1, 1), (1, 1)),
    "half": (lambda words, random_: " ".join(words[(at := random_.randrange(31)) : at + 30]), (1, 1), (1, 1)),
    "10 words": (lambda words, random_: " ".join(words[(at := random_.randrange(51)) : at + 10]), (0, 0), (1, 1)),
    "case and punctuation": (rewritten, (1, 1), (1, 1)),
    "3 of 60 replaced": (lambda words, random_: replaced(words, random_.sample(range(60), 3)), (1, 1), (1, 1)),
    "1 of 20 replaced": (lambda words, random_: replaced(words[:20], [random_.randrange(20)]), (0.5, 0.9), (1, 1)),
    "1 in 20 by chance": (
        lambda words, random_: replaced(words, [place for place in range(60) if random_.random() < 0.05]),
        (0.95, 1),
        (1, 1),
    ),
    "every 8th replaced": (lambda words, random_: replaced(words, list(range(0, 60, 8))), (0, 0), (0, 0)),
}


@pytest.mark.parametrize("ngram", [13, 8])
def test_precision_and_recall_by_kind_of_copy(ngram: int, tmp_path: Path, helpers: Any) -> None:
    random_ = random.Random(8)
    vocabulary = [f"word{number}" for number in range(400)]
    weights = [1 / (rank + 5) for rank in range(400)]  # as in a language, few words are most of a text

    def sentence(size: int) -> list[str]:
        words = random_.choices(vocabulary, weights, k=size)
        words[::9] = [word + random_.choice([",", "."]) for word in words[::9]]
        return words

    held = [sentence(60) for _ in range(60)]
    path = helpers.write_jsonl(tmp_path / "held.jsonl", [{"text": " ".join(words)} for words in held])
    texts = {f"clean:{number}": " ".join(sentence(200)) for number in range(400)}
    for kind, (copy, *_) in PLANTED.items():
        for number, words in enumerate(held):
            before, after = " ".join(sentence(100)), " ".join(sentence(100))
            texts[f"{kind}:{number}"] = f"{before} {copy(words, random_)} {after}"
    method = helpers.built(curation, "decontaminate", against=[str(path)], ngram=ngram)
    gone = helpers.dropped(method, texts, partitions=2)
    found = {kind: sum(id.startswith(f"{kind}:") for id in gone) / len(held) for kind in PLANTED}
    assert not [id for id in gone if id.startswith("clean:")]  # a precision of 1
    for kind, (_, of_13, of_8) in PLANTED.items():
        lowest, highest = of_13 if ngram == 13 else of_8
        assert lowest <= found[kind] <= highest, (kind, found)
    for id, reason in gone.items():  # and each is found for the text that was planted in it
        assert f"held.jsonl:{int(id.rpartition(':')[2]) + 1}" in reason


def test_pieces_and_common_n_grams(tmp_path: Path, helpers: Any) -> None:
    path = helpers.write_jsonl(tmp_path / "held.jsonl", [{"text": "alpha beta gamma delta"}])
    filler = "filler text that is of no interest here at all, "
    texts = {
        "many": (filler + "alpha beta gamma delta ") * 12,
        "short": "see alpha beta gamma delta end",
        "long": filler + filler + "alpha beta gamma delta " + filler,
        "clean": filler,
    }
    rows = helpers.tagged(helpers.built(curation, "decontaminate", against=[str(path)], ngram=4, window=5), texts)
    assert rows["many"]["reason"].endswith("; in 12 pieces without them")
    assert rows["short"]["reason"].endswith("; nothing long enough is left without them")
    assert rows["long"]["text"].startswith(filler[:20]) and "alpha" not in rows["long"]["text"]
    assert rows["clean"]["reason"] is rows["clean"]["edits"] is None
    loose = helpers.built(curation, "decontaminate", against=[str(path)], ngram=4, common=2)
    assert helpers.dropped(loose, texts) == {}
    strict = helpers.built(curation, "decontaminate", against=[str(path)], ngram=4, common=3)
    assert set(helpers.dropped(strict, texts, partitions=2)) == {"many", "short", "long"}


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
