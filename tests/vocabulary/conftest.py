"""Corpora of generated prose and of Python's own library (code with indentation)."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from seedbed.corpus.artifact import Corpus


def prose(seed: int, number: int) -> list[str]:
    """Documents of made-up words with Zipf's frequencies, some capitals, accents and punctuation."""
    rng = np.random.default_rng(seed)
    starts, middles = ["b", "k", "str", "m", "p", "fl", "é", "sh"], ["a", "o", "ei", "u", "ü"]
    lexicon = [
        "".join(starts[rng.integers(8)] + middles[rng.integers(5)] for _ in range(rng.integers(1, 4)))
        for _ in range(400)
    ]
    texts = []
    for _ in range(number):
        words = [lexicon[min(int(rank), 400) - 1] for rank in rng.zipf(1.3, rng.integers(5, 60))]
        words = [word.capitalize() if rng.random() < 0.1 else word for word in words]
        texts.append(" ".join(word + ("," if rng.random() < 0.1 else "") for word in words) + ".\n")
    return texts


def code() -> list[str]:
    folder = Path(json.__file__).parent
    return [path.read_text(encoding="utf8") for path in sorted(folder.glob("*.py"))]


def write_corpus(folder: Path, splits: dict[str, list[dict[str, str]]]) -> Corpus:
    (folder / "data").mkdir(parents=True)
    for split, rows in splits.items():
        table = {name: [row.get(name, "") for row in rows] for name in ("id", "text", "source", "domain")}
        pq.write_table(
            pa.table(table, schema=pa.schema([(n, pa.string()) for n in table])),
            folder / "data" / f"{split}-00000.parquet",
        )
    manifest = {"format": 1, "kind": "corpus", "fingerprint": folder.name, "files": {}, "counts": {}}
    (folder / "manifest.json").write_text(json.dumps(manifest))
    return Corpus.open(folder)


@pytest.fixture(scope="session")
def texts() -> list[str]:
    return prose(0, 400) + code()


@pytest.fixture(scope="session")
def make_corpus() -> Callable[[Path, dict[str, list[dict[str, str]]]], Corpus]:
    return write_corpus


@pytest.fixture
def corpus(tmp_path: Path) -> Corpus:
    """Two domains in train and validation."""

    def rows(split: str, seed: int, number: int) -> list[dict[str, str]]:
        found = [
            {"id": f"{split}-p{i}", "text": text, "source": "made", "domain": "prose"}
            for i, text in enumerate(prose(seed, number))
        ]
        found += [
            {"id": f"{split}-c{i}", "text": text, "source": "python", "domain": "code"} for i, text in enumerate(code())
        ]
        return found

    return write_corpus(tmp_path / "corpus", {"train": rows("train", 1, 300), "validation": rows("validation", 2, 40)})
