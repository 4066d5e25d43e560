"""A corpus: Parquet files of documents by split, what was dropped and why, what could not be read."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from seedbed.core.artifact import Artifact
from seedbed.core.errors import unknown_key

if TYPE_CHECKING:
    from daft import DataFrame

_DATA_FILE = re.compile(r"(?P<split>.+)-(?P<part>\d{5})\.parquet")
HELD_OUT_SPLITS = ("validation", "test")  # nothing learns from them
_ORDER = ("train", *HELD_OUT_SPLITS)


class Corpus(Artifact):
    """data/<split>-00000.parquet, dropped/ and edited/<nn>-<step>-00000.parquet, quarantine.jsonl.

    `counts`: `read`, `kept` (documents, bytes), `quarantined` (documents, and kinds of reasons), `dropped` and `edited`
    (by step: bytes that went with documents, and out of documents that stay, which may be negative), `splits`,
    `domains`, `renamed` (documents whose id was taken), `passed` (records that readers left out on purpose, by reason),
    `notes` (what steps have to say of how they went).
    """

    kind = "corpus"

    def splits(self) -> list[str]:
        """The names of the splits: train, validation, test first, then others by name."""
        found = {match["split"] for match in map(_matched, self._files("data")) if match}
        return sorted(found, key=lambda split: (_ORDER.index(split) if split in _ORDER else len(_ORDER), split))

    def frame(self, split: str = "train") -> DataFrame:
        """The documents of one split as a Daft frame."""
        from .engine import daft

        return daft.read_parquet([str(path) for path in self.files(split)])

    def all_documents(self, columns: Sequence[str]) -> DataFrame:
        """These columns of the documents of all splits as a Daft frame."""
        from .engine import daft

        files = [str(path) for split in self.splits() for path in self.files(split)]
        return daft.read_parquet(files).select(*columns)

    def documents(self, split: str = "train", columns: Sequence[str] | None = None) -> Iterator[dict[str, Any]]:
        """The documents in their fixed order (by id), as dictionaries; `columns` leaves out what is not needed.

        `metadata` is a JSON string.
        """
        import pyarrow.parquet as pq

        for path in self.files(split):
            with pq.ParquetFile(path) as file:
                known = file.schema_arrow.names
                for column in columns or ():
                    if column not in known:
                        raise unknown_key(str(self.path), column, known, "column")
                for batch in file.iter_batches(batch_size=512, columns=list(columns) if columns else None):
                    yield from batch.to_pylist()

    def num_documents(self, split: str = "train") -> int:
        return self._size(split, "documents")

    def num_bytes(self, split: str = "train") -> int:
        """Bytes of UTF-8 text in one split."""
        return self._size(split, "bytes")

    def dropped(self) -> Iterator[dict[str, Any]]:
        """What curation removed, step by step, with the columns `step` and `reason`."""
        return self._rows("dropped")

    def edited(self) -> Iterator[dict[str, Any]]:
        """What curation took out of texts that stay: `id`, `step`, `edits` (pairs of why, and the text)."""
        for row in self._rows("edited"):
            yield row | {"edits": [tuple(edit) for edit in json.loads(row["edits"])]}

    def quarantine(self) -> Iterator[dict[str, Any]]:
        """What could not be read: file, line, reason; `count` where a row stands for many."""
        path = self.path / "quarantine.jsonl"
        if path.is_file():
            with open(path, encoding="utf8") as file:
                yield from map(json.loads, file)

    def files(self, split: str) -> list[Path]:
        """The Parquet files of one split, in order. Raises InputError if there is no such split."""
        paths = [path for path in self._files("data") if (match := _matched(path)) and match["split"] == split]
        if not paths:
            raise unknown_key(str(self.path), split, self.splits(), "split")
        return paths

    def _files(self, folder: str) -> list[Path]:
        return sorted((self.path / folder).glob("*.parquet"))

    def _rows(self, folder: str) -> Iterator[dict[str, Any]]:
        import pyarrow.parquet as pq

        for path in self._files(folder):
            with pq.ParquetFile(path) as file:
                for batch in file.iter_batches(batch_size=512):
                    yield from batch.to_pylist()

    def _size(self, split: str, what: str) -> int:
        counted = self.counts.get("splits", {}).get(split)
        return int(counted[what]) if counted else self._measured(split)[what]

    def _measured(self, split: str) -> dict[str, int]:
        """Counts from the files, for a folder without a manifest."""
        import pyarrow.compute as pc
        import pyarrow.parquet as pq

        num_documents = num_bytes = 0
        for path in self.files(split):
            with pq.ParquetFile(path) as file:
                for batch in file.iter_batches(columns=["text"]):
                    num_documents += batch.num_rows
                    num_bytes += pc.sum(pc.binary_length(batch.column("text"))).as_py() or 0
        return {"documents": num_documents, "bytes": num_bytes}


def _matched(path: Path) -> re.Match[str] | None:
    return _DATA_FILE.fullmatch(path.name)
