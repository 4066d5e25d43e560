"""Words with a vector each, as arrays.

Shapes: W words, D dimensions, Q words asked for.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import numpy as np

from seedbed.core.errors import InputError
from seedbed.core.files import read_json, write_json

WORDS, VECTORS, COUNTS, DESCRIPTION = "words.txt", "vectors.npy", "counts.npy", "vectors.json"


@dataclass(frozen=True, eq=False)
class WordTable:
    """`words` by falling frequency, their vectors, and how often each was seen (all 1 where nobody knows).

    `is_lowercased`: the words were put into lower case before they were counted.
    """

    words: list[str]
    matrix_WD: np.ndarray  # float32
    counts_W: np.ndarray  # int64
    language: str = ""
    is_lowercased: bool = False

    def __post_init__(self) -> None:
        assert len(self.words) == len(self.matrix_WD) == len(self.counts_W)

    @cached_property
    def ids(self) -> dict[str, int]:
        return {word: index for index, word in enumerate(self.words)}

    def find(self, words: Iterable[str]) -> np.ndarray:
        """The row of each word (Q, int64): as it is written, else in lower case, else with a capital; else -1."""
        forms = ((word, word.lower(), word.title()) for word in words)
        return np.array(
            [next((self.ids[form] for form in three if form in self.ids), -1) for three in forms], dtype=np.int64
        )

    def with_matrix(self, matrix_WD: np.ndarray) -> WordTable:
        """The same words with other vectors."""
        return replace(self, matrix_WD=np.ascontiguousarray(matrix_WD, dtype=np.float32))

    def save(self, folder: Path) -> None:
        folder.mkdir(exist_ok=True)
        (folder / WORDS).write_text("".join(f"{word}\n" for word in self.words), encoding="utf8", newline="\n")
        np.save(folder / VECTORS, self.matrix_WD.astype(np.float32, copy=False))
        np.save(folder / COUNTS, self.counts_W.astype(np.int64, copy=False))
        write_json(folder / DESCRIPTION, {"language": self.language, "lowercase": self.is_lowercased})

    @classmethod
    def load(cls, folder: Path) -> WordTable:
        try:
            words = (folder / WORDS).read_text(encoding="utf8").split("\n")[:-1]
            matrix_WD, counts_W = np.load(folder / VECTORS), np.load(folder / COUNTS)
            described = read_json(folder / DESCRIPTION)
        except FileNotFoundError as error:
            raise InputError(str(error.filename), "is missing") from None
        if not len(words) == len(matrix_WD) == len(counts_W):
            raise InputError(str(folder), "words, vectors and counts are not of one length", value=len(words))
        return cls(words, matrix_WD, counts_W, described["language"], described["lowercase"])
