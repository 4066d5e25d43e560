"""What a token looks like in running text, whichever way its tokenizer writes it down.

Shape: V the size of the vocabulary.
"""

from __future__ import annotations

import json
import re
import unicodedata
from typing import TYPE_CHECKING, Any

from .byte_level import BYTES

if TYPE_CHECKING:
    from seedbed.vocabulary.artifact import Tokenizer

SPACE_MARK = "\u2581"  # sentencepiece's space
_BYTE = re.compile(r"<0x([0-9A-Fa-f]{2})>")
_ASCII_PUNCTUATION = frozenset("!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~")


def surfaces(tokenizer: Tokenizer) -> list[str]:
    """The text of each token (V), white space before it included: "Ġthe", "▁the" and WordPiece's "the" are " the",
    and "##s" is "s". Special tokens, and ids without a token, are "".

    Bytes that are no whole UTF-8 stand as Python's surrogate escapes, so that `encode(text, "surrogateescape")` gives
    the bytes back: a byte-level piece of half a character has a surface of its own, which is no text to show anyone.
    WordPiece keeps no white space: there, what its splitter sets apart (punctuation, Chinese characters) has none
    before it, and every other token that begins a word has one space. A mark for a word's end ("</w>") is taken away.
    """
    vocabulary = tokenizer.vocabulary()
    how = notation(json.loads(tokenizer.load().to_str()))
    suffix = how.suffix
    found = []
    for token, special in zip(vocabulary.tokens, vocabulary.special_V, strict=True):
        text = token.removesuffix(suffix) if suffix else token
        found.append("" if special else how.surface(text))
    return found


class Notation:
    """How a tokenizer writes text down. `kind`: "bytes" (GPT-2's characters for bytes), "spaces" (sentencepiece's
    mark), "wordpiece" (a prefix for what continues a word), or "plain"."""

    def __init__(self, kind: str, prefix: str = "", suffix: str = "") -> None:
        self.kind, self.prefix, self.suffix = kind, prefix, suffix

    def surface(self, token: str) -> str:
        """A token as text."""
        if self.kind == "bytes":
            if all(char in BYTES for char in token):
                return bytes(BYTES[char] for char in token).decode("utf8", "surrogateescape")
            return token  # an added token, which is written as it is
        if self.kind == "wordpiece":
            if token.startswith(self.prefix) and token != self.prefix:
                return token.removeprefix(self.prefix)
            return token if is_set_apart(token[:1]) else f" {token}"
        if byte := _BYTE.fullmatch(token):
            return bytes([int(byte[1], 16)]).decode("utf8", "surrogateescape")
        return token.replace(SPACE_MARK, " ") if self.kind == "spaces" else token


def notation(description: dict[str, Any]) -> Notation:
    """The notation of a `tokenizer.json`."""
    model = description["model"]
    suffix = model.get("end_of_word_suffix") or ""
    if model.get("type") == "WordPiece" or model.get("continuing_subword_prefix"):
        return Notation("wordpiece", model.get("continuing_subword_prefix") or "##")
    surroundings = [description.get(part) for part in ("normalizer", "pre_tokenizer", "decoder")]
    written = json.dumps(surroundings, ensure_ascii=False)
    if '"ByteLevel"' in written:
        return Notation("bytes", suffix=suffix)
    return Notation("spaces" if SPACE_MARK in written else "plain", suffix=suffix)


def is_set_apart(char: str) -> bool:
    """Whether BERT's splitter makes a word of this character: punctuation, and Chinese characters."""
    if not char:
        return False
    return (
        char in _ASCII_PUNCTUATION
        or unicodedata.category(char).startswith("P")
        or unicodedata.name(char, "").startswith("CJK ")
    )
