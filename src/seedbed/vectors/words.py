"""Texts as words for word vectors, numbered by falling frequency.

Shapes: T words of running text, W words of the vocabulary.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np

from seedbed.core.errors import InputError
from seedbed.vocabulary.artifact import Tokenizer

# White space and marks. A class of letters would not do: Python's \w leaves out the vowel signs of Indian scripts.
_APART = (
    r"\s!-/:-@\[-`{-~\u00a1-\u00a9\u00ab-\u00b1\u00b4\u00b6-\u00b8\u00bb-\u00bf\u00d7\u00f7\u060c\u061b\u061f\u0964"
    r"\u0965\u1361-\u1368\u2010-\u2029\u2030-\u205e\u2e00-\u2e7f\u3000-\u303f\uff01-\uff0f\uff1a-\uff20"
)
_WORD = re.compile(rf"[^{_APART}]+(?:['\u2019-][^{_APART}]+)*")
# Thai, Lao, Burmese, Khmer, Japanese and Chinese characters.
_UNSPACED = re.compile("[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff]")

Splitter = Callable[[str], list[str]]


def splitter(tokenizer: Tokenizer | None, lowercase: bool) -> Splitter:
    """From a text to its words: what stands between spaces and marks, or the tokens of a tokenizer."""
    if tokenizer is None:
        return lambda text: _WORD.findall(text.lower() if lowercase else text)
    from seedbed.vocabulary.surfaces import surfaces

    fast = tokenizer.load()
    written = [surface.strip() for surface in surfaces(tokenizer)]

    def split(text: str) -> list[str]:
        ids = fast.encode(text.lower() if lowercase else text, add_special_tokens=False).ids
        # Half a character is no word, nor is a mark.
        return [word for word in (written[index] for index in ids) if word.isprintable() and _WORD.fullmatch(word)]

    return split


@dataclass(frozen=True)
class NumberedTexts:
    """`ids_T`: int32, -1 for a rare word and between texts."""

    words: list[str]
    counts_W: np.ndarray
    ids_T: np.ndarray


def number_words(texts: Iterable[str], split: Splitter, *, min_count: int, size: int, gap: int) -> NumberedTexts:
    """The `size` most frequent words of at least `min_count` occurrences, and the texts as their numbers.

    Among equals the first in the alphabet comes first. `gap` empty places keep texts apart. Memory: 4 bytes a word.
    """
    seen: dict[str, int] = {}
    pieces, between = [], np.full(gap, -1, dtype=np.int32)
    for text in texts:
        pieces += [np.array([seen.setdefault(word, len(seen)) for word in split(text)], dtype=np.int32), between]
    if not seen:
        raise InputError("corpus", "holds no words")
    ids_T = np.concatenate(pieces)
    counts = np.bincount(ids_T[ids_T >= 0], minlength=len(seen))
    ranked = sorted(
        (word for word, index in seen.items() if counts[index] >= min_count), key=lambda w: (-counts[seen[w]], w)
    )[:size]
    number = np.full(len(seen) + 1, -1, dtype=np.int32)  # the last stands for -1
    number[[seen[word] for word in ranked]] = np.arange(len(ranked), dtype=np.int32)
    counts_W = counts[[seen[word] for word in ranked]] if ranked else np.zeros(0, dtype=np.int64)
    return NumberedTexts(ranked, counts_W, number[ids_T])


def check_spaces(words: list[str], counts_W: np.ndarray) -> None:
    """InputError where most letters are of scripts that put no spaces between words."""
    letters = np.array([len(word) for word in words]) * counts_W
    unspaced = np.array([len(_UNSPACED.findall(word)) for word in words]) * counts_W
    if unspaced.sum() > 0.5 * letters.sum():
        raise InputError(
            "tokenizer",
            "the text is of a script without spaces between words: what stands between marks is not a word",
            value=words[:3],
            fix="name a tokenizer trained on it (train_tokenizer): its tokens then stand for words",
        )
