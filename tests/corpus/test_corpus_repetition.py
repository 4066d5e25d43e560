"""Repetition within and between documents: passages of n-grams, and similar lines, against plain loops."""

from __future__ import annotations

import json
import random
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from seedbed.core.errors import InputError
from seedbed.corpus import curation
from seedbed.corpus.curating import similar_lines
from seedbed.corpus.curating.similar_lines import SimilarLines, edit_distance


def quoting(seed: int, num_documents: int) -> dict[str, str]:
    """Documents that quote passages of each other and of themselves."""
    random_ = random.Random(seed)
    texts: dict[str, str] = {}
    for number in random_.sample(range(1000), num_documents):
        words = random_.choices(["so", "it", "was", "said", "in", "a", "book", "of", "old", "tales"], k=30)
        for _ in range(random_.randrange(3)):
            own = not texts or random_.random() < 0.5
            quoted = words if own else random_.choice(list(texts.values())).split()
            start = random_.randrange(len(quoted))
            place = random_.randrange(len(words))
            words[place:place] = quoted[start : start + random_.randrange(25)]
        texts[f"d{number:03d}"] = random_.choice(["  ", ""]) + " ".join(words).replace("book ", "book\n\n")
    return texts


def by_definition(texts: dict[str, str], n: int, within: str) -> dict[str, list[str]]:
    """The words that stay."""
    grams = {
        id: [tuple(text.split()[i : i + n]) for i in range(len(text.split()) - n + 1)] for id, text in texts.items()
    }
    first: dict[Any, tuple[str, int]] = {}
    count: dict[Any, int] = {}
    for id in sorted(grams):
        for place, gram in enumerate(grams[id]):
            key = gram if within == "corpus" else (id, gram)
            first.setdefault(key, (id, place))
            count[key] = count.get(key, 0) + 1
    stay = {}
    for id, own in grams.items():
        again, here = set(), set()
        for place, gram in enumerate(own):
            key = gram if within == "corpus" else (id, gram)
            if count[key] > 1:
                (here if first[key] == (id, place) else again).update(range(place, place + n))
        stay[id] = [word for place, word in enumerate(texts[id].split()) if place not in again - here]
    return stay


@pytest.mark.parametrize("within", ["corpus", "document"])
@pytest.mark.parametrize("ngram", [1, 6])
@pytest.mark.parametrize("expected", [None, 50])
def test_passages_stay_where_they_stand_first(ngram: int, within: str, expected: int | None, helpers: Any) -> None:
    texts = quoting(4, 60)
    method = helpers.built(curation, "repeated_ngrams", ngram=ngram, within=within, expected=expected)
    rows = helpers.tagged(method, texts)
    wanted = by_definition(texts, ngram, within)
    changed = {id for id in texts if wanted[id] != texts[id].split()}
    assert len(changed) > 5
    for id, row in rows.items():
        if row["reason"]:
            assert wanted[id] == [] and row["text"] == texts[id]
        else:
            assert row["text"].split() == wanted[id]
            assert (row["edits"] is None) == (row["text"] == texts[id]) == (id not in changed)
    assert helpers.tagged(method, dict(reversed(texts.items())), partitions=4) == rows


def test_what_goes_is_told_and_the_rest_stays_as_it_was(helpers: Any) -> None:
    texts = {
        "a": "one two three four five",
        "b": "He said:\n  two three four,\n\nand two  three four five",
        "c": "x x x x x x",
    }
    rows = helpers.tagged(helpers.built(curation, "repeated_ngrams", ngram=3), texts)
    assert rows["b"]["text"] == "He said:\n  two three four,\n\nand"
    assert json.loads(rows["b"]["edits"]) == [["4 words of a", "two  three four five"]]
    assert rows["c"]["text"] == "x x x" and json.loads(rows["c"]["edits"]) == [["3 words again", "x x x"]]
    with pytest.raises(InputError, match="must be at least 1"):
        helpers.built(curation, "repeated_ngrams", ngram=0)


def slow_distance(one: str, other: str) -> int:
    before = list(range(len(other) + 1))
    for row, a in enumerate(one, 1):
        now = [row]
        for column, b in enumerate(other, 1):
            now.append(min(before[column] + 1, now[-1] + 1, before[column - 1] + (a != b)))
        before = now
    return before[-1]


def test_the_edit_distance_is_that_of_the_table() -> None:
    random_ = random.Random(0)
    for _ in range(400):
        one = "".join(random_.choices("abc", k=random_.choice([0, 1, 5, 20, 70])))
        other = list(one)
        for _ in range(random_.randrange(6)):
            place = random_.randrange(len(other) + 1)
            other[place : place + random_.randrange(2)] = random_.choices("abcd", k=random_.randrange(2))
        if random_.random() < 0.3:
            other = random_.choices("abc", k=random_.randrange(30))
        assert edit_distance(one, "".join(other)) == slow_distance(one, "".join(other))


