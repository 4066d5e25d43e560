"""Bytes as they are."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from seedbed.core.errors import InputError
from seedbed.vocabulary import algorithms
from seedbed.vocabulary.byte_level import ALPHABET
from seedbed.vocabulary.counts import WordCounts


@algorithms.register("bytes", papers=["178"])
def bytes_(texts: Iterable[str] | WordCounts, size: int, specials: Sequence[str]) -> Any:  # noqa: ARG001
    """A token for each of the 256 bytes of UTF-8 (as in ByT5, Xue et al., 2022), and the special tokens.

    Nothing is trained; `size` is only an upper bound.
    """
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers

    tokens = [*specials, *ALPHABET]
    if size < len(tokens):
        raise InputError("size", f"{len(tokens)} tokens are needed for bytes and special tokens", value=size)
    tokenizer = Tokenizer(models.BPE(vocab={token: index for index, token in enumerate(tokens)}, merges=[]))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True)
    tokenizer.decoder = decoders.ByteLevel()
    return tokenizer
