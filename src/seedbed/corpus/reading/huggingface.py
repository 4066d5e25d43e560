"""Hugging Face datasets on disk."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from seedbed.core.errors import InputError, unknown_key
from seedbed.core.files import read_json
from seedbed.core.source import Source
from seedbed.corpus import readers
from seedbed.corpus.documents import Document, Unreadable
from seedbed.corpus.input.dataset_cards import chosen, configurations, files_by_split
from seedbed.corpus.input.files import InputFile, extension_of
from seedbed.corpus.input.records import STREAMS, Fields, documents_of

_NO_DATA = ("config.json", "dataset_info.json", "dataset_infos.json", "dataset_dict.json", "state.json")


@readers.register("huggingface", version=3)
class HuggingFace:
    """A dataset folder as Hugging Face's `datasets` keeps it; nothing is downloaded, no code of it is run.

    Read are: what `save_to_disk` writes (a dataset, or a dictionary of splits), and a repository's clone with
    Parquet, Arrow, JSON Lines or CSV files. `config` is one of the configurations in the head of the dataset's card
    (README.md), which says what the files of its splits are; without it the card's default. Of a dataset whose card
    declares none, it is a folder. Where the card does not tell the splits, `data/NAME-00000-of-00004.parquet` is of
    the split NAME, and else words in the paths tell it (`test/part.jsonl`); files that name no split count as `train`.
    Fields are used as by the reader `jsonl`.
    """

    def __init__(
        self,
        path: Source,
        split: str = "train",
        config: str = "",
        text: str | list[str] = "text",
        id: str = "id",
        domain: str = "",
        license: str = "",
    ) -> None:
        self.path = Source.parse(path)
        if not Path(self.path).expanduser().is_dir():
            raise InputError("path", "is no folder", value=str(path))
        self.split, self.config = split, config
        self.fields = Fields.of(text, id, domain, license)

    def __iter__(self) -> Iterator[Document | Unreadable]:
        root = self.path.root
        for path in self._files(root):
            name = (Path(root.name) / path.relative_to(root)).as_posix()
            file = InputFile.at(path, name)
            yield from documents_of(STREAMS[file.extension](file), self.fields, file)

    def _files(self, root: Path) -> list[Path]:
        configuration = chosen(configurations(root), self.config)
        if self.config and configuration is None:
            folders = {path.relative_to(root).parts[0] for path in self.path.files if path.parent != root}
            if self.config not in folders:
                raise unknown_key("config", self.config, folders, "configuration")
            root = root / self.config
        if (root / "dataset_dict.json").is_file():
            splits = _splits(root / "dataset_dict.json")
            if self.split not in splits:
                raise unknown_key("split", self.split, splits, "split")
            return _saved(root / self.split)
        if (root / "state.json").is_file():
            return _saved(root)
        files = [path for path in self.path.files if extension_of(path.name) in STREAMS and path.name not in _NO_DATA]
        by_split = files_by_split(root, files, configuration)
        if not by_split:
            raise InputError("path", "the folder holds no data files", value=str(root), allowed=sorted(STREAMS))
        if self.split not in by_split:
            raise unknown_key("split", self.split, by_split, "split")
        if not by_split[self.split]:
            named = f"of split {self.split} that its card names"
            problem = f"the dataset has none of the files {named}, or none in a format that is read"
            raise InputError("path", problem, value=str(root), allowed=sorted(STREAMS))
        return by_split[self.split]


def _splits(path: Path) -> list[str]:
    try:
        return [str(split) for split in read_json(path)["splits"]]
    except (OSError, ValueError, KeyError, TypeError):
        raise InputError("path", f"is not a whole saved dataset: {path.name} is broken", value=str(path)) from None


def _saved(folder: Path) -> list[Path]:
    """The files of a saved dataset, in its own order."""
    try:
        state = read_json(folder / "state.json")
        names = [str(row["filename"]) for row in state["_data_files"]]
    except (OSError, ValueError, KeyError, TypeError):
        raise InputError(
            "path", "is not a whole saved dataset: state.json is missing or broken", value=folder
        ) from None
    if outside := [name for name in names if Path(name).name != name]:
        raise InputError("path", f"the saved dataset names a file that is not in it: {outside[0]}", value=str(folder))
    files = [folder / name for name in names]
    lost = [path.name for path in files if not path.is_file()]
    if lost:
        raise InputError("path", f"the saved dataset lacks {', '.join(lost[:3])}", value=str(folder))
    if state.get("_indices_files"):
        raise InputError(
            "path", "a selection of rows was saved, not the rows", value=folder, fix="save after flatten_indices()"
        )
    return files
