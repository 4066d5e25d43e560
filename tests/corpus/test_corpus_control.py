"""Texts with permuted words, and what a scorer makes of them."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from seedbed.core.counters import generator
from seedbed.core.errors import InputError
from seedbed.corpus.learned.control import (
    KEPT,
    SHARES,
    controls,
    filter_control,
    halves,
    noise_control,
    permuted,
    told,
)
from seedbed.corpus.learned.kneser_ney import KneserNey

TEXT = "one  two\nthree four five\tsix seven eight nine ten eleven twelve"


def test_a_permutation_keeps_words_and_space() -> None:
    for share in (0.0, *SHARES):
        noisy = permuted(TEXT, share, 3)
        assert sorted(noisy.split()) == sorted(TEXT.split())
        assert [piece for piece in noisy if piece.isspace()] == [piece for piece in TEXT if piece.isspace()]
    assert permuted(TEXT, 0.0) == TEXT and permuted(TEXT, 1.0) != TEXT
    assert permuted("", 1.0) == "" and permuted(" x ", 1.0).split() == ["x"]


def test_the_share_of_words_that_move() -> None:
    text = " ".join(map(str, range(20_000)))
    for share in SHARES:
        moved = sum(a != b for a, b in zip(text.split(), permuted(text, share).split(), strict=True)) / 20_000
        assert abs(moved - share) < 0.02
    small = {a for a, b in zip(text.split(), permuted(text, 0.1).split(), strict=True) if a != b}
    large = {a for a, b in zip(text.split(), permuted(text, 0.25).split(), strict=True) if a != b}
    assert len(small - large) < 20  # but for those that chance puts back into their places


def in_order(texts: Sequence[str]) -> np.ndarray:
    """The share of neighbors in alphabetical order."""
    words = [text.split() for text in texts]
    return np.array([np.mean([a <= b for a, b in itertools.pairwise(row)]) for row in words])


def test_who_looks_at_the_order_sees_noise_and_who_counts_words_does_not() -> None:
    texts = [" ".join(f"{number:03}" for number in range(start, start + 60)) for start in range(40)]
    seen = noise_control(in_order, texts)
    assert seen["sees_noise"] and seen["texts"] == 40
    assert list(seen["mean_score"]) == ["0.0", "0.1", "0.25", "0.5", "1.0"] and seen["mean_score"]["0.0"] == 1.0
    assert not noise_control(in_order, texts, higher_is_better=False)["sees_noise"]
    assert not noise_control(lambda rows: np.array([float(len(row.split())) for row in rows]), texts)["sees_noise"]
    assert noise_control(in_order, ["word", ""]) == {
        "texts": 0,
        "mean_score": dict.fromkeys(["0.0", "0.1", "0.25", "0.5", "1.0"]),
        "sees_noise": False,
    }


def prose(number: int, words: list[str], seed: int) -> list[str]:
    """Texts in which a word tells the next."""
    numbers = generator(seed, "prose", *words[:1])
    texts = []
    for _ in range(number):
        place, text = int(numbers.integers(len(words))), []
        for _ in range(40):
            place = (place * 3 + int(numbers.integers(0, 2))) % len(words)
            text.append(words[place])
        texts.append(" ".join(text))
    return texts


RIGHT, WRONG = [f"r{n}" for n in range(30)], [f"w{n}" for n in range(30)]


def of_the_right(texts: Sequence[str]) -> np.ndarray:
    return np.array([np.mean([word[0] == "r" for word in text.split()]) for text in texts])


def test_what_a_good_filter_keeps_predicts_good_texts() -> None:
    good = prose(40, RIGHT, 0)
    pool = prose(100, RIGHT, 1) + prose(300, WRONG, 1)
    found = filter_control(of_the_right, good, pool)
    assert found["better"] == {"all": True, "high": True, "low": True}
    bits = [found["bits_per_byte"][str(share)]["all"] for share in KEPT]
    assert bits[0] >= bits[1] > bits[2] and found["good"] == 40 and found["pool"] == 400
    inverse = filter_control(lambda texts: -of_the_right(texts), good, pool)
    assert inverse["better"] == {"all": False, "high": False, "low": False}


def test_halves_are_told_apart_and_their_mean_is_the_whole() -> None:
    """A filter for one of two kinds of good texts helps with that kind alone."""
    other = [f"o{n}" for n in range(30)]
    good = prose(20, RIGHT, 0) + prose(20, other, 0)
    pool = prose(60, RIGHT, 1) + prose(60, other, 1)
    found = filter_control(of_the_right, good, pool)
    assert found["better"]["high"] and not found["better"]["low"]
    for row in found["bits_per_byte"].values():
        assert row["all"] == pytest.approx((row["high"] + row["low"]) / 2, abs=1e-5)


def test_models_learn_from_equally_many_bytes_though_a_filter_likes_short_texts(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    pool = [" ".join(text.split()[: 1 + number % 40]) for number, text in enumerate(prose(400, RIGHT, 1))]
    sizes: list[int] = []
    fit = KneserNey.fit

    def counted(texts: list[str], *given: Any) -> KneserNey:
        sizes.append(sum(map(len, texts)))
        return fit(texts, *given)

    monkeypatch.setattr(KneserNey, "fit", counted)
    filter_control(lambda texts: -np.array([float(len(text)) for text in texts]), prose(20, RIGHT, 0), pool)
    assert len(sizes) == len(KEPT) and max(sizes) - min(sizes) < max(map(len, pool))


def test_too_few_texts_tell_nothing() -> None:
    assert filter_control(of_the_right, ["r1 r2"], ["w1"] * 30)["better"] == {}


def test_a_good_text_that_stands_in_the_pool_does_not_judge_itself() -> None:
    good, pool = prose(40, RIGHT, 0), prose(100, RIGHT, 1) + prose(300, WRONG, 1)
    assert filter_control(of_the_right, good, pool + good) == filter_control(of_the_right, good, pool)


def test_without_a_pool_half_of_the_good_texts_is_one_with_known_noise() -> None:
    texts = [text.replace("r", "") for text in prose(200, RIGHT, 0)]  # numbers, of which one tells the next

    def follows(chosen: Sequence[str]) -> np.ndarray:
        """The share of words that can follow the one before."""
        rows = [[int(word) for word in text.split()] for text in chosen]
        return np.array(
            [np.mean([b in (a * 3 % 30, (a * 3 + 1) % 30) for a, b in itertools.pairwise(r)]) for r in rows]
        )

    found = controls(follows, texts, None)
    assert found["noise"]["sees_noise"] and found["noise"]["texts"] == len(set(texts))
    assert found["filter"]["better"] == {"all": True, "high": True, "low": True}
    assert found["filter"]["good"] == len(set(texts)) / 2 and found["filter"]["pool"] == 5 * len(set(texts)) / 2
    assert told(found) == (
        "sees permuted words; its best tenth makes a better model of "
        "good texts, those that it scores high, those that it scores low"
    )
    for score, is_higher in ((follows, False), (lambda rows: np.array([float(len(row)) for row in rows]), True)):
        wrong = controls(score, texts, None, higher_is_better=is_higher)
        assert not wrong["noise"]["sees_noise"] and not any(wrong["filter"]["better"].values())
        assert told(wrong) == "does not see permuted words; its best tenth makes a better model of no good texts"
    assert told(controls(follows, ["1 2"], None)).startswith("does not see permuted words; too few texts")


def test_halves_have_nothing_in_common_and_do_not_depend_on_the_order() -> None:
    texts = prose(41, RIGHT, 0)
    one, other = halves(texts + texts[:5])
    assert sorted(one + other) == sorted(texts) and len(one) == 21
    assert halves(texts[::-1]) == (one, other)


def test_permuting_is_a_curation_step(helpers: Any) -> None:
    method = helpers.built(helpers.curation, "permute_words", share=0.5, seed=2)
    rows = helpers.tagged(method, {"a": TEXT, "b": ""})
    assert {id: row["text"] for id, row in rows.items()} == {"a": permuted(TEXT, 0.5, 2), "b": ""}
    with pytest.raises(InputError, match="between 0 and 1"):
        helpers.built(helpers.curation, "permute_words", share=2)
