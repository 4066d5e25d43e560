"""Characters as they are."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from seedbed.core.errors import InputError
from seedbed.vocabulary import algorithms
from seedbed.vocabulary.counts import WordCounts, count_words

SPACE = "\u2581"


@algorithms.register("characters")
def characters(
    texts: Iterable[str] | WordCounts, size: int, specials: Sequence[str], *, byte_fallback: bool = True
) -> Any:
    """A token for each character of the text, the most frequent ones if there are more than `size`.

    Another character becomes the bytes of its UTF-8, so that nothing is unknown and every text comes back exactly,
    but for U+2581, which stands for a space; these bytes are 256 tokens. Without `byte_fallback` it becomes the
    unknown token: for alphabets that are known, as of proteins.
    """
    from tokenizers import Tokenizer, decoders, models, normalizers

    unknown = next((token for token in specials if "unk" in token.lower()), "<unk>")
    first = list(dict.fromkeys([*specials, *([] if byte_fallback else [unknown])]))
    first += [f"<0x{byte:02X}>" for byte in range(256)] if byte_fallback else []
    if size <= len(first):
        raise InputError("size", f"more than {len(first)} tokens are needed, for special tokens and bytes", value=size)
    counts = count_words(texts).characters()
    if " " in counts:
        counts[SPACE] += counts.pop(" ")
    kept = sorted(counts, key=lambda char: (-counts[char], char))[: size - len(first)]
    vocabulary = {token: index for index, token in enumerate([*first, *sorted(kept)])}
    model = models.BPE(
        vocab=vocabulary, merges=[], byte_fallback=byte_fallback, **({} if byte_fallback else {"unk_token": unknown})
    )
    tokenizer = Tokenizer(model)
    tokenizer.normalizer = normalizers.Replace(" ", SPACE)
    tokenizer.decoder = decoders.Sequence([decoders.Replace(SPACE, " "), decoders.ByteFallback(), decoders.Fuse()])
    return tokenizer
