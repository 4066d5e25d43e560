"""Near duplicates against the definition: exact Jaccard similarities of all pairs, and their components."""

from __future__ import annotations

import random
import tracemalloc
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from seedbed.core.errors import InputError
from seedbed.corpus.curating import near_duplicates
from seedbed.corpus.curating.near_duplicates import NearDuplicates
from seedbed.corpus.text.linking import Buckets, buckets, components, cut, parts
from seedbed.corpus.text.ngrams import Sets, jaccard, ngram_hashes, placed, sets_of, word_arrays, word_hashes


def shingle_set(text: str, n: int) -> set[tuple[str, ...]]:
    words = text.split()
    return {tuple(words[i : i + n]) for i in range(max(len(words) - n + 1, 1))}


def by_definition(texts: dict[str, str], threshold: float, n: int) -> dict[str, tuple[str, float]]:
    """Dropped id -> kept id and similarity, from all pairs."""
    sets = {id: shingle_set(text, n) for id, text in texts.items() if text.split()}

    def similarity(a: str, b: str) -> float:
        return len(sets[a] & sets[b]) / len(sets[a] | sets[b])

    component = {id: {id} for id in sets}
    for a, b in combinations(sets, 2):
        if similarity(a, b) >= threshold and component[a] is not component[b]:
            component[a] |= component[b]
            for id in component[b]:
                component[id] = component[a]
    return {id: (min(group), similarity(id, min(group))) for id, group in component.items() if id != min(group)}


def generated(seed: int, num_documents: int) -> dict[str, str]:
    """Documents of 3 to 200 words; half of them altered copies, some in chains."""
    random_ = random.Random(seed)
    words = [f"w{number}" for number in range(400)]
    made: list[list[str]] = []
    for _ in range(num_documents):
        if made and random_.random() < 0.5:
            copy = list(random_.choice(made))
            for _ in range(random_.choice([0, 1, 1, 2, 4, 8])):
                copy[random_.randrange(len(copy))] = random_.choice(words)
            made.append(copy)
        else:
            made.append(random_.choices(words, k=random_.choice([3, 20, 60, 200])))
    ids = [f"d{number:04d}" for number in range(num_documents)]
    random_.shuffle(ids)
    return {id: " ".join(row) for id, row in zip(ids, made, strict=True)}


@pytest.mark.parametrize("threshold", [0.5, 0.8, 1.0])
@pytest.mark.parametrize("ngram", [1, 3, 5])
def test_the_same_as_all_pairs(threshold: float, ngram: int, helpers: Any) -> None:
    texts = generated(7, 250)
    wanted = by_definition(texts, threshold, ngram)
    assert len(wanted) > 20
    found = helpers.dropped(NearDuplicates(threshold, ngram), texts)
    assert found == {id: f"near duplicate of {kept} (similarity {s:.2f})" for id, (kept, s) in wanted.items()}


def test_order_and_partitions_change_nothing(helpers: Any) -> None:
    texts = generated(8, 120)
    method = NearDuplicates(0.7)
    first = helpers.dropped(method, texts)
    shuffled = list(texts.items())
    random.Random(1).shuffle(shuffled)
    assert first and helpers.dropped(method, dict(shuffled), partitions=4) == first


