"""Small corpora, tokenizers and token files made in memory."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from seedbed.corpus.artifact import Corpus
from seedbed.data.artifact import TokenFile
from seedbed.vocabulary import algorithms
from seedbed.vocabulary.artifact import Tokenizer
from seedbed.vocabulary.save import SPECIALS, finish, write_folder

TEXTS = [
    "The seed grows in the bed, and the rain falls.\n",
    "def grow(seed):\n    for day in range(10):\n        seed += rain(day)\n\treturn seed\n",
    "Ein Same keimt; größer wird er später.",
    "x",
    "  two spaces  and  [MASK] </s> inside ",
]


def make_file(lengths: Sequence[int], *, first: int = 10) -> TokenFile:
    """Every token has a number of its own, so that each can be followed."""
    sizes = np.asarray(lengths, dtype=np.int64)
    tokens = np.arange(first, first + sizes.sum(), dtype=np.uint32)
    return TokenFile(tokens, np.cumsum(sizes) - sizes, sizes, sizes * 4, [f"d{i}" for i in range(len(sizes))])


@pytest.fixture(scope="session")
def token_file() -> Callable[..., TokenFile]:
    return make_file


def write_corpus(folder: Path, splits: dict[str, list[dict[str, str]]]) -> Corpus:
    (folder / "data").mkdir(parents=True)
    names = ("id", "text", "source", "domain")
    for split, rows in splits.items():
        table = pa.table(
            {name: [row.get(name, "") for row in rows] for name in names},
            schema=pa.schema([(name, pa.string()) for name in names]),
        )
        pq.write_table(table, folder / "data" / f"{split}-00000.parquet")
    manifest = {"format": 1, "kind": "corpus", "fingerprint": folder.name, "files": {}, "counts": {}}
    (folder / "manifest.json").write_text(json.dumps(manifest))
    return Corpus.open(folder)


@pytest.fixture(scope="session")
def make_corpus() -> Callable[[Path, dict[str, list[dict[str, str]]]], Corpus]:
    return write_corpus


@pytest.fixture
def corpus(tmp_path: Path) -> Corpus:
    rows = [
        {
            "id": f"doc{i}",
            "text": TEXTS[i % 5] * (1 + i % 3),
            "source": f"s{i % 2}",
            "domain": "prose" if i % 2 else "code",
        }
        for i in range(50)
    ]
    return write_corpus(tmp_path / "corpus", {"train": rows[:40], "validation": rows[40:]})


@pytest.fixture(scope="session")
def make_tokenizer() -> Callable[..., Tokenizer]:
    def make(folder: Path, algorithm: str = "bpe", style: str = "decoder", size: int = 330) -> Tokenizer:
        specials = SPECIALS[style]  # type: ignore[index]
        tokenizer = algorithms.create(algorithm, TEXTS * 20, size, list(specials.values()))()
        roles = finish(tokenizer, style)  # type: ignore[arg-type]
        folder.mkdir()
        write_folder(folder, tokenizer, roles)
        return Tokenizer.open(folder)

    return make
