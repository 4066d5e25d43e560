"""A path or glob of the user's own files, as a parameter: it must exist, and its contents count.

Relative paths are relative to the current folder. A step's fingerprint holds the hash of the contents and the names in
ids, so an edited file makes the step run again, and the same folder elsewhere does not: nor does the order of samples,
which hangs on fingerprints, depend on where data lie. Hashes are remembered by path, size and time of change.
"""

from __future__ import annotations

import functools
import glob
import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic_core import core_schema

from .errors import InputError
from .files import hash_file, list_files
from .fingerprint import digest
from .remote import Remote, is_remote, list_remote, split_wildcard


@dataclass(frozen=True)
class SourceFile:
    """One file of a source: its `name` in ids (relative to the folder given, with that folder's own name:
    `pubmed/part-1.jsonl`), its bytes, and where it lies.
    """

    name: str
    size: int
    place: Path | Remote


class Source(str):
    """A path, a folder or a glob, of this machine or of an S3 bucket; `listed` is what it stands for."""

    @property
    def files(self) -> list[Path]:
        """The files, sorted, of a source on this machine; of a folder all files below it that are not hidden."""
        if is_remote(self):
            raise InputError("", "files of this machine are wanted here", value=str(self))
        path = Path(self).expanduser()
        if path.is_file():
            return [path]
        if path.is_dir():
            return [p for p in list_files(path) if not any(part.startswith(".") for part in p.relative_to(path).parts)]
        return sorted(p for p in map(Path, glob.glob(str(path), recursive=True)) if p.is_file())

    @property
    def listed(self) -> list[SourceFile]:
        """The files, wherever they lie, in a fixed order."""
        root = self.root
        if is_remote(self):
            return [SourceFile(_name(file.path, root.as_posix()), file.size, file) for file in self._remote]
        return [SourceFile(_name(str(path), str(root)), path.stat().st_size, path) for path in self.files]

    @property
    def is_folder(self) -> bool:
        """Whether it takes all files below a folder, and not those that a path or glob names."""
        if is_remote(self):
            folder, pattern = split_wildcard(self)
            return not pattern and [file.path for file in self._remote] != [folder]
        return Path(self).expanduser().is_dir()

    @property
    def root(self) -> Path:
        """The folder that names of documents are relative to."""
        if is_remote(self):
            folder = Path(split_wildcard(self)[0])
            return folder if self.is_folder or split_wildcard(self)[1] else folder.parent
        path = Path(self).expanduser()
        if path.is_dir():
            return path
        fixed = Path(*_before_wildcard(path.parts))
        return fixed if fixed.is_dir() else fixed.parent

    @functools.cached_property
    def _remote(self) -> list[Remote]:
        return list_remote(self)

    def canonical(self) -> dict[str, Any]:
        """The contents of remote files count by their names, sizes and times of change."""
        if is_remote(self):
            return {"path": str(self), "contents": digest([[f.path, f.size, f.changed] for f in self._remote])}
        hashed = [[file.name, _remembered_hash(file.place)] for file in self.listed if isinstance(file.place, Path)]
        return {"path": str(self), "contents": digest(hashed)}

    @classmethod
    def parse(cls, value: Any) -> Source:
        if not isinstance(value, str | Path) or not str(value):
            raise InputError("", "expected a path or a glob", value=value)
        source = value if isinstance(value, Source) else cls(value)
        if is_remote(source):
            if not source._remote:
                raise InputError("", "no object has this name", value=str(value))
        elif not source.files:
            exists = Path(source).expanduser().exists()
            problem = "the folder holds no files" if exists else "no file has this path"
            raise InputError("", problem, value=str(value), fix=f"paths are relative to {os.getcwd()}")
        return source

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: Any) -> core_schema.CoreSchema:
        return core_schema.no_info_plain_validator_function(cls.parse)


def without_places(value: Any) -> Any:
    """A canonical value in which sources are their contents, wherever these lie."""
    if isinstance(value, dict):
        kept = {"contents": value["contents"]} if value.keys() == {"path", "contents"} else value
        return {key: without_places(item) for key, item in kept.items()}
    return [without_places(item) for item in value] if isinstance(value, list) else value


def _name(path: str, root: str) -> str:
    return (Path(Path(root).name) / Path(path).relative_to(root)).as_posix()


def _before_wildcard(parts: tuple[str, ...]) -> list[str]:
    fixed: list[str] = []
    for part in parts:
        if any(mark in part for mark in "*?["):
            break
        fixed.append(part)
    return fixed


_memory: dict[str, list[Any]] | None = None


def _cache_path() -> Path:
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "seedbed" / "hashes.json"


def _remembered_hash(path: Path) -> str:
    """A file's hash; read again only if its size or time of change differ. The memory is best effort."""
    global _memory
    if _memory is None:
        try:
            _memory = json.loads(_cache_path().read_text(encoding="utf8"))
        except (OSError, ValueError):
            _memory = {}
    assert _memory is not None
    status = path.stat()
    name, facts = str(path.resolve()), [status.st_size, status.st_mtime_ns]
    remembered = _memory.get(name)
    if remembered is None or remembered[:2] != facts:
        _memory[name] = [*facts, hash_file(path)]
    return str(_memory[name][2])


def remember_hashes() -> None:
    """Keep the hashes for the next process."""
    if not _memory:
        return
    try:
        path = _cache_path()
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = path.with_name(f"{path.name}.{os.getpid()}")
        temporary.write_text(json.dumps(_memory), encoding="utf8")
        os.replace(temporary, path)
    except OSError:
        pass  # only a memory: the next process hashes again
