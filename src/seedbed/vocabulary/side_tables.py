"""What tokens look and sound like: tables of the user's or of a generated script, in the order of a vocabulary.

Shapes: N rows of a table, V vocabulary, G pixels; a pronunciation has 8 letters.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np

from seedbed.core.errors import InputError
from seedbed.core.source import Source
from seedbed.corpus.artifact import Corpus
from seedbed.corpus.documents import Unreadable
from seedbed.corpus.input.examples import CorpusOrFiles
from seedbed.vocabulary.artifact import Tokenizer
from seedbed.vocabulary.surfaces import surfaces

LENGTH = 8  # letters of a pronunciation, its tone included (Sun et al., 2021)
Channel = Literal["glyph", "sound"]
_FORMATS = "lines of `token<TAB>{0}`, JSON lines with `token` and `{0}`, or an .npz file of arrays `tokens` and `{0}s`"


@dataclass(frozen=True)
class SideTable:
    """One channel for a vocabulary: `values` (V, G) as bytes, or (V, 8) as numbers of letters from 1; zeros where a
    token has none. `known_V` says which have one; `unused` counts rows of tokens that the vocabulary does not have."""

    values: np.ndarray
    known_V: np.ndarray
    unused: int


def side_table(table: CorpusOrFiles, channel: Channel, tokenizer: Tokenizer) -> SideTable:
    """Read a table and find each token's row by the token's text, white space and marks of pieces aside. A token of
    several characters has what its own row says, and nothing without one.

    Raises InputError for tables that cannot be read, rows of different sizes, and tables that know no token.
    """
    key = f"{channel}s"
    tokens, given = _read(table, channel, key)
    values = _pixels(tokens, given, key) if channel == "glyph" else _letters(tokens, given, key)
    rows = {token: row for row, token in enumerate(tokens)}
    if len(rows) < len(tokens):
        twice = next(token for row, token in enumerate(tokens) if rows[token] != row)
        raise InputError(key, "has two rows for a token", value=twice)
    row_V = np.array([rows.get(text.strip(), -1) for text in surfaces(tokenizer)])
    known_V = row_V >= 0
    if not known_V.any():
        some = ", ".join(tokens[:3])
        raise InputError(key, "knows no token of the vocabulary", value=f"{some} ...", fix="one row for each token")
    found = np.zeros((len(row_V), values.shape[1]), values.dtype)
    found[known_V] = values[row_V[known_V]]
    return SideTable(found, known_V, len(tokens) - len(np.unique(row_V[known_V])))


def _read(table: CorpusOrFiles, channel: Channel, key: str) -> tuple[list[str], Any]:
    """Tokens and what stands beside each: texts, or an array."""
    path = _path(table, channel, key)
    if path.suffix == ".npz":
        return _arrays(path, key)
    pairs = list(_pairs(path, channel, key))
    if not pairs:
        raise InputError(key, "is an empty table", value=str(path), fix=_FORMATS.format(channel))
    return [token for token, _ in pairs], [value for _, value in pairs]


def _path(table: CorpusOrFiles, channel: Channel, key: str) -> Path:
    if isinstance(table, Corpus):
        path = table.path / "truth" / f"{channel}s.jsonl"
        if not path.is_file():
            raise InputError(
                key, f"has no truth/{path.name}", value=str(table.path), fix="a corpus of the world script"
            )
        return path
    assert isinstance(table, Source)
    if len(table.files) != 1:
        raise InputError(key, f"is one file, and these are {len(table.files)}", value=str(table))
    return table.files[0]


def _pairs(path: Path, channel: Channel, key: str) -> Iterator[tuple[str, str]]:
    from seedbed.corpus.input.files import InputFile

    file = InputFile.at(path)
    is_json = file.extension in (".jsonl", ".ndjson")
    for line in file.lines():
        if isinstance(line, Unreadable):
            raise InputError(key, f"line {line.line} cannot be read: {line.reason}", value=line.file)
        number, text = line
        if not text.strip():
            continue
        pair = _of_json(text, channel) if is_json else text.rstrip("\r\n").split("\t")
        if pair is None or len(pair) != 2 or not all(isinstance(part, str) and part.strip() for part in pair):
            problem = f"line {number} has no token and {channel}"
            raise InputError(key, problem, value=text, allowed=_FORMATS.format(channel))
        yield pair[0].strip(), pair[1].strip()


def _of_json(text: str, channel: Channel) -> list[Any] | None:
    try:
        row = json.loads(text)
    except json.JSONDecodeError:
        return None
    return [row.get("token"), row.get(channel)] if isinstance(row, dict) else None


def _arrays(path: Path, key: str) -> tuple[list[str], np.ndarray]:
    try:
        with np.load(path, allow_pickle=False) as arrays:
            tokens, values = arrays["tokens"], arrays[key]
    except (KeyError, ValueError, OSError) as error:
        raise InputError(key, f"is not an .npz file of arrays `tokens` and `{key}`: {error}", value=str(path)) from None
    if tokens.dtype.kind != "U" or tokens.ndim != 1 or len(values) != len(tokens) or not len(tokens):
        problem = f"`tokens` is a row of texts, and `{key}` has as many rows"
        raise InputError(key, problem, value=[tokens.shape, values.shape])
    return [str(token).strip() for token in tokens], values


def _pixels(tokens: list[str], given: list[str] | np.ndarray, key: str) -> np.ndarray:
    """(N, G): rows of pixels one behind the other, scaled so that the largest of all is 255."""
    if isinstance(given, np.ndarray):
        if given.ndim < 2 or given.dtype.kind not in "buif":
            raise InputError(key, "is an array of tokens, rows and columns of numbers", value=given.shape)
        values = given.reshape(len(tokens), -1).astype(np.float32)
        largest = values.max(initial=0.0)
        if not (np.isfinite(values).all() and values.min(initial=0.0) >= 0 and largest > 0):
            raise InputError(key, "pixels are finite, not negative, and not all zero")
        return np.round(values * (255 / largest)).astype(np.uint8)
    shape = [len(row) for row in given[0].split("/")]
    for token, value in zip(tokens, given, strict=True):
        if not set(value) <= set(".#/"):
            raise InputError(key, f"the bitmap of '{token}' is not of . and #, with / between rows", value=value)
        if [len(row) for row in value.split("/")] != shape or len(set(shape)) != 1:
            problem = f"the bitmap of '{token}' is not of the size of the first one, {len(shape)} rows of {shape[0]}"
            raise InputError(key, problem, value=value)
    joined = "".join(given).replace("/", "").encode()
    return np.where(np.frombuffer(joined, np.uint8) == ord("#"), 255, 0).astype(np.uint8).reshape(len(tokens), -1)


def _letters(tokens: list[str], given: list[str] | np.ndarray, key: str) -> np.ndarray:
    """(N, 8): each letter's place in the alphabet of the table, from 1; zeros behind the last one."""
    if isinstance(given, np.ndarray) and (given.ndim != 1 or given.dtype.kind != "U"):
        raise InputError(key, "is an array of texts", value=given.shape)
    texts = [str(text).strip() for text in given]
    for token, text in zip(tokens, texts, strict=True):
        if not 1 <= len(text) <= LENGTH:
            raise InputError(key, f"the pronunciation of '{token}' has not 1 to {LENGTH} letters", value=text)
    padded = "".join(text.ljust(LENGTH, "\0") for text in texts).encode("utf-32-le")
    codes_N8 = np.frombuffer(padded, np.uint32).reshape(len(tokens), LENGTH)
    alphabet = np.union1d(codes_N8, np.zeros(1, np.uint32))
    return np.searchsorted(alphabet, codes_N8)
