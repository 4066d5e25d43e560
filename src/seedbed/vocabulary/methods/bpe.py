"""Byte-pair encoding over bytes."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Literal

from seedbed.core.errors import InputError
from seedbed.core.source import Source
from seedbed.vocabulary import algorithms
from seedbed.vocabulary.byte_level import ALPHABET, cut_bytes
from seedbed.vocabulary.counts import WordCounts, count_words, long_runs

# As GPT-2's, but that a mark (a vowel sign, a virama, a tone) belongs to the letters around it.
_WITH_MARKS = r"'s|'t|'re|'ve|'m|'ll|'d| ?[\p{L}\p{M}]+| ?\p{N}+| ?[^\s\p{L}\p{M}\p{N}]+|\s+(?!\S)|\s+"


@algorithms.register("bpe", papers=["138", "158", "367", "374"], version=2)
def bpe(
    texts: Iterable[str] | WordCounts,
    size: int,
    specials: Sequence[str],
    *,
    min_frequency: int = 2,
    split_digits: bool = False,
    words: Literal["gpt2", "marks"] = "gpt2",
    morphemes: Source | None = None,
) -> Any:
    """Byte-level BPE as in GPT-2 (Radford et al., 2019; Sennrich et al., 2016): merges of frequent pairs over the
    bytes of UTF-8, within words as GPT-2's pattern finds them.

    All texts can be encoded and come back exactly; nothing is unknown. `split_digits` makes every digit a word of
    its own (as in LLaMA), which helps arithmetic and costs tokens. GPT-2's pattern ends a word at each combining
    mark, which leaves Thai, Hindi, Bangla and other scripts with vowel signs without words; `words: marks` does not.

    With `morphemes`, a file of segmented words (`morphemes.Segmenter`), no merge that is learned crosses a boundary of
    morphemes; text is then cut as ever. That is MorphBPE (Asgari et al., 2025, as its abstract has it), one way to a
    vocabulary that knows morphology, as 374 asks for.

    A word is cut after 100 characters (`counts.LONGEST`), so that text without spaces works.
    """
    from seedbed.vocabulary.merges import learn_merges
    from seedbed.vocabulary.morphemes import Segmenter

    if size < len(ALPHABET) + len(specials):
        least = len(ALPHABET) + len(specials)
        raise InputError("size", f"{least} tokens are needed for bytes and special tokens", value=size)
    splitter = _splitter(split_digits, words)
    counts = count_words(texts).pieces(lambda word: [piece for piece, _ in splitter.pre_tokenize_str(word)], last=True)
    if morphemes is not None:
        counts = cut_bytes(counts, Segmenter(morphemes))
    tokens, merges = learn_merges(counts, [*specials, *ALPHABET], size, min_frequency=min_frequency)
    return byte_level(tokens, merges, splitter)


def byte_level(tokens: Sequence[str], merges: Sequence[tuple[str, str]], splitter: Any) -> Any:
    """The tokenizer of these tokens, in the order of their ids."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers

    vocabulary = {token: index for index, token in enumerate(tokens)}
    tokenizer = Tokenizer(models.BPE(vocab=vocabulary, merges=list(merges)))
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([long_runs(), splitter])
    tokenizer.decoder = decoders.ByteLevel()
    return tokenizer


def _splitter(split_digits: bool, words: str) -> Any:
    from tokenizers import Regex, pre_tokenizers

    parts: list[Any] = [pre_tokenizers.Digits(individual_digits=True)] if split_digits else []
    if words == "marks":
        parts.append(pre_tokenizers.Split(Regex(_WITH_MARKS), behavior="isolated"))
    parts.append(pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=words == "gpt2"))
    return pre_tokenizers.Sequence(parts)