@pytest.mark.parametrize("most", [1, 2000, 20_000])
def test_comparing_part_by_part_changes_nothing(most: int, helpers: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    texts = generated(11, 250)
    at_once = helpers.dropped(NearDuplicates(0.7), texts)
    taken = []

    def part(method: NearDuplicates, found: Buckets, documents: np.ndarray, *others: Any) -> Any:
        taken.append(len(documents))
        return whole_part(method, found, documents, *others)

    whole_part = NearDuplicates._part
    monkeypatch.setattr(NearDuplicates, "_part", part)
    monkeypatch.setattr(near_duplicates, "PART_CHARACTERS", most)
    assert len(at_once) > 50 and helpers.dropped(NearDuplicates(0.7), texts) == at_once
    assert len(taken) > 2 and max(taken) < sum(taken) / 2


def test_parts_keep_together_what_is_connected() -> None:
    # A chain (0-1-2) and four pairs, of which the last one alone is heavier than a part.
    found = Buckets(np.array([0, 1, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10]), np.full(6, 2))
    weights = np.array([1, 1, 1, 1, 1, 2, 2, 1, 1, 9, 9])
    assert parts(found, weights, 6).tolist() == [0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1]
    assert parts(found, weights, 3).tolist() == [0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2]
    assert parts(found, weights, 100).tolist() == [0] * 11
    assert len(set(parts(found, weights, 1).tolist())) == 5


def test_case_and_punctuation_do_not_count_but_words_do(helpers: Any) -> None:
    text = "the cat sat on the mat and looked at the door for a long time"
    texts = {
        "a": text,
        "b": text.upper().replace(" ", ", ") + "!",
        "c": text.replace("door", "dog").replace("mat", "m"),
    }
    assert helpers.dropped(NearDuplicates(0.8), texts) == {"b": "near duplicate of a (similarity 1.00)"}


def test_texts_without_words_are_left_alone(helpers: Any) -> None:
    texts = {"a": "", "b": "...", "c": " \n", "d": "one two", "e": "One, two", "f": "one two -"}
    reason = "near duplicate of d (similarity 1.00)"
    assert helpers.dropped(NearDuplicates(), texts) == {"e": reason, "f": reason}


def test_a_large_bucket_costs_no_square(helpers: Any) -> None:
    # 3,000 nearly equal documents: all pairs would be 4.5 million comparisons.
    base = [f"w{number}" for number in range(100)]
    texts = {f"{number:04d}": " ".join([*base, f"n{number}"]) for number in range(3000)}
    assert len(helpers.dropped(NearDuplicates(), texts)) == 2999


@pytest.mark.parametrize("threshold", [0.3, 0.5, 0.8, 0.95, 1.0])
def test_the_cut_finds_pairs_at_the_threshold(threshold: float) -> None:
    bands, rows = cut(threshold, 128)
    assert bands * rows <= 128
    assert 1 - (1 - threshold**rows) ** bands >= 0.995
    assert bands == 1 or 1 - (1 - threshold**rows) ** (bands - 1) < 0.995
    assert rows == 128 or 1 - (1 - threshold ** (rows + 1)) ** (128 // (rows + 1)) < 0.995


def test_buckets_and_components_against_plain_loops() -> None:
    random_ = np.random.default_rng(5)
    keys = random_.integers(0, 30, (60, 4)).astype(np.uint64)
    wanted = set()
    for band in range(4):
        for value in np.unique(keys[:, band]):
            members = tuple(np.flatnonzero(keys[:, band] == value).tolist())
            if len(members) > 1:
                wanted.add(members)
    found = buckets(keys.T)
    sets = [tuple(found.members[s : s + n].tolist()) for s, n in zip(found.starts, found.sizes, strict=True)]
    assert len(sets) == len(set(sets)) and set(sets) == wanted
    linked = random_.random((60, 60)) < 0.3

    def similar(left: np.ndarray, right: np.ndarray) -> np.ndarray:
        return linked[left, right]

    label = components(found, 60, similar)
    slow = list(range(60))
    for a, b in {pair for members in wanted for pair in combinations(members, 2)}:
        if linked[a, b]:
            low, high = sorted((slow[a], slow[b]))
            slow = [low if value == high else value for value in slow]
    assert label.tolist() == slow and 1 < len(set(slow)) < 60
    assert components(Buckets(np.empty(0, np.int64), np.empty(0, np.int64)), 3, similar).tolist() == [0, 1, 2]


def test_jaccard_of_many_pairs_at_once() -> None:
    random_ = np.random.default_rng(6)
    plain = [set(random_.integers(0, 40, size).tolist()) for size in random_.integers(1, 60, 50)]
    values = np.array([value for row in plain for value in sorted(row)], np.uint64) << np.uint64(40)
    sets = sets_of(values, np.repeat(np.arange(50), [len(row) for row in plain]), 50)
    left, right = random_.integers(0, 50, (2, 6000))
    wanted = [len(plain[a] & plain[b]) / len(plain[a] | plain[b]) for a, b in zip(left, right, strict=True)]
    assert jaccard(sets, left, right).tolist() == wanted


@pytest.mark.parametrize("partitions", [1, 3])
def test_against_an_older_corpus(partitions: int, make_corpus: Any, tmp_path: Path, helpers: Any) -> None:
    old = {f"old{number}": text for number, text in enumerate(generated(9, 60).values())}
    path = helpers.write_jsonl(tmp_path / "old.jsonl", [{"id": id, "text": text} for id, text in old.items()])
    corpus, _ = make_corpus(read=[{"jsonl": str(path)}], curate=[], split={"test": 0.3})
    random_ = random.Random(2)
    new = {f"d{number}": text for number, text in enumerate(generated(10, 60).values())}
    for number, text in enumerate(random_.sample(list(old.values()), 20)):
        words = text.split()
        words[random_.randrange(len(words))] = "other"
        new[f"c{number}"] = " ".join(words)
        new[f"e{number}"] = " ".join([*words[1:], "end"])  # near the copy, less so to the old one
    # By definition: components of all documents but for links between two old ones; a component with an old document
    # loses all new ones.
    sets = {id: shingle_set(text, 5) for id, text in (old | new).items()}
    component = {id: {id} for id in sets}
    for a, b in combinations(sets, 2):
        near = len(sets[a] & sets[b]) / len(sets[a] | sets[b]) >= 0.8
        if near and not (a in old and b in old) and component[a] is not component[b]:
            component[a] |= component[b]
            for id in component[b]:
                component[id] = component[a]
    wanted = {}
    for id in new:
        first = min(component[id], key=lambda other: (other in new, other))
        if first != id:
            alike = len(sets[first] & sets[id]) / len(sets[first] | sets[id])
            of = f" of {corpus.path.name}" if first in old else ""
            wanted[id] = f"near duplicate of {first}{of} (similarity {alike:.2f})"
    found = helpers.dropped(NearDuplicates(0.8, against=corpus), new, partitions)
    assert found == wanted and any("of corpus" in reason for reason in found.values())
    assert any("of corpus" not in reason for reason in found.values())


def hashes_of(texts: list[str], n: int) -> tuple[np.ndarray, np.ndarray]:
    from seedbed.corpus.engine import daft

    series = daft.Series.from_arrow(pa.array(texts, pa.string()))
    frame = daft.from_pydict({"text": series}).select(word_hashes(daft.col("text")))
    return ngram_hashes(*word_arrays(frame.to_arrow().column(0).combine_chunks()), n)


def test_n_gram_hashes_tell_n_grams_apart() -> None:
    hashes, offsets = hashes_of(["a b c d", "", "b c", "x a b c"], 3)
    assert offsets.tolist() == [0, 2, 2, 2, 4]
    assert hashes[0] == hashes[3] and len(np.unique(hashes)) == 3
    assert len(np.unique(hashes_of(["a b", "b a", "a a", "b b"], 2)[0])) == 4
    assert hashes_of(["", "a", ""], 1)[1].tolist() == [0, 0, 1, 1]
    hashes, offsets = hashes_of([], 3)
    assert len(hashes) == 0 and offsets.tolist() == [0]


@pytest.mark.parametrize("bad", [{"threshold": 0.0}, {"threshold": 1.1}, {"ngram": 0}, {"num_hashes": 4}])
def test_bad_parameters(bad: dict[str, Any]) -> None:
    with pytest.raises(InputError):
        NearDuplicates(**bad)


@pytest.mark.parametrize(("threshold", "enough"), [(0.2, 24), (0.03, 174), (0.001, 5296)])
def test_too_few_hashes_are_an_error_and_not_a_low_recall(threshold: float, enough: int) -> None:
    with pytest.raises(InputError, match=f"at least {enough}"):
        cut(threshold, enough - 1)
    assert cut(threshold, enough) == (enough, 1)
    with pytest.raises(InputError, match="higher threshold"):
        cut(1e-20, 128)


def test_sets_go_to_their_places_in_the_memory_of_two() -> None:
    """As joined and taken in order; beyond what is there at first, one copy and the numbers of one part."""
    dice = np.random.default_rng(3)
    places = np.array_split(dice.permutation(4000), 40)
    collections, rows = [], {}
    for own in places:
        sizes = dice.integers(0, 600, len(own))
        hashes = dice.integers(0, 2**63, sizes.sum()).astype(np.uint64)
        collections.append((own, Sets(hashes, np.concatenate([[0], np.cumsum(sizes)]))))
        rows |= {place: collections[-1][1].row(number).copy() for number, place in enumerate(own)}
    expected = np.concatenate([rows[place] for place in range(4000)])
    size = expected.nbytes
    tracemalloc.start()
    found = placed(collections)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert np.array_equal(found.hashes, expected)
    assert found.sizes.tolist() == [len(rows[place]) for place in range(4000)]
    assert not collections and peak < 1.3 * size
    assert len(placed([]).sizes) == 0
