"""Byte-pair encoding over bytes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from seedbed.core.errors import InputError
from seedbed.vocabulary import algorithms


@algorithms.register("bpe", papers=["138", "158", "367"])
def bpe(
    texts: Sequence[str],
    size: int,
    specials: Sequence[str],
    *,
    min_frequency: int = 2,
    split_digits: bool = False,
) -> Any:
    """Byte-level BPE as in GPT-2 (Radford et al., 2019; Sennrich et al., 2016): merges of frequent pairs over the
    bytes of UTF-8, within words as GPT-2's pattern finds them.

    All texts can be encoded and come back exactly; nothing is unknown. `split_digits` makes every digit a word of
    its own (as in LLaMA), which helps arithmetic and costs tokens.
    """
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    if size < len(alphabet) + len(specials):
        raise InputError(
            "size", f"{len(alphabet) + len(specials)} tokens are needed for bytes and special tokens", value=size
        )
    tokenizer = Tokenizer(models.BPE())
    pattern = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True)
    digits = [pre_tokenizers.Digits(individual_digits=True)] if split_digits else []
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([*digits, pattern]) if digits else pattern
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=size,
        min_frequency=min_frequency,
        special_tokens=list(specials),
        initial_alphabet=alphabet,
        show_progress=False,
    )
    tokenizer.train_from_iterator(texts, trainer, length=len(texts))
    return tokenizer
