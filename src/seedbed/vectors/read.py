"""The step that takes word vectors from a text file."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

from seedbed.core.errors import InputError
from seedbed.core.source import Source
from seedbed.core.step import StepContext, step

from .artifact import WordVectors
from .table import WordTable

if TYPE_CHECKING:
    from seedbed.corpus.input.files import InputFile

_SHOWN = 5  # broken lines that are told


@step("read_word_vectors", gives=WordVectors)
def read_word_vectors(
    context: StepContext, *, source: Source, language: str = "", limit: int = 200000, lowercase: bool = False
) -> None:
    """Word vectors from a text file of word2vec, fastText or GloVe, compressed or not.

    A line is a word and its numbers, parted by spaces; a first line of two numbers (words, dimensions) may stand
    or not. limit: only the first so many words, which are the most frequent by custom. lowercase: say so if the file's
    words are all in lower case. Frequencies are not in such files: all words count alike. A word that comes again is
    left out, and so is a line that does not fit; both are counted.
    """
    from seedbed.corpus.input.files import select_files

    if limit < 1:
        raise InputError("limit", "must be at least 1", value=limit)
    files = list(select_files(source, None))
    if len(files) != 1:
        raise InputError("source", "one file of vectors is wanted", value=[file.name for file in files])
    broken: list[str] = []
    rows: dict[str, np.ndarray] = {}
    repeated = 0
    for word, vector in _rows(files[0], broken):
        repeated += word in rows
        rows.setdefault(word, vector)
        if len(rows) == limit:
            break
    if not rows:
        problem = "; ".join(broken[:_SHOWN])
        fix = "vectors are made of text by the steps build_corpus and train_word_vectors"
        raise InputError("source", f"holds no word vectors: {problem}", value=str(source), fix=fix)
    for line in broken[:_SHOWN]:
        context.say(f"left out: {line}")
    matrix_WD = np.stack(list(rows.values()))
    WordTable(list(rows), matrix_WD, np.ones(len(rows), np.int64), language, lowercase).save(context.folder)
    context.counts.update(
        words=len(rows), dimensions=matrix_WD.shape[1], repeated=repeated, left_out=len(broken), language=language
    )


def _rows(file: InputFile, broken: list[str]) -> Iterator[tuple[str, np.ndarray]]:
    """Words and vectors; what is wrong with other lines goes to `broken`."""
    from seedbed.corpus.documents import Unreadable

    dimensions = 0
    for line in file.lines():
        if isinstance(line, Unreadable):
            broken.append(f"line {line.line}: {line.reason}")
            continue
        number, text = line
        parts = text.rstrip().split(" ")
        if number == 1 and len(parts) == 2 and all(part.isdigit() for part in parts):
            dimensions = int(parts[1])
            continue
        dimensions = dimensions or len(parts) - 1
        vector = _vector(parts[-dimensions:]) if 0 < dimensions < len(parts) else None
        word = " ".join(parts[: len(parts) - dimensions])
        if vector is None or not word or word.split() != [word]:
            broken.append(f"line {number}: not a word and {dimensions} numbers")
        else:
            yield word, vector


def _vector(parts: list[str]) -> np.ndarray | None:
    try:
        vector = np.array(parts, dtype=np.float32)
    except ValueError:
        return None
    return vector if np.isfinite(vector).all() else None
