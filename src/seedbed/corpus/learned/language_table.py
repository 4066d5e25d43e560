"""How likely runs of characters are in each language: naive Bayes over character n-grams, for many texts at once.

Texts are lower case; every run of what is neither letter nor mark is one space. N-grams have 1 to 4 characters; beside
them every character counts as its script. Shapes: C characters, G n-grams, F features, L languages, D texts.
"""

from __future__ import annotations

import functools
import io
import json
import lzma
import unicodedata
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np

from seedbed.core.errors import InputError, unknown_key
from seedbed.corpus.text.scripts import script_name

LONGEST = 4
_SLOT_BITS = 20
_AT_ONCE = 64  # texts, so that what is made of them stays in the processor's cache
_SCRIPT = 5  # what takes the place of a length for a character's script
_LETTERS = 0x32400
_SPACE = np.uint32(32)
_MIX = np.uint64(0x9E3779B97F4A7C15)
_STEP = 0.125  # nats of one step of the stored logarithms


class Table:
    """Scores `log p(n-gram | language)` above a floor that is the same for all languages and lengths.

    Memory: 4 bytes a feature and language, and 4 MB.
    """

    def __init__(self, languages: list[str], keys_F: np.ndarray, steps_FL: np.ndarray, temperature: float) -> None:
        self.languages, self.temperature = languages, temperature
        self.keys_F, self.steps_FL = keys_F, steps_FL
        self._row_of_slot = np.full(1 << _SLOT_BITS, len(keys_F), np.int32)
        self._row_of_slot[_slots(keys_F)[::-1]] = np.arange(len(keys_F))[::-1]  # of two in one slot the first counts
        self._keys = np.append(keys_F, np.uint64(0))
        self._weights_FL = steps_FL.astype(np.float32) * np.float32(_STEP)

    def totals(self, texts: Sequence[str], most: int) -> tuple[np.ndarray, np.ndarray]:
        """The sums of the scores of each text's first `most` characters (D, L), and its number of letters (D)."""
        totals_DL = np.zeros((len(texts), len(self.languages)), np.float32)
        letters_D = np.zeros(len(texts), np.int64)
        for first in range(0, len(texts), _AT_ONCE):
            batch = texts[first : first + _AT_ONCE]
            codes_C, text_C = plain([text[:most] for text in batch])
            letters_D[first : first + len(batch)] = np.bincount(text_C[codes_C != _SPACE], minlength=len(batch))
            for row, rows_G in enumerate(self._rows(*ngrams(codes_C, text_C), len(batch)), first):
                totals_DL[row] = self._weights_FL.take(rows_G, axis=0).sum(axis=0)
        return totals_DL, letters_D

    def _rows(self, keys_G: np.ndarray, text_G: np.ndarray, texts: int) -> list[np.ndarray]:
        """The rows of the known n-grams of each text."""
        row_G = self._row_of_slot[_slots(keys_G)]
        known = self._keys[row_G] == keys_G
        order = np.argsort(text_G[known], kind="stable")
        ends = np.cumsum(np.bincount(text_G[known], minlength=texts))
        return np.split(row_G[known][order], ends[:-1])

    def best(
        self, texts: Sequence[str], *, most: int = 500, least_letters: int = 10, among: Iterable[str] = ()
    ) -> tuple[list[str | None], np.ndarray]:
        """The most probable language of each text and its probability, or None and NaN for fewer letters."""
        self.check(chosen := set(among))
        columns = [number for number, name in enumerate(self.languages) if not chosen or name in chosen]
        totals_DL, letters_D = self.totals(texts, most)
        totals_DK = totals_DL[:, columns] / self.temperature
        best_D = totals_DK.argmax(axis=1)
        with np.errstate(under="ignore"):
            shares_D = 1 / np.exp(totals_DK - totals_DK.max(axis=1, keepdims=True)).sum(axis=1)
        known_D = (letters_D >= least_letters) & (totals_DK.max(axis=1) > 0)
        names = [self.languages[columns[k]] if known else None for k, known in zip(best_D, known_D, strict=True)]
        return names, np.where(known_D, shares_D, np.nan)

    def check(self, names: Iterable[str]) -> None:
        """Raises InputError for a language that it does not know."""
        for name in names:
            if name not in self.languages:
                raise unknown_key("languages", name, self.languages, "language")

    def save(self, path: Path) -> None:
        header = json.dumps({"languages": self.languages, "temperature": self.temperature}).encode()
        buffer = io.BytesIO()
        np.savez(buffer, header=np.frombuffer(header, np.uint8), keys=self.keys_F, steps=self.steps_FL.T)
        path.write_bytes(lzma.compress(buffer.getvalue(), preset=9))

    @classmethod
    def load(cls, path: Path) -> Table:
        arrays = np.load(io.BytesIO(lzma.decompress(path.read_bytes())))
        header = json.loads(arrays["header"].tobytes())
        steps_FL = np.ascontiguousarray(arrays["steps"].T)
        return cls(header["languages"], arrays["keys"], steps_FL, header["temperature"])


