"""What corpora say of documents, where token files know of it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from seedbed.core.errors import InputError
from seedbed.data.artifact import Tokens
from seedbed.data.metadata import values_of


def write(folder: Path, rows: list[str]) -> Tokens:
    """Tokens of a corpus with this metadata, as far as the metadata need them."""
    (folder / "corpus/data").mkdir(parents=True)
    (folder / "tokens").mkdir()
    table = {"id": [f"d{number}" for number in range(len(rows))], "metadata": rows}
    pq.write_table(pa.table(table), folder / "corpus/data/train-00000.parquet")
    common = {"format": 1, "files": {}, "counts": {}}
    corpus = {**common, "kind": "corpus", "fingerprint": "c"}
    inputs = {"corpus": {"path": "../corpus", "kind": "corpus", "fingerprint": "c"}}
    tokens = {**common, "kind": "tokens", "fingerprint": "t", "inputs": inputs}
    (folder / "corpus/manifest.json").write_text(json.dumps(corpus))
    (folder / "tokens/manifest.json").write_text(json.dumps(tokens))
    size = len(rows)
    split = {"first_document": 0, "first_token": 0, "documents": size, "tokens": 2 * size}
    facts = {
        "dtype": "<u2",
        "vocabulary": 9,
        "tokens": 2 * size,
        "tokenizer": {"digest": ""},
        "splits": {"train": split},
    }
    (folder / "tokens/tokens.json").write_text(json.dumps(facts))
    (folder / "tokens/tokens.bin").write_bytes(b"\1\0" * 2 * size)
    numbers: dict[str, Any] = {"offset": range(0, 2 * size, 2), "length": [2] * size, "bytes": [2] * size}
    pq.write_table(
        pa.table({name: list(column) for name, column in numbers.items()}), folder / "tokens/documents.parquet"
    )
    return Tokens.open(folder / "tokens")


def test_they_are_the_corpus_s(tmp_path: Path) -> None:
    file = write(tmp_path, ['{"story": 3}', "", '{"story": "a", "side": [1]}']).open("train")
    assert list(file.metadata) == [{"story": 3}, {}, {"story": "a", "side": [1]}] and file.metadata[1:2] == [{}]
    assert values_of(file, "metadata.story", "x") == [3, None, "a"]
    with pytest.raises(InputError, match=r"(?s)x: no document has this field.*metadata\.side.*metadata\.story"):
        values_of(file, "metadata.sotry", "x")
    for wrong in ("story", "metadata."):
        with pytest.raises(InputError, match="not a field"):
            values_of(file, wrong, "x")


def test_a_corpus_that_is_gone_is_named(tmp_path: Path) -> None:
    file = write(tmp_path, ['{"story": 3}']).open("train")
    (tmp_path / "corpus").rename(tmp_path / "elsewhere")
    with pytest.raises(InputError, match="no longer there"):
        list(file.metadata)
