"""WordPiece."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from itertools import pairwise
from typing import Any

from seedbed.core.errors import InputError
from seedbed.core.source import Source
from seedbed.vocabulary import algorithms
from seedbed.vocabulary.counts import WordCounts, count_words, long_runs
from seedbed.vocabulary.merges import BREAK

PREFIX = "##"


@algorithms.register("wordpiece", papers=["029", "374"], version=2)
def wordpiece(
    texts: Iterable[str] | WordCounts,
    size: int,
    specials: Sequence[str],
    *,
    lowercase: bool = False,
    min_frequency: int = 2,
    limit_alphabet: int = 1000,
    morphemes: Source | None = None,
) -> Any:
    """WordPiece as in BERT (Devlin et al., 2019): words split at white space and punctuation, then greedily into the
    longest known pieces; pieces within a word begin with "##".

    `lowercase` also strips accents, as BERT's uncased models do. The alphabet is cut at the `limit_alphabet` most
    frequent characters (at most a quarter of `size`); a word with any other character becomes the unknown token.
    White space is not kept: decoding gives words, not the text. A word is cut after 100 characters, so that text
    without spaces works. With `morphemes` no piece that is learned crosses a boundary of morphemes (374 asks what such
    a vocabulary is worth; how it made its own from lists of morphemes we have not seen in detail).

    Deviation: the pieces come from byte-pair merges (the most frequent pair first), as in the `tokenizers`
    library, where Schuster and Nakajima (2012) take the pair that raises the likelihood most.
    """
    from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers

    from seedbed.vocabulary.merges import learn_merges
    from seedbed.vocabulary.morphemes import Segmenter

    unknown = next((token for token in specials if "unk" in token.lower()), "<unk>")
    first = list(dict.fromkeys([*specials, unknown]))
    normalizer = normalizers.BertNormalizer(lowercase=lowercase)
    splitter = pre_tokenizers.BertPreTokenizer()
    words = count_words(texts).pieces(
        lambda word: [piece for piece, _ in splitter.pre_tokenize_str(normalizer.normalize_str(word))], last=True
    )
    alphabet = _alphabet(words, min(limit_alphabet, size // 4))
    inner = [PREFIX + char for char in alphabet if len(splitter.pre_tokenize_str(char + char)) == 1]
    tokens = [*first, *inner, *alphabet]
    if size < len(tokens) + 1:
        raise InputError("size", f"{len(tokens)} tokens are needed for special tokens and characters", value=size)
    if morphemes is not None:
        words = _cut(words, Segmenter(morphemes))
    tokens, _ = learn_merges(words, tokens, size, min_frequency=min_frequency, prefix=PREFIX)
    vocabulary = {token: index for index, token in enumerate(tokens)}
    tokenizer = Tokenizer(models.WordPiece(vocab=vocabulary, unk_token=unknown, continuing_subword_prefix=PREFIX))
    tokenizer.normalizer = normalizer
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([long_runs(), splitter])
    tokenizer.decoder = decoders.WordPiece(prefix=PREFIX, cleanup=False)
    return tokenizer


def _cut(words: Counter[str], segmenter: Callable[[str], list[int]]) -> Counter[str]:
    found: Counter[str] = Counter()
    for word, count in words.items():
        edges = [0, *segmenter(word), len(word)]
        found[BREAK.join(word[a:b] for a, b in pairwise(edges))] += count
    return found


def _alphabet(words: Counter[str], limit: int) -> list[str]:
    """The most frequent characters, sorted; ties go to the smaller code point."""
    counts: Counter[str] = Counter()
    for word, count in words.items():
        for char in word:
            counts[char] += count
    return sorted(sorted(counts, key=lambda char: (-counts[char], char))[: max(1, limit)])
