"""Bytes as the printable characters that byte-level tokenizers write them with."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from itertools import pairwise

from .merges import BREAK

# GPT-2's table: bytes that are printable in Latin-1 stand for themselves, the others follow from U+0100 on.
_PRINTABLE = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
_OTHERS = [byte for byte in range(256) if byte not in set(_PRINTABLE)]
CHARACTERS = {byte: chr(byte) for byte in _PRINTABLE} | {byte: chr(256 + index) for index, byte in enumerate(_OTHERS)}
ALPHABET = sorted(CHARACTERS.values())
BYTES = {char: byte for byte, char in CHARACTERS.items()}


def written(text: str) -> str:
    """A text as byte-level tokenizers write it."""
    return "".join(CHARACTERS[byte] for byte in text.encode("utf8"))


def read(piece: str) -> str:
    """The text of a piece; bytes that are no text become U+FFFD."""
    return bytes(BYTES[char] for char in piece).decode("utf8", errors="replace")


def cut_bytes(words: Mapping[str, int], segmenter: Callable[[str], list[int]]) -> Counter[str]:
    """Byte-level words with BREAK between morphemes; white space before a word belongs to its first one."""
    found: Counter[str] = Counter()
    for word, count in words.items():
        text = read(word)
        bare = text.lstrip()
        cuts = segmenter(bare) if any(char.isalpha() for char in bare) else []
        if cuts and written(text) == word:
            edges = [0, *(len(text) - len(bare) + cut for cut in cuts), len(text)]
            found[BREAK.join(written(text[a:b]) for a, b in pairwise(edges))] += count
        else:
            found[word] += count
    return found
