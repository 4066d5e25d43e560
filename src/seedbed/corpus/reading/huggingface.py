"""Hugging Face datasets on disk."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from seedbed.core.errors import InputError, unknown_key
from seedbed.core.files import read_json
from seedbed.core.source import Source
from seedbed.corpus import readers
from seedbed.corpus.documents import Document, Unreadable
from seedbed.corpus.input.files import InputFile, extension_of
from seedbed.corpus.input.records import STREAMS, Fields, documents_of

# The words by which the hub's own rules tell a split from a file's path.
_SPLIT_WORDS = {
    "train": "train",
    "training": "train",
    "validation": "validation",
    "valid": "validation",
    "val": "validation",
    "dev": "validation",
    "test": "test",
    "testing": "test",
    "eval": "test",
    "evaluation": "test",
}


@readers.register("huggingface")
class HuggingFace:
    """A dataset folder as Hugging Face's `datasets` keeps it; nothing is downloaded, no code of it is run.

    Read are: what `save_to_disk` writes (a dataset, or a dictionary of splits), and a repository's clone with
    Parquet, JSON Lines or CSV files, whose split is told by the words in their paths (`data/train-00000.parquet`);
    files that name no split count as `train`. Fields are used as by the reader `jsonl`.
    """

    def __init__(
        self,
        path: Source,
        split: str = "train",
        text: str | list[str] = "text",
        id: str = "id",
        domain: str = "",
        license: str = "",
    ) -> None:
        self.path = Source.parse(path)
        if not Path(self.path).expanduser().is_dir():
            raise InputError("path", "is no folder", value=str(path))
        self.split = split
        self.fields = Fields.of(text, id, domain, license)

    def __iter__(self) -> Iterator[Document | Unreadable]:
        root = self.path.root
        for path in self._files(root):
            name = (Path(root.name) / path.relative_to(root)).as_posix()
            file = InputFile.at(path, name)
            yield from documents_of(STREAMS[file.extension](file), self.fields, file)

    def _files(self, root: Path) -> list[Path]:
        if (root / "dataset_dict.json").is_file():
            splits = read_json(root / "dataset_dict.json").get("splits", [])
            if self.split not in splits:
                raise unknown_key("split", self.split, splits, "split")
            return _saved(root / self.split)
        if (root / "state.json").is_file():
            return _saved(root)
        by_split: dict[str, list[Path]] = {}
        for path in self.path.files:
            if extension_of(path.name) in STREAMS and path.name not in ("dataset_info.json", "dataset_infos.json"):
                by_split.setdefault(_split_of(path.relative_to(root)), []).append(path)
        if not by_split:
            raise InputError("path", "the folder holds no data files", value=str(root), allowed=sorted(STREAMS))
        if self.split not in by_split:
            raise unknown_key("split", self.split, by_split, "split")
        return by_split[self.split]


def _saved(folder: Path) -> list[Path]:
    """The files of a saved dataset, in its own order."""
    try:
        state = read_json(folder / "state.json")
        files = [folder / row["filename"] for row in state["_data_files"]]
    except (OSError, ValueError, KeyError, TypeError):
        raise InputError(
            "path", "is not a whole saved dataset: state.json is missing or broken", value=folder
        ) from None
    lost = [path.name for path in files if not path.is_file()]
    if lost:
        raise InputError("path", f"the saved dataset lacks {', '.join(lost[:3])}", value=str(folder))
    if state.get("_indices_files"):
        raise InputError(
            "path", "a selection of rows was saved, not the rows", value=folder, fix="save after flatten_indices()"
        )
    return files


def _split_of(path: Path) -> str:
    for word in re.findall(r"[a-z]+", path.as_posix().lower()):
        if word in _SPLIT_WORDS:
            return _SPLIT_WORDS[word]
    return "train"
