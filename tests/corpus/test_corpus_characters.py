"""Words, lines and paragraphs of many texts at once, against Python's own string methods."""

from __future__ import annotations

import itertools
import re
import unicodedata
from collections import Counter

import numpy as np
from hypothesis import example, given, settings
from hypothesis import strategies as st

from seedbed.corpus.text.characters import LETTER, OTHER, SYMBOL, Spans, Texts, chunks, is_repeat
from seedbed.corpus.text.repetition import Repeats

SOME = st.lists(st.text(alphabet="ab \n\r\t.…é中\u2028\x1c\u3000\u0301", max_size=25), min_size=1, max_size=4)


def strings(texts: list[str], spans: Spans) -> list[list[str]]:
    joined = "\n".join(texts) + "\n"
    pieces = [joined[a:b] for a, b in zip(spans.starts.tolist(), spans.ends.tolist(), strict=True)]
    offsets = spans.offsets.tolist()
    return [pieces[a:b] for a, b in itertools.pairwise(offsets)]


@given(SOME)
@settings(max_examples=300, deadline=None)
@example(["a\r", "\n", "\r\n\r", "", "a\r\n\nb"])
def test_pieces_are_those_of_python(texts: list[str]) -> None:
    joined = Texts(texts)
    assert strings(texts, joined.words) == [text.split() for text in texts]
    assert strings(texts, joined.lines) == [text.splitlines() for text in texts]
    assert strings(texts, joined.parted_at_newlines()) == [text.split("\n") for text in texts]
    assert strings(texts, joined.parted_at_newlines(joined=True)) == [re.split("\n+", text) for text in texts]
    paragraphs = joined.parted_at_newlines(2, joined=True, stripped=True)
    assert strings(texts, paragraphs) == [re.split("\n{2,}", text.strip()) for text in texts]
    trimmed = Spans(*joined.trimmed(joined.lines), joined.lines.offsets)
    assert strings(texts, trimmed) == [[line.strip() for line in text.splitlines()] for text in texts]


@given(SOME)
@settings(max_examples=100, deadline=None)
def test_a_hash_is_that_of_the_characters(texts: list[str]) -> None:
    joined = Texts(texts)
    words = [word for text in texts for word in text.split()]
    hashes = joined.hashes(joined.words).tolist()
    assert len(set(zip(words, hashes, strict=True))) == len(set(words)) == len(set(hashes))
    for word, value in zip(words, hashes, strict=True):
        assert int(Texts([word]).whole_hash()) == value


@given(SOME)
@settings(max_examples=100, deadline=None)
def test_words_are_found_and_their_classes_are_those_of_their_characters(texts: list[str]) -> None:
    joined = Texts(texts)
    words = [word for text in texts for word in text.split()]
    known = list(dict.fromkeys([*words, "the", "\u4e00x"]))
    found = [rows.tolist() for rows in joined.find(joined.words, known)]
    assert found == [[number for number, word in enumerate(words) if word == wanted] for wanted in known]
    for bit in (LETTER, SYMBOL, OTHER):
        has = (joined.classes(joined.words) & bit) != 0
        assert has.tolist() == [bool((Texts([word]).classes_C[:-1] & bit).any()) for word in words]


def test_classes_are_those_of_python() -> None:
    text = "".join(map(chr, [*range(0xD800), *range(0xE000, 0x2A700)]))
    joined = Texts([text])
    classes = joined.classes_C[:-1]
    assert [bool(bits & 1) for bits in classes.tolist()] == [char.isspace() for char in text]
    assert [bool(bits & LETTER) for bits in classes.tolist()] == [char.isalpha() for char in text]
    wanted = [unicodedata.category(char)[0] in "PSC" and not char.isspace() for char in text]
    assert [bool(bits & SYMBOL) for bits in classes.tolist()] == wanted
    assert all(bool(bits & OTHER) != bool(bits & (SYMBOL | 1)) for bits in classes.tolist())


def test_pieces_part_punctuation_from_words() -> None:
    text = '("Don\'t," she said—3.5% of U.S. users...)'
    wanted = ['("', "Don't", ',"', "she", "said", "—", "3.5", "%", "of", "U.S", ".", "users", "...)"]
    assert strings([text], Texts([text]).pieces) == [wanted]


def test_chunks_hold_all_texts_in_order() -> None:
    texts = ["x" * 200_000, "", "y" * 300_000, "z", "w" * 100_000]
    found = list(chunks(texts))
    assert [text for chunk in found for text in chunk.texts] == texts and len(found) == 3
    assert list(chunks([])) == []


def test_what_stood_earlier() -> None:
    assert is_repeat(np.array([5, 3, 5, 5, 4, 3], np.uint64)).tolist() == [False, False, True, True, False, True]
    assert is_repeat(np.zeros(0, np.uint64)).tolist() == []


def greedy(words: list[str], n: int) -> int:
    """Characters in n-grams that stood before, one word after the other."""
    seen, chars, place = set(), 0, 0
    while place + n <= len(words):
        gram = tuple(words[place : place + n])
        if gram in seen:
            chars, place = chars + sum(map(len, gram)), place + n
        else:
            seen.add(gram)
            place += 1
    return chars


@given(st.lists(st.lists(st.sampled_from(["a", "bb", "c"]), max_size=40), min_size=1, max_size=3))
@settings(max_examples=200, deadline=None)
def test_repeats_are_those_of_a_loop(texts: list[list[str]]) -> None:
    joined = Texts([" ".join(words) for words in texts])
    repeats = Repeats(joined, joined.words)
    for level in repeats.levels(7):
        grams = [[tuple(words[i : i + level.n]) for i in range(len(words) - level.n + 1)] for words in texts]
        tops = [Counter(row).most_common(1) for row in grams]
        counts, places, chars = (array.tolist() for array in repeats.top(level))
        assert counts == [top[0][1] if top else 0 for top in tops]
        assert chars == [len("".join(top[0][0])) if top else 0 for top in tops]
        firsts = [row.index(top[0][0]) if top else 0 for row, top in zip(grams, tops, strict=True)]
        offsets = joined.words.offsets[:-1].tolist()
        assert all(p == o + f for p, o, f, row in zip(places, offsets, firsts, grams, strict=True) if row)
        assert repeats.repeated_chars(level).tolist() == [greedy(words, level.n) for words in texts]
        doubled = [sum(len("".join(g)) * c for g, c in Counter(row).items() if c > 1) for row in grams]
        assert repeats.all_chars(level).tolist() == doubled
        assert repeats.sum_of_lengths(level.n).tolist() == [sum(len("".join(g)) for g in row) for row in grams]
