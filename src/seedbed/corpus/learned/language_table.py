"""How likely runs of characters are in each language: naive Bayes over character n-grams, for many texts at once.

Texts are lower case; every run of what is neither letter nor mark is one space. N-grams have 1 to 4 characters; beside
them every character counts as its script. A language that is written in several scripts has a column for each: as one
it would be their mean, half as frequent in either as a neighbor that has one, and lose to it.
Shapes: C characters, G n-grams, F features, S columns (a language in a script), L languages, D texts.
"""

from __future__ import annotations

import functools
import io
import json
import lzma
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
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
_ENOUGH = 0.1  # of a language's text in a script of its own: less are names and quotations
_LEAST = 5_000  # n-grams in it, about 1,000 letters
_MIXED_WRITING = dict.fromkeys(("hiragana", "katakana", "bopomofo"), "cjk")  # written among Han characters
Counts = Mapping[int, int]  # n-grams, by their hashes


class Table:
    """Scores `log p(n-gram | language)` above a floor that is the same for all languages and lengths.

    `columns` names the language of each column; those of one language, of several scripts, stand together. A text's
    score in a language is the greatest of them, not their sum: a text is in one script, and with the sum a language
    with two would be twice as likely as another before a letter is read.

    Memory: 4 bytes a feature and column, and 4 MB.
    """

    def __init__(self, columns: list[str], keys_F: np.ndarray, steps_FS: np.ndarray, temperature: float) -> None:
        self.columns, self.temperature = columns, temperature
        self.languages = list(dict.fromkeys(columns))
        self._firsts_L = np.array([columns.index(name) for name in self.languages])
        self.keys_F, self.steps_FS = keys_F, steps_FS
        self._row_of_slot = np.full(1 << _SLOT_BITS, len(keys_F), np.int32)
        self._row_of_slot[_slots(keys_F)[::-1]] = np.arange(len(keys_F))[::-1]  # of two in one slot the first counts
        self._keys = np.append(keys_F, np.uint64(0))
        self._weights_FS = steps_FS.astype(np.float32) * np.float32(_STEP)

    def totals(self, texts: Sequence[str], most: int) -> tuple[np.ndarray, np.ndarray]:
        """The sums of the scores of each text's first `most` characters (D, L), and its number of letters (D)."""
        totals_DS = np.zeros((len(texts), len(self.columns)), np.float32)
        letters_D = np.zeros(len(texts), np.int64)
        for first in range(0, len(texts), _AT_ONCE):
            batch = texts[first : first + _AT_ONCE]
            codes_C, text_C = plain([text[:most] for text in batch])
            letters_D[first : first + len(batch)] = np.bincount(text_C[codes_C != _SPACE], minlength=len(batch))
            for row, rows_G in enumerate(self._rows(*ngrams(codes_C, text_C), len(batch)), first):
                totals_DS[row] = self._weights_FS.take(rows_G, axis=0).sum(axis=0)
        return np.maximum.reduceat(totals_DS, self._firsts_L, axis=1), letters_D

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
        header = json.dumps({"languages": self.columns, "temperature": self.temperature}).encode()
        buffer = io.BytesIO()
        np.savez(buffer, header=np.frombuffer(header, np.uint8), keys=self.keys_F, steps=self.steps_FS.T)
        path.write_bytes(lzma.compress(buffer.getvalue(), preset=9))

    @classmethod
    def load(cls, path: Path) -> Table:
        arrays = np.load(io.BytesIO(lzma.decompress(path.read_bytes())))
        header = json.loads(arrays["header"].tobytes())
        steps_FS = np.ascontiguousarray(arrays["steps"].T)
        return cls(header["languages"], arrays["keys"], steps_FS, header["temperature"])


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


def learned(
    counts: Mapping[str, Sequence[Mapping[int, Counts]]], *, floor: float, per_language: int, features: int
) -> Table:
    """A table from the counts of n-grams in each source of each language, by script as `counted` has them.

    A language's frequencies are the means of those of its sources, in each of its scripts by themselves. Their
    `per_language` most frequent n-grams are candidates; of all candidates those `features` stay whose frequency in one
    column most exceeds their mean.
    """
    if not counts:
        raise InputError("data", "holds no text with letters")
    found = [(name, own) for name in sorted(counts) for own in _shares(counts[name])]
    columns, shares = [name for name, _ in found], [own for _, own in found]
    candidates: set[int] = set()
    for own in shares:
        candidates.update(sorted(own, key=lambda gram: (-own[gram], gram))[:per_language])
    keys = np.array(sorted(candidates), np.uint64)
    share_FS = np.zeros((len(keys), len(columns)))
    place = {gram: row for row, gram in enumerate(keys.tolist())}
    for column, own in enumerate(shares):
        for gram, value in own.items():
            if (row := place.get(gram)) is not None:
                share_FS[row, column] = value
    mean_F = share_FS.mean(axis=1, keepdims=True)
    gain_F = (share_FS * np.log(np.maximum(share_FS, floor) / np.maximum(mean_F, floor))).max(axis=1)
    best = np.sort(np.argsort(-gain_F, kind="stable")[:features])
    steps_FS = np.round(np.log(np.maximum(share_FS[best], floor) / floor) / _STEP)
    return Table(columns, keys[best], np.minimum(steps_FS, 255).astype(np.uint8), 1.0)


def counted(texts: Iterable[str]) -> dict[int, dict[int, int]]:
    """The n-grams of texts, and how often each is there, apart for the scripts that most of a text's letters are in."""
    found: dict[int, dict[int, int]] = {}
    for text in texts:
        codes_C, text_C = plain([text])
        writings = np.take(_writings(), codes_C[codes_C != _SPACE], mode="clip")
        own = found.setdefault(int(np.bincount(writings, minlength=1).argmax()), {})
        keys, counts = np.unique(ngrams(codes_C, text_C)[0], return_counts=True)
        for gram, count in zip(keys.tolist(), counts.tolist(), strict=True):
            own[gram] = own.get(gram, 0) + count
    return found


def _shares(sources: Sequence[Mapping[int, Counts]]) -> list[dict[int, float]]:
    """The frequencies in each script that has enough text, the one with most first; what is in others counts there.

    They are the mean of the sources' frequencies, of which each script gets its part.
    """
    totals = [sum(sum(own.values()) for own in source.values()) for source in sources]
    weights: dict[int, float] = {}
    sizes: dict[int, int] = {}
    for source, total in zip(sources, totals, strict=True):
        for script, counts in source.items():
            sizes[script] = sizes.get(script, 0) + (size := sum(counts.values()))
            weights[script] = weights.get(script, 0.0) + size / max(total, 1) / len(sources)
    order = sorted(weights, key=lambda script: (-weights[script], script))
    apart = [script for script in order if weights[script] >= _ENOUGH and sizes[script] >= _LEAST]
    found: list[dict[int, float]] = [{} for _ in apart] or [{}]
    for source, total in zip(sources, totals, strict=True):
        for script, counts in source.items():
            own = found[apart.index(script) if script in apart else 0]
            for gram, count in counts.items():
                own[gram] = own.get(gram, 0.0) + count / total
    wholes = [sum(own.values()) for own in found]
    return [{gram: share / whole for gram, share in own.items()} for own, whole in zip(found, wholes, strict=True)]


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


@functools.cache
def _writings() -> np.ndarray:
    """A number for the way of writing that each letter belongs to: its script, but kana go with Han."""
    names: dict[str, int] = {}
    words = (script_name(chr(code)) for code in range(_LETTERS))
    return np.array([names.setdefault(_MIXED_WRITING.get(word, word), len(names)) for word in words] + [0], np.uint16)
