"""Which tokens begin a word."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import numpy as np

# Byte-level BPE writes bytes as printable characters: space, newline, tab, carriage return.
_BYTE_LEVEL_SPACES = ("\u0120", "\u010a", "\u0109", "\u010d")
# Sentencepiece writes a space as U+2581; other white space stands for itself or as a byte.
_METASPACE = "\u2581"
_METASPACE_SPACES = (_METASPACE, "\n", "\t", "\r", "<0x20>", "<0x0A>", "<0x09>", "<0x0D>")


def word_starts(description: dict[str, Any], tokens: Sequence[str]) -> np.ndarray:
    """For each token of a `tokenizer.json` whether it begins a word (V, bool).

    WordPiece: it lacks the continuation mark "##". Byte-level BPE and sentencepiece: it begins with white space; so
    punctuation belongs to the word before it, as in fairseq's whole-word masking for RoBERTa, and a text's first
    token may lack the mark: whoever groups tokens into words begins one at a text's start in any case. A model
    that marks only where words end (CLIP's), or none, gives no answer token by token: each token is a word.
    """
    model = description["model"]
    prefix = model.get("continuing_subword_prefix")
    if prefix:
        return np.array([not token.startswith(prefix) for token in tokens], dtype=bool)
    kinds = set(_types(description.get("pre_tokenizer"))) | set(_types(description.get("decoder")))
    if "ByteLevel" in kinds:
        return np.array([token.startswith(_BYTE_LEVEL_SPACES) for token in tokens], dtype=bool)
    surroundings = [description.get(part) for part in ("normalizer", "pre_tokenizer", "decoder")]
    if "Metaspace" in kinds or _METASPACE in json.dumps(surroundings, ensure_ascii=False):
        return np.array([token.startswith(_METASPACE_SPACES) for token in tokens], dtype=bool)
    return np.ones(len(tokens), dtype=bool)


def _types(part: Any) -> list[str]:
    """The types of a component of tokenizer.json and of those within it."""
    if isinstance(part, dict):
        return [str(part.get("type"))] + [name for value in part.values() for name in _types(value)]
    if isinstance(part, list):
        return [name for value in part for name in _types(value)]
    return []
