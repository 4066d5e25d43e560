"""The language model of n-grams, against its formulas computed one n-gram at a time."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from seedbed.core.counters import generator, hash64
from seedbed.core.errors import InputError
from seedbed.corpus import scorers
from seedbed.corpus.learned.control import controls
from seedbed.corpus.learned.kneser_ney import HashTable, KneserNey, bits_per_byte
from seedbed.corpus.rating.ngram_perplexity import NgramPerplexity, Perplexity

EDGE = "<s>"


class Slow:
    """Modified Kneser-Ney with dictionaries, by the definition."""

    def __init__(self, texts: list[list[str]], order: int, num_units: int | None = None) -> None:
        self.order = order
        padded = [[EDGE] * (order - 1) + text for text in texts]
        grams: dict[int, list[tuple[str, ...]]] = defaultdict(list)
        for text in padded:
            for end in range(order - 1, len(text)):
                for n in range(1, order + 1):
                    grams[n].append(tuple(text[end - n + 1 : end + 1]))
        self.counts: dict[int, Counter[tuple[str, ...]]] = {order: Counter(grams[order])}
        for n in range(order - 1, 0, -1):
            self.counts[n] = Counter(gram[1:] for gram in set(grams[n + 1]))
        self.units = num_units or len(self.counts[1]) + 1
        self.discounts = {n: self.discount(list(found.values())) for n, found in self.counts.items()}

    @staticmethod
    def discount(counts: list[int]) -> list[float]:
        n1, n2, n3, n4 = (counts.count(number) for number in (1, 2, 3, 4))
        if n1 and n2 and n3 and n4:
            share = n1 / (n1 + 2 * n2)
            found = [1 - 2 * share * n2 / n1, 2 - 3 * share * n3 / n2, 3 - 4 * share * n4 / n3]
            if all(0 < value < place + 1 for place, value in enumerate(found)):
                return [0.0, *found]
        return [0.0, 0.5, 1.0, 1.5]

    def probability(self, unit: str, context: tuple[str, ...]) -> float:
        n = len(context) + 1
        below = self.probability(unit, context[1:]) if context else 1 / self.units
        after = {gram: count for gram, count in self.counts[n].items() if gram[:-1] == context}
        if not after:
            return below
        discounts, total = self.discounts[n], sum(after.values())
        spare = sum(discounts[min(count, 3)] for count in after.values()) / total
        count = after.get((*context, unit), 0)
        return max(count - discounts[min(count, 3)], 0) / total + spare * below

    def bits(self, text: list[str]) -> list[float]:
        padded = [EDGE] * (self.order - 1) + text
        ends = range(self.order - 1, len(padded))
        return [-math.log2(self.probability(padded[e], tuple(padded[e - self.order + 1 : e]))) for e in ends]


def made(number: int, words: int = 12, seed: int = 0) -> list[list[str]]:
    """Texts in which a word tells something of the next."""
    numbers = generator(seed, "texts", words)
    texts = []
    for _ in range(number):
        text, state = [], 0
        for _ in range(int(numbers.integers(0, 25))):
            state = int(state * 3 + numbers.geometric(0.5)) % words
            text.append(f"w{state}")
        texts.append(text)
    return texts


@pytest.mark.parametrize("order", [1, 2, 3, 5])
def test_every_probability_is_that_of_the_formula(order: int) -> None:
    texts, others = made(30), [*made(8, 15, seed=1), [], ["w0"], ["never", "w1", "seen"]]
    model = KneserNey.fit([" ".join(text) for text in texts], "words", order)
    slow = Slow(texts, order)
    for text in [*texts[:5], *others]:
        bits, lengths = model.bits([" ".join(text)])
        assert lengths.tolist() == [len(text)]
        assert bits == pytest.approx(slow.bits(text), abs=1e-9)
    assert model.sizes == [len(slow.counts[n]) for n in range(1, order + 1)]


def test_probabilities_sum_to_one() -> None:
    texts = made(30)
    model = KneserNey.fit([" ".join(text) for text in texts], "words", 3)
    vocabulary = sorted({word for text in texts for word in text} | {"unknown"})
    for context in ("", "w1", "w2 w7", "w3 w3 w3", "never seen"):
        last = [float(model.bits([f"{context} {word}"])[0][-1]) for word in vocabulary]
        assert sum(2.0**-bits for bits in last) == pytest.approx(1.0)


@pytest.mark.parametrize("unit", ["characters", "bytes"])
def test_characters_and_bytes(unit: str) -> None:
    texts = ["abracadabra é", "abba", "barb é é", "crab abra"]
    pieces = [[str(piece) for piece in (text if unit == "characters" else text.encode())] for text in texts]
    model = KneserNey.fit(texts[:3], unit, 4)  # type: ignore[arg-type]
    slow = Slow(pieces[:3], 4, 256 if unit == "bytes" else None)
    for text, row in zip(texts, pieces, strict=True):
        assert model.bits([text])[0] == pytest.approx(slow.bits(row), abs=1e-9)
    wanted = sum(sum(slow.bits(row)) for row in pieces) / sum(len(text.encode()) for text in texts)
    assert bits_per_byte(model, texts) == pytest.approx(wanted)


def test_a_text_does_not_depend_on_its_neighbors(tmp_path: Path) -> None:
    texts = [" ".join(text) for text in made(40)]
    model = KneserNey.fit(texts[:30], "words", 3)
    together, lengths = model.bits(texts)
    assert (np.concatenate([model.bits([text])[0] for text in texts]) == together).all()
    model.save(tmp_path / "model.npz")
    kept = KneserNey.load(tmp_path / "model.npz")
    assert kept.unit == "words" and kept.sizes == model.sizes
    assert np.abs(kept.bits(texts)[0] - together).max() < 0.02  # sixteen bits
    sums, sizes = kept.totals(texts)
    assert sizes.tolist() == lengths.tolist() and sums.sum() == pytest.approx(together.sum(), rel=1e-3)


@given(st.lists(st.integers(0, 10**9), min_size=1, max_size=60, unique=True), st.sets(st.integers(0, 10**9)))
@settings(max_examples=100, deadline=None)
def test_a_table_gives_what_was_put_in(known: list[int], others: set[int]) -> None:
    keys = hash64(0, np.array(known))  # spread evenly, as those of n-grams are
    table = HashTable.of(keys, np.arange(len(keys), dtype=np.float64))
    assert table.get(keys).tolist() == list(range(len(keys)))
    absent = np.array([value for value in others if value not in known], np.int64)
    assert np.isnan(table.get(hash64(0, absent))).all()


def test_it_knows_its_own_kind_and_sees_noise(tmp_path: Path, helpers: Any) -> None:
    rows = [{"text": " ".join(text)} for text in made(400)]
    path = helpers.write_jsonl(tmp_path / "texts.jsonl", rows)
    (tmp_path / "scorer").mkdir()
    counts = helpers.built(scorers, "ngram_perplexity", texts=str(path)).fit(tmp_path / "scorer", lambda line: None)
    assert counts["noise"]["sees_noise"] and counts["perplexity"] < 8 and len(counts["ngrams"]) == 3
    assert counts["perplexity"] == pytest.approx(2 ** counts["bits_per_word"])
    scoring: Perplexity = NgramPerplexity.load(tmp_path / "scorer")
    own, other = " ".join(made(400, seed=9)[7]), "w9 w9 w0 w9 w9 w0"
    found = scoring.score([own, other, "", " "])
    assert set(found) == set(scoring.columns)
    assert found["score"][0] < found["score"][1]
    assert np.isnan(found["score"][2:]).all() and np.isnan(found["bits_per_byte"][2:]).all()
    bits, lengths = scoring.model.bits([own])
    assert found["score"][0] == pytest.approx(2 ** (bits.sum() / lengths[0]))
    assert found["bits_per_byte"][0] == pytest.approx(bits.sum() / len(own))


def test_the_control_says_whether_what_it_keeps_is_like_the_good_texts(tmp_path: Path, helpers: Any) -> None:
    """A right model passes, of the pool given and of texts with known noise; one of other texts does not."""
    good = made_rows(400, 0)
    noise = generator(5, "junk")
    junk = [{"text": " ".join(f"w{number}" for number in noise.integers(0, 12, 20))} for _ in range(400)]
    pool = made_rows(150, 3) + junk
    paths = {
        name: str(helpers.write_jsonl(tmp_path / f"{name}.jsonl", rows))
        for name, rows in (("good", good), ("pool", pool), ("more", pool + good))
    }

    def fitted(name: str, **given: Any) -> tuple[dict[str, Any], list[str], Perplexity]:
        (tmp_path / name).mkdir()
        said: list[str] = []
        counts = helpers.built(scorers, "ngram_perplexity", texts=paths["good"], **given).fit(
            tmp_path / name, said.append
        )
        return counts, said, NgramPerplexity.load(tmp_path / name)

    graded, said, scoring = fitted("graded", held_back=0.3)
    assert graded["filter"]["better"]["all"] and graded["filter"]["pool"] > 100 and len(said) == 2
    chosen, _, _ = fitted("chosen", held_back=0.3, pool=paths["pool"])
    assert chosen["filter"]["better"] == {"all": True, "high": True, "low": True} and said[1].startswith(
        "sees permuted"
    )
    assert chosen["noise"] == graded["noise"] and chosen["filter"]["good"] == chosen["held_back"]
    # What it learned from, and what it is judged by, is not chosen from.
    assert fitted("more", held_back=0.3, pool=paths["more"])[0] == chosen
    texts, others = ([row["text"] for row in rows] for rows in (made_rows(300, 8), pool))
    assert controls(scoring.bits_per_unit, texts, others, higher_is_better=False)["filter"]["better"]["all"]
    turned = controls(scoring.bits_per_unit, texts, others)
    assert not any(turned["filter"]["better"].values()) and not turned["noise"]["sees_noise"]


def made_rows(number: int, seed: int) -> list[dict[str, str]]:
    return [{"text": " ".join(text)} for text in made(number, seed=seed) if text]


def test_what_is_wrong_is_said(tmp_path: Path, helpers: Any) -> None:
    path = str(helpers.write_jsonl(tmp_path / "texts.jsonl", [{"text": "one"}]))
    with pytest.raises(InputError, match="too few"):
        helpers.built(scorers, "ngram_perplexity", texts=path).fit(tmp_path, lambda line: None)
    with pytest.raises(InputError, match="between 1 and 20"):
        helpers.built(scorers, "ngram_perplexity", texts=path, order=0).fit(tmp_path, lambda line: None)