def plain(texts: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
    """The code points of texts in their plain form, each with a space at both ends, and the text that each is of."""
    padded = [f" {unicodedata.normalize('NFC', text).lower()} " for text in texts]
    codes_C = np.frombuffer("".join(padded).encode("utf-32-le", "surrogatepass"), np.uint32)
    text_C = np.repeat(np.arange(len(texts)), [len(text) for text in padded])
    codes_C = np.where(np.take(_is_part(), codes_C, mode="clip"), codes_C, _SPACE)
    is_space = codes_C == _SPACE
    keep = np.ones(len(codes_C), bool)
    keep[1:] = ~(is_space[1:] & is_space[:-1] & (text_C[1:] == text_C[:-1]))
    return codes_C[keep], text_C[keep]


def ngrams(codes_C: np.ndarray, text_C: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The hashes of all n-grams but the space itself, and of the characters' scripts; and the text that each is of."""
    codes, is_letter = codes_C.astype(np.uint64), codes_C != _SPACE
    parts, texts, keys = [], [], np.zeros(len(codes), np.uint64)
    with np.errstate(over="ignore"):
        for length in range(1, LONGEST + 1):
            keys = keys[: max(len(codes) - length + 1, 0)] * _MIX + codes[length - 1 :]
            inside = is_letter if length == 1 else text_C[length - 1 :] == text_C[: len(keys)]
            parts.append(_mixed(keys[inside] + np.uint64(length)))
            texts.append(text_C[: len(keys)][inside])
        scripts = np.take(_scripts(), codes_C[is_letter], mode="clip").astype(np.uint64)
        parts.append(_mixed(scripts * _MIX + np.uint64(_SCRIPT)))
    return np.concatenate(parts), np.concatenate([*texts, text_C[is_letter]])


def learned(counts: dict[str, list[dict[int, int]]], *, floor: float, per_language: int, features: int) -> Table:
    """A table from the counts of n-grams in each source of each language.

    A language's frequencies are the means of those of its sources. Its `per_language` most frequent n-grams are
    candidates; of all candidates those `features` stay whose frequency in one language most exceeds their mean.
    """
    if not counts:
        raise InputError("data", "holds no text with letters")
    languages = sorted(counts)
    shares = [_shares(counts[name]) for name in languages]
    candidates: set[int] = set()
    for own in shares:
        candidates.update(sorted(own, key=lambda gram: (-own[gram], gram))[:per_language])
    keys = np.array(sorted(candidates), np.uint64)
    share_FL = np.zeros((len(keys), len(languages)))
    place = {gram: row for row, gram in enumerate(keys.tolist())}
    for column, own in enumerate(shares):
        for gram, value in own.items():
            if (row := place.get(gram)) is not None:
                share_FL[row, column] = value
    mean_F = share_FL.mean(axis=1, keepdims=True)
    gain_F = (share_FL * np.log(np.maximum(share_FL, floor) / np.maximum(mean_F, floor))).max(axis=1)
    best = np.sort(np.argsort(-gain_F, kind="stable")[:features])
    steps_FL = np.round(np.log(np.maximum(share_FL[best], floor) / floor) / _STEP)
    return Table(languages, keys[best], np.minimum(steps_FL, 255).astype(np.uint8), 1.0)


def counted(texts: Iterable[str]) -> dict[int, int]:
    """The n-grams of texts, and how often each is there."""
    found: dict[int, int] = {}
    for text in texts:
        keys, counts = np.unique(ngrams(*plain([text]))[0], return_counts=True)
        for gram, count in zip(keys.tolist(), counts.tolist(), strict=True):
            found[gram] = found.get(gram, 0) + count
    return found


def _shares(sources: list[dict[int, int]]) -> dict[int, float]:
    """The mean of the sources' frequencies."""
    found: dict[int, float] = {}
    for own in sources:
        total = sum(own.values()) * len(sources)
        for gram, count in own.items():
            found[gram] = found.get(gram, 0.0) + count / total
    return found


def _mixed(keys: np.ndarray) -> np.ndarray:
    keys = (keys ^ (keys >> np.uint64(32))) * np.uint64(0xD6E8FEB86659FD93)
    return np.asarray(keys ^ (keys >> np.uint64(32)))


def _slots(keys: np.ndarray) -> np.ndarray:
    return (keys >> np.uint64(64 - _SLOT_BITS)).astype(np.int64)


@functools.cache
def _is_part() -> np.ndarray:
    """Whether a code point is a letter or a mark."""
    table = np.zeros(_LETTERS + 1, bool)
    table[:-1] = [unicodedata.category(chr(code))[0] in "LM" for code in range(_LETTERS)]
    return table


@functools.cache
def _scripts() -> np.ndarray:
    """A number for the script of each letter."""
    names: dict[str, int] = {}
    words = (script_name(chr(code)) for code in range(_LETTERS))
    return np.array([names.setdefault(word, len(names)) for word in words] + [0], np.uint16)
