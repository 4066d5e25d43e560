"""For the tests of word vectors: a language with a likeness between words, and the same one in other words."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from seedbed.core.schema import parameters_of
from seedbed.core.step import Step, StepContext
from seedbed.corpus.artifact import Corpus
from seedbed.vectors.artifact import AlignedVectors, Dictionary, WordVectors
from seedbed.vectors.table import WordTable

NUMBER = 120


def lexicon(letters: str, number: int = NUMBER) -> list[str]:
    """Made-up words of two letters that take turns, each once."""
    dice = random.Random(letters)
    half = len(letters) // 2
    syllables = [a + b for a in letters[:half] for b in letters[half:]]
    found: dict[str, None] = {}
    while len(found) < number:
        found["".join(dice.choices(syllables, k=dice.randrange(2, 4)))] = None
    return list(found)


def documents(words: list[str], seed: int, number: int = 60, length: int = 250) -> list[str]:
    """Random walks in which every word has followers of its own, the same for whichever words."""
    structure = np.random.default_rng(11)
    chances = structure.dirichlet(np.full(len(words), 0.08), size=len(words)).cumsum(1)
    dice = np.random.default_rng(seed)
    found = []
    for _ in range(number):
        place, text = int(dice.integers(len(words))), []
        for draw in dice.random(length):
            place = min(int(np.searchsorted(chances[place], draw)), len(words) - 1)
            text.append(words[place])
        found.append(" ".join(text).capitalize() + ".")
    return found


def make_corpus(folder: Path, texts: list[str], labels: list[str | None] | None = None) -> Corpus:
    """A corpus of one split; `labels` stand in its metadata, where they are not None."""
    (folder / "data").mkdir(parents=True)
    names = [f"d{index:04}" for index in range(len(texts))]
    given = [json.dumps({} if label is None else {"label": label}) for label in labels or [None] * len(texts)]
    table = pa.table({"id": names, "text": texts, "domain": [""] * len(texts), "metadata": given})
    pq.write_table(table, folder / "data" / "train-00000.parquet")
    manifest = {"format": 1, "kind": "corpus", "fingerprint": folder.name, "files": {}, "counts": {}}
    (folder / "manifest.json").write_text(json.dumps(manifest))
    return Corpus.open(folder)


def run(made: Step[Any, Any], folder: Path, **given: Any) -> StepContext:
    """A step without a store, by its defaults and what is given."""
    folder.mkdir(parents=True)
    context = StepContext(folder, folder.name, {})
    defaults = {parameter.name: parameter.default for parameter in parameters_of(made.function)}
    made.function(context, **(defaults | given))
    return context


def make_vectors(folder: Path, words: list[str], matrix: np.ndarray, lowercase: bool = False) -> WordVectors:
    counts = np.arange(len(words), 0, -1)
    WordTable(words, np.asarray(matrix, np.float32), counts, "", lowercase).save(folder)
    return WordVectors(folder)


def make_aligned(folder: Path, source: WordTable, target: WordTable) -> AlignedVectors:
    folder.mkdir(parents=True)
    source.save(folder / "source")
    target.save(folder / "target")
    return AlignedVectors(folder)


def make_dictionary(folder: Path, train: list[tuple[str, str]], test: list[tuple[str, str]]) -> Dictionary:
    folder.mkdir(parents=True)
    for name, pairs in (("train", train), ("test", test)):
        (folder / f"{name}.tsv").write_text("".join(f"{a}\t{b}\n" for a, b in pairs), encoding="utf8")
    return Dictionary(folder)
