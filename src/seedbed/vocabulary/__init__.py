"""Tokenizers: trained on a corpus by one of the `algorithms`, kept as Hugging Face folders, read as vocabularies."""

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from seedbed.core.registry import Registry

from .counts import WordCounts

# (texts or counts of their words, size, special tokens in the order of their ids) -> tokenizers.Tokenizer without a
# post-processor
Algorithm = Callable[[Iterable[str] | WordCounts, int, Sequence[str]], Any]

# The package is not called as the registry is: importing it would put the module in the registry's place.
algorithms: Registry[Algorithm] = Registry(
    "tokenizer", "seedbed.vocabulary.methods", about="how a vocabulary is found in text, and text cut into it"
)

__all__ = ["Algorithm", "algorithms"]