@pytest.mark.parametrize("back", [1, 3])
def test_similar_lines_by_definition(back: int, helpers: Any) -> None:
    random_ = random.Random(1)
    texts = {}
    for number in range(40):
        lines: list[str] = []
        for _ in range(random_.randrange(8)):
            line = "".join(random_.choices("abcdefgh ", k=random_.choice([0, 4, 30, 50])))
            if lines and random_.random() < 0.6:
                old = list(random_.choice(lines[-3:]))
                for _ in range(random_.randrange(6) if old else 0):
                    old[random_.randrange(len(old))] = "x"
                line = "".join(old)
            lines.append(line)
        texts[f"d{number}"] = "\n".join(lines)
    rows = helpers.tagged(SimilarLines(back=back), texts)
    taken = 0
    for id, text in texts.items():
        kept, before, gone = [], [], []
        for line in text.split("\n"):
            bare = line.strip()
            near = [a for a in before[-back:] if slow_distance(a, bare) <= 0.1 * max(len(a), len(bare))]
            if len(bare) >= 10 and near:
                gone.append(bare)
                continue
            kept.append(line)
            before += [bare] if len(bare) >= 10 else []
        assert rows[id]["text"].split() == " ".join(kept).split()
        assert [line for _, line in json.loads(rows[id]["edits"] or "[]")] == gone
        taken += len(gone)
    assert taken > 10


def test_long_lines_of_the_same_characters_take_no_square_of_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """Characters are equally frequent, 5-grams are not the same: the distance is not needed."""
    random_ = random.Random(2)
    one, other = ("".join(random_.choices("abcdefghijklmnop", k=20_000)) for _ in range(2))
    asked: list[int] = []
    monkeypatch.setattr(similar_lines, "edit_distance", lambda one, other: asked.append(1) or 0)
    assert not SimilarLines().similar(one, other) and SimilarLines().similar(one, one) and not asked
    assert SimilarLines().similar(one, one[:-1] + "#") and asked


@pytest.mark.parametrize(("changed", "similar"), [(0, True), (3, True), (4, False)])
def test_a_tenth_of_the_longer_line_is_enough(changed: int, similar: bool) -> None:
    line = "abcdefghijklmnopqrstuvwxyz0123"
    other = "".join("#" if place % 7 == 0 and place // 7 < changed else char for place, char in enumerate(line))
    assert SimilarLines().similar(line, other) == SimilarLines().similar(other, line) == similar
    # Of 29 characters a tenth is less than three, of 32 it is more.
    assert not SimilarLines().similar(line[:26], line[:29]) and SimilarLines().similar(line[:27], line)


def test_sentences_of_a_script_without_blanks(helpers: Any) -> None:
    text = "我们今天去北京看长城和故宫。我们今天去北京看长城和故宫!我们今天去北京看长城和故宮了。第二天下雨。"
    rows = helpers.tagged(SimilarLines(ends="\n。!", share=0.2), {"a": text})
    assert rows["a"]["text"] == "我们今天去北京看长城和故宫。第二天下雨。"
    assert helpers.tagged(SimilarLines(), {"a": text})["a"]["text"] == text
    for bad in ({"share": 0.0}, {"ends": ""}, {"min_chars": 0}, {"back": 0}):
        with pytest.raises(InputError):
            SimilarLines(**bad)


def test_a_corpus_tells_what_was_taken_out(make_corpus: Any, tmp_path: Path, helpers: Any) -> None:
    texts = quoting(9, 40)
    texts["e"] = "\n".join(["a line that comes twice, nearly so", "a line that comes twice, nearly to", "end"])
    path = helpers.write_jsonl(tmp_path / "a.jsonl", [{"id": id, "text": text} for id, text in texts.items()])
    held = helpers.write_jsonl(tmp_path / "held.jsonl", [{"text": " ".join(next(iter(texts.values())).split()[5:12])}])
    steps: list[Any] = ["similar_lines", {"repeated_ngrams": {"ngram": 6}}]
    steps += [{"decontaminate": {"against": [str(held)], "ngram": 6, "window": 3}}, "duplicate_lines"]
    corpus, counts = make_corpus(read=[{"jsonl": str(path)}], curate=steps, split={})
    kept, dropped = list(corpus.documents("train")), list(corpus.dropped())
    assert len(kept) + len(dropped) == len(texts)
    told = {(row["id"], row["step"]): row["edits"] for row in corpus.edited()}
    assert told[("e", "similar_lines")] == [("similar to a line before", "a line that comes twice, nearly to")]
    by_step = Counter(step for _, step in told)
    assert by_step == {step: row["documents"] for step, row in counts["edited"].items() if row["documents"]}
    assert {"similar_lines", "repeated_ngrams"} <= set(by_step)
