"""Hashes of words, by numpy, against words cut and numbered one by one."""

from __future__ import annotations

import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from seedbed.corpus.text import token_hashes
from seedbed.corpus.text.token_hashes import blocks, hashes_of, ngram_buckets, segment_sums

# What the module says is a word.
WORD = re.compile(r"[0-9A-Za-z_\u0080-\U0010ffff]+|[!-/:-@\[-^`{-~]")
TEXT = st.text(alphabet=st.characters(codec="utf8", max_codepoint=0x300), max_size=40)


def slow(text: str) -> list[str]:
    # A lower-case letter may be longer than the capital; what stands for the line's ends is no character of a word.
    return WORD.findall(text.lower())


@given(st.lists(TEXT, max_size=8))
@settings(max_examples=200, deadline=None)
def test_words_are_those_of_the_definition(texts: list[str]) -> None:
    hashes, lengths = hashes_of(texts)
    words = [slow(text) for text in texts]
    assert lengths.tolist() == [len(row) for row in words]
    flat = [word for row in words for word in row]
    assert len(hashes) == len(flat)
    by_hash = dict(zip(hashes.tolist(), flat, strict=True))
    assert [by_hash[value] for value in hashes.tolist()] == flat  # one word a hash
    assert len(by_hash) == len(set(flat))  # and one hash a word


def test_a_text_does_not_depend_on_its_neighbors(monkeypatch: pytest.MonkeyPatch) -> None:
    texts = ["The cat, the CAT", "", "x" * 60 + " y", "ß?!", "a_b a-b"]
    together, lengths = hashes_of(texts)
    monkeypatch.setattr(token_hashes, "_SPAN", 64)
    alone = [hashes_of([text])[0] for text in texts]
    assert [len(part) for part in alone] == lengths.tolist()
    assert (np.concatenate(alone) == together).all()
    assert together[1] == together[4] and together[0] == together[3]


def test_of_a_long_word_as_much_counts_wherever_it_stands(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(token_hashes, "_SPAN", 64)
    monkeypatch.setattr(token_hashes, "_POWERS", [])
    word = "".join(chr(97 + k * k % 26) for k in range(64))
    long, longer = word + "0" * 50, word + "1" * 200
    alone = hashes_of([long])[0][0]
    for before in ("", "a", "a b " * 9, "c" * 63):
        hashes, _ = hashes_of([f"{before} {long} d", longer, word])
        assert (hashes[[-4, -2, -1]] == alone).all() and hashes[-3] == hashes_of(["d"])[0][0]


@pytest.mark.parametrize("unit", ["characters", "bytes"])
def test_characters_and_bytes(unit: str) -> None:
    texts = ["aé", "", "éa€"]
    pieces = [list(text if unit == "characters" else text.encode()) for text in texts]
    hashes, lengths = hashes_of(texts, unit)  # type: ignore[arg-type]
    assert lengths.tolist() == [len(row) for row in pieces]
    flat = [piece for row in pieces for piece in row]
    assert len(set(zip(flat, hashes.tolist(), strict=True))) == len(set(flat)) == len(set(hashes.tolist()))


def test_ngrams_share_a_number_only_by_chance() -> None:
    texts = [" ".join(f"w{(i * i) % 97}" for i in range(j, j + 30)) for j in range(40)] + ["", "one"]
    for n in (1, 2, 3):
        buckets, offsets = ngram_buckets(*hashes_of(texts), n, 26)
        wanted = [tuple(words[i : i + n]) for words in map(slow, texts) for i in range(len(words) - n + 1)]
        assert np.diff(offsets).tolist() == [max(0, len(slow(text)) - n + 1) for text in texts]
        assert buckets.min() >= 0 and buckets.max() < 1 << 26
        assert len(set(zip(buckets.tolist(), wanted, strict=True))) == len(set(wanted)) == len(set(buckets.tolist()))


def test_blocks_cover_the_texts() -> None:
    texts = ["a" * size for size in (3, 0, 9, 2, 2, 2, 30, 1)]
    found = list(blocks(texts, 6))
    assert [text for block in found for text in texts[block]] == texts
    assert all(sum(map(len, texts[block][:-1])) < 6 for block in found)
    assert list(blocks([])) == []


def test_sums_between_offsets() -> None:
    values = np.arange(6.0)
    assert segment_sums(values, np.array([0, 0, 2, 2, 6, 6])).tolist() == [0, 1, 0, 14, 0]
    assert segment_sums(values[:0], np.array([0, 0])).tolist() == [0]
