"""Merges from counts: those of the `tokenizers` library from the text, and of a slow count."""

from __future__ import annotations

import json
from collections import Counter
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import Tokenizer, models, pre_tokenizers, trainers

from seedbed.vocabulary.merges import BREAK, learn_merges


def reference(words, alphabet, size, min_frequency, prefix):
    """The library's trainer, fed with every occurrence of every word."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    inner = [prefix + char for char in alphabet] if prefix else []
    trainer = trainers.BpeTrainer(
        vocab_size=size,
        min_frequency=min_frequency,
        special_tokens=["<pad>", *inner],
        initial_alphabet=alphabet,
        show_progress=False,
        **({"continuing_subword_prefix": prefix} if prefix else {}),
    )
    tokenizer.train_from_iterator([" ".join([word] * count) for word, count in words.items()], trainer)
    model = json.loads(tokenizer.to_str())["model"]
    vocabulary = sorted(model["vocab"], key=model["vocab"].get)
    return vocabulary, [tuple(merge) for merge in model["merges"]]


@settings(max_examples=60, deadline=None)
@given(
    words=st.dictionaries(st.text("abc", min_size=1, max_size=12), st.integers(1, 9), min_size=1, max_size=12),
    min_frequency=st.integers(1, 4),
    prefix=st.sampled_from(["", "##"]),
)
def test_random_words_as_the_library(words, min_frequency, prefix):
    tokens = ["<pad>", *([prefix + char for char in "abc"] if prefix else []), "a", "b", "c"]
    found = learn_merges(words, tokens, 40, min_frequency=min_frequency, prefix=prefix)
    expected = reference(words, ["a", "b", "c"], 40, min_frequency, prefix)
    assert found[0] == expected[0]
    assert found[1] == expected[1]


@pytest.mark.parametrize("prefix", ["", "##"])
def test_prose_as_the_library(texts, prefix):
    words = Counter(word for text in texts for word in text.split())
    alphabet = sorted({char for word in words for char in word})
    tokens = ["<pad>", *([prefix + char for char in alphabet] if prefix else []), *alphabet]
    found = learn_merges(words, tokens, 900, prefix=prefix)
    assert found == reference(words, alphabet, 900, 2, prefix)
    assert len(found[0]) == 900


def slow(words, tokens, number):
    """Recount all pairs after each merge."""
    cut = {word: word.split(BREAK) for word in words}
    parts = [([*part], count) for word, count in words.items() for part in cut[word]]
    tokens, merges = list(tokens), []
    for _ in range(number):
        pairs = Counter()
        for symbols, count in parts:
            for pair in pairwise(symbols):
                pairs[pair] += count
        if not pairs:
            break
        (a, b), _ = min(pairs.items(), key=lambda item: (-item[1], tokens.index(item[0][0]), tokens.index(item[0][1])))
        merges.append((a, b))
        if a + b not in tokens:
            tokens.append(a + b)
        for symbols, _ in parts:
            index = 0
            while index < len(symbols) - 1:
                if symbols[index] == a and symbols[index + 1] == b:
                    symbols[index : index + 2] = [a + b]
                index += 1
    return tokens, merges


def test_no_merge_crosses_a_break():
    words = {f"un{BREAK}do{BREAK}ing": 7, f"un{BREAK}tie{BREAK}s": 5, "undone": 2, f"sing{BREAK}ing": 4}
    tokens = sorted(set("undoigtes"))
    found = learn_merges(words, tokens, 30, min_frequency=1)
    assert found == slow(words, tokens, len(found[1]))
    assert "ing" in found[0] and "un" in found[0]
    assert "doing" not in found[0] and "singing" not in found[0]


def test_characters_that_are_no_token_are_left_out():
    tokens, merges = learn_merges({"a-b": 3, "b": 1}, ["a", "b"], 9)
    assert (tokens, merges) == (["a", "b", "ab"], [("a", "b")])
    assert learn_merges({}, ["a"], 9) == (["a"], [])
