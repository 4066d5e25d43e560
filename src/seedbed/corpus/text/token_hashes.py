"""Words, characters and bytes of many texts as 64-bit hashes, by numpy alone; and their n-grams as features.

A word is a run of letters, digits and underscores, in lower case, where every character beyond ASCII counts as a
letter; each other visible character is a word of its own. A word's hash is that of the polynomial in its bytes modulo
2**64: one pass over all bytes of all texts, and one `reduceat`. (`ngrams.word_hashes`, by Daft, is for expressions over
frames; in a function over batches, within a plan of Daft's, numpy is faster and needs no second plan.)

Shapes: B bytes, W words, N texts, E n-grams.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Literal

import numpy as np

from seedbed.core.counters import hash64

from .ngrams import ngram_hashes

Unit = Literal["words", "characters", "bytes"]

_SPAN = 1 << 18  # bytes that are hashed at a time; of a longer word only so many count
_BASE = 0xD6E8FEB86659FD93
_SPREAD = np.uint64(0x9E3779B97F4A7C15)
_SPACE, _LETTER, _MARK = 0, 1, 2


def _kind(byte: int) -> int:
    if byte >= 128:
        return _LETTER
    character = chr(byte)
    if character.isalnum() or character == "_":
        return _LETTER
    return _MARK if character.isprintable() and character != " " else _SPACE


_KINDS = np.array([_kind(byte) for byte in range(256)], np.uint8)
# What is between words counts as nothing.
_VALUES = np.where(_KINDS == _SPACE, 0, np.arange(1, 257)).astype(np.uint64)


def _powers(base: int) -> np.ndarray:
    found = np.ones(2 * _SPAN, np.uint64)
    length = 1
    while length < len(found):
        found[length : 2 * length] = found[:length] * np.uint64(pow(base, length, 1 << 64))
        length *= 2
    return found


_POWERS: list[np.ndarray] = []  # of the base, and of its inverse; made when first needed, 8 MB


def blocks(texts: Sequence[str], characters: int = 1 << 20) -> Iterator[slice]:
    """Slices of the texts of about so many characters, at least one text each: what fits into the caches."""
    first = size = 0
    for number, text in enumerate(texts):
        size += len(text)
        if size >= characters:
            yield slice(first, number + 1)
            first, size = number + 1, 0
    if first < len(texts):
        yield slice(first, len(texts))


def hashes_of(texts: Sequence[str], unit: Unit = "words") -> tuple[np.ndarray, np.ndarray]:
    """The hashes (uint64) of all units of all texts in order, and the number of units in each text."""
    if unit == "characters":
        codes = np.frombuffer("".join(texts).encode("utf-32-le"), np.uint32)
        return hash64(1, codes), np.array([len(text) for text in texts], np.int64)
    raw = [(text.lower() if unit == "words" else text).encode() for text in texts]
    sizes_N = np.array([len(part) for part in raw], np.int64)
    if unit == "bytes":
        return _BYTE_HASHES[np.frombuffer(b"".join(raw), np.uint8)], sizes_N
    data_B = np.frombuffer(b"\n".join(raw), np.uint8)
    starts_W = _word_starts(data_B)
    edges = np.append(np.cumsum(sizes_N + 1) - (sizes_N + 1), len(data_B) + 1)
    return hash64(2, _polynomials(data_B, starts_W)), np.diff(np.searchsorted(starts_W, edges))


_BYTE_HASHES = hash64(3, np.arange(256))


def _word_starts(data_B: np.ndarray) -> np.ndarray:
    kinds_B = _KINDS[data_B]
    is_start = kinds_B == _LETTER
    is_start[1:] &= kinds_B[:-1] != _LETTER
    is_start |= kinds_B == _MARK
    return np.flatnonzero(is_start)


def _polynomials(data_B: np.ndarray, starts_W: np.ndarray) -> np.ndarray:
    if not _POWERS:
        _POWERS.extend([_powers(_BASE), _powers(pow(_BASE, -1, 1 << 64))])
    powers, inverses = _POWERS
    found_W = np.empty(len(starts_W), np.uint64)
    first = 0
    while first < len(starts_W):
        begin = starts_W[first]
        stop = int(np.searchsorted(starts_W, begin + _SPAN))
        end = starts_W[stop] if stop < len(starts_W) else len(data_B)
        # Only the last of these words may be a longer one.
        values = _VALUES[data_B[begin : min(end, starts_W[stop - 1] + _SPAN)]]
        values *= powers[: len(values)]
        places = starts_W[first:stop] - begin
        found_W[first:stop] = np.add.reduceat(values, places) * inverses[places]
        first = stop
    return found_W


def ngram_buckets(hashes: np.ndarray, lengths_N: np.ndarray, n: int, bits: int) -> tuple[np.ndarray, np.ndarray]:
    """The n-grams of texts as numbers below 2**bits, in order, and the offsets of the texts (N + 1).

    N-grams share a number by chance: of F different ones a share of about F / 2**bits.
    """
    found_E, offsets_N = ngram_hashes(hashes, lengths_N, n)
    return ((found_E * _SPREAD) >> np.uint64(64 - bits)).astype(np.int64), offsets_N


def segment_sums(values: np.ndarray, offsets_N: np.ndarray) -> np.ndarray:
    """The sums of the values (along the first axis) between offsets; zero between equal ones."""
    sums = np.zeros((len(offsets_N) - 1, *values.shape[1:]), values.dtype)
    is_full = offsets_N[1:] > offsets_N[:-1]
    if is_full.any():
        sums[is_full] = np.add.reduceat(values, offsets_N[:-1][is_full])
    return sums
