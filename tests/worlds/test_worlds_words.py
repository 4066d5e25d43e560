"""Numbers to words: no two alike, and back."""

from __future__ import annotations

import re
from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from seedbed.core.errors import InputError
from seedbed.worlds import prose, relations
from seedbed.worlds.dice import Dice, zipf
from seedbed.worlds.words import CODAS, ONSETS, VOCABULARIES, Permutation, Words, lexicon

SYLLABLE = f"(?:{'|'.join(ONSETS)})[aeiou]"
NAME = re.compile(f"(?:{SYLLABLE}){{3}}(?:{'|'.join(filter(None, CODAS))})?")


@pytest.mark.parametrize("size", [1, 2, 3, 10, 97, 1000])
def test_permutations_are_permutations(size: int) -> None:
    permutation = Permutation(size, 5, "test")
    images = [permutation(number) for number in range(size)]
    assert sorted(images) == list(range(size))
    assert [permutation.inverse(image) for image in images] == list(range(size))
    if size > 10:
        assert images != [Permutation(size, 6, "test")(number) for number in range(size)]
        assert abs(np.corrcoef(images, range(size))[0, 1]) < 0.3


@given(st.integers(1, 10**12), st.integers(0, 10**12))
def test_permutations_of_any_size_can_be_undone(size: int, number: int) -> None:
    permutation = Permutation(size, 1)
    assert permutation.inverse(permutation(number % size)) == number % size


def test_no_two_numbers_have_the_same_word_and_vocabularies_share_none() -> None:
    found = [Words(1, vocabulary, 3)(number) for vocabulary in range(VOCABULARIES) for number in range(3000)]
    assert len(set(found)) == len(found)
    assert all(NAME.fullmatch(word) for word in found)
    words = [{*lexicon(v).nouns, *lexicon(v).verbs, *lexicon(v).adjectives} for v in range(VOCABULARIES)]
    assert len(set.union(*words)) == sum(map(len, words)) and min(map(len, words)) == 1400


def test_a_name_is_no_other_word() -> None:
    """Frames, prose and inflected words do not look like names, which have three syllables."""
    templates = [t for relation in relations.RELATIONS for t in (*relation.forward, *relation.backward)]
    text = " ".join([*templates, *relations.ASIDES, *relations.PAIRS, *prose._PATTERNS])
    words = lexicon(0)
    forms = {w + ending for w in (*words.nouns, *words.verbs, *words.adjectives) for ending in ("", "s", "ed")}
    others = {word.lower() for word in re.findall("[A-Za-z]+", text)} | forms
    assert len(others) > 3000
    assert not [word for word in others if NAME.fullmatch(word)]


def test_a_vocabulary_comes_to_an_end() -> None:
    words = Words(0, 0, 3)
    assert words(len(words) - 1) and len(words) > 700_000
    with pytest.raises(InputError, match="has only"):
        words(len(words))


def test_dice_are_fair_and_follow_their_stream() -> None:
    dice = Dice(1, "a", 2)
    drawn = [dice.below(6) for _ in range(6000)]
    assert set(drawn) == set(range(6)) and max(Counter(drawn).values()) < 1150
    assert [Dice(1, "a", 2).below(6) for _ in range(2)] == [drawn[0]] * 2
    assert sorted(dice.shuffled(range(50))) == list(range(50))
    weights = zipf(4)
    counts = Counter(dice.weighted(weights) for _ in range(25_000))
    assert [counts[rank] / 12_000 for rank in range(4)] == pytest.approx([1, 1 / 2, 1 / 3, 1 / 4], rel=0.06)


def test_prose_follows_the_law_of_zipf() -> None:
    dice = Dice(0, "prose")
    text = " ".join(prose.prose(0).text(dice, number % 4) for number in range(400))
    nouns = Counter(word for word in re.findall("[a-z]+", text) if word in set(lexicon(0).nouns))
    ranked = [count for _, count in nouns.most_common(200)]
    slope = np.polyfit(np.log(np.arange(5, 201)), np.log(ranked[4:]), 1)[0]
    assert -1.3 < slope < -0.6
