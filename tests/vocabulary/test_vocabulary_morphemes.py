"""Morphemes: the file format, where they end in the word, unknown words, and tokens compared with them."""

from __future__ import annotations

import lzma
from functools import cache
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import Tokenizer, models

from seedbed.core.errors import InputError
from seedbed.core.source import Source
from seedbed.vocabulary import algorithms
from seedbed.vocabulary.morphemes import Segmenter, boundaries, compare, read_segmentations

WORDS = """unties	un @@tie @@s	110
boardgamey	board game @@y	010
retiring	re @@tire @@ing	110
The dogs barked .	The dog @@s bark @@ed .
dogs	dog @@s	100
walks	walk @@s	100
"""


def write(path, text=WORDS):
    path.write_text(text, encoding="utf8")
    return Source.parse(str(path))


def test_format(tmp_path):
    found = read_segmentations(write(tmp_path / "w.tsv"))
    assert found["unties"] == ("un", "tie", "s")
    assert found["boardgamey"] == ("board", "game", "y")
    assert found["barked"] == ("bark", "ed") and found["."] == (".",)
    with lzma.open(tmp_path / "w.tsv.xz", "wt", encoding="utf8") as file:
        file.write(WORDS)
    assert read_segmentations(Source.parse(str(tmp_path / "w.tsv.xz"))) == found


@pytest.mark.parametrize(
    ("text", "message"),
    [("untied\n", r"w\.tsv:1"), ("a\ta\nthe dog\tthe\nthe cat\tthe\n", r"w\.tsv:3"), ("", "holds no segmented words")],
)
def test_files_that_do_not_fit(tmp_path, text, message):
    with pytest.raises(InputError, match=message):
        read_segmentations(write(tmp_path / "w.tsv", text))


@pytest.mark.parametrize(
    ("word", "morphemes", "cut"),
    [
        ("unties", "un tie s", "un tie s"),
        ("retiring", "re tire ing", "re tir ing"),
        ("running", "run ing", "runn ing"),
        ("has", "have s", "ha s"),
        ("leucocratic", "leuco cratic", "leuco cratic"),
        ("Syrian", "Syria an", "Syria n"),
        ("ran", "run", "ran"),
    ],
)
def test_boundaries(word, morphemes, cut):
    places, total = [], 0
    for part in cut.split()[:-1]:
        total += len(part)
        places.append(total)
    assert boundaries(word, morphemes.split()) == places


def distance(a, b):
    @cache
    def d(i, j):
        if not i or not j:
            return i + j
        return min(d(i - 1, j) + 1, d(i, j - 1) + 1, d(i - 1, j - 1) + (a[i - 1] != b[j - 1]))

    return d(len(a), len(b))


@settings(max_examples=150, deadline=None)
@given(st.text("abc", min_size=1, max_size=7), st.lists(st.text("abc", min_size=1, max_size=4), min_size=2, max_size=3))
def test_morphemes_are_aligned_at_the_least_distance(word, morphemes):
    """Cutting at the boundaries and comparing part by part costs no more edits than comparing the whole."""
    ends, total = [], 0
    for morpheme in morphemes[:-1]:
        total += len(morpheme)
        ends.append(total)
    cuts = boundaries(word, morphemes)
    if len(cuts) < len(ends):
        return  # a morpheme without a letter
    edges = [0, *cuts, len(word)]
    parts = [word[a:b] for a, b in pairwise(edges)]
    costs = sum(distance(part, morpheme) for part, morpheme in zip(parts, morphemes, strict=True))
    assert costs == distance(word, "".join(morphemes))


def test_unknown_words_lose_their_known_affixes(tmp_path):
    segmenter = Segmenter(write(tmp_path / "w.tsv"))
    assert segmenter("Unties") == [2, 5], "known, whatever its case"
    assert segmenter("barking") == [4], "bark and ing are known"
    assert segmenter("zzzq") == []
    assert segmenter("İ") == []


def test_against_a_count_by_hand():
    gold = {"unties": [2, 5], "dog": [], "walks": [4]}
    vocab = {token: i for i, token in enumerate(["[UNK]", "-", "unt", "##ies", "dog", "walk", "##s", "un"])}
    tokenizer = Tokenizer(models.WordPiece(vocab, unk_token="[UNK]"))
    from tokenizers import pre_tokenizers

    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    values = compare(tokenizer, gold)  # unt|ies and walk|s: one of two cuts is right, one of three boundaries found
    assert values == {
        "words": 3,
        "precision": 0.5,
        "recall": pytest.approx(1 / 3, abs=1e-6),
        "f1": pytest.approx(0.4),
        "whole": pytest.approx(2 / 3, abs=1e-6),
    }


@pytest.mark.parametrize("name", ["bytes", "characters"])
def test_every_place_is_a_boundary_of_bytes_and_characters(name):
    tokenizer = algorithms.create(name, ["unties größe"], 300, ["<pad>"])()
    values = compare(tokenizer, {"unties": [2, 5], "größe": [4]})
    assert (values["recall"], values["precision"]) == (1.0, pytest.approx(3 / 9, abs=1e-6))


@pytest.mark.parametrize("name", ["bpe", "wordpiece"])
def test_a_vocabulary_that_knows_morphemes(name, tmp_path):
    """With the file, cuts fall on morphemes more often than without."""
    stems, affixes = ["walk", "bark", "tie", "look", "dream", "fold"], ["s", "ed", "ing", "er"]
    words = [stem + affix for stem in stems for affix in affixes]
    source = write(tmp_path / "w.tsv", "".join(f"{s}{a}\t{s} @@{a}\n" for s in stems for a in affixes))
    texts = [" ".join(words[i:] + words[:i]) for i in range(20)]
    gold = {stem + affix: [len(stem)] for stem in stems for affix in affixes}
    specials = ["[PAD]", "[UNK]"]
    size = 300 if name == "bpe" else 80
    plain = compare(algorithms.create(name, texts, size, specials)(), gold)
    aware = compare(algorithms.create(name, texts, size, specials, morphemes=source)(), gold)
    assert aware["f1"] == 1.0 > plain["f1"]
