"""Configurations and splits of a dataset repository, as its card or its folders tell them.

The card is README.md; between two lines `---` at its head stands YAML, whose `configs` name the files of each split by
globs, or a folder (Hugging Face, "Data files configuration"). Where it says nothing, `data/NAME-00000-of-00004...` is
of the split NAME, and else words in a path tell it.
"""

from __future__ import annotations

import glob
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from seedbed.core.errors import InputError, unknown_key

CARD = "README.md"
_HEAD = re.compile(r"\ufeff?---[ \t]*\r?\n(.*?)^---[ \t]*$", re.DOTALL | re.MULTILINE)
_LONGEST_CARD = 8 << 20
_SHARD = re.compile(r"(\w+(?:\.\w+)*)-\d{5}-of-\d{5}.*")
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


@dataclass(frozen=True)
class Configuration:
    """One of a card's: globs for each split, relative to `folder`; none where names and words tell the splits."""

    name: str
    folder: str = ""
    globs: dict[str, list[str]] | None = None
    is_default: bool = False


def configurations(root: Path) -> list[Configuration]:
    """Those that the card declares; none without a card."""
    try:
        with open(root / CARD, encoding="utf8", errors="replace") as file:
            match = _HEAD.match(file.read(_LONGEST_CARD))
    except OSError:
        return []
    import yaml

    try:
        told = yaml.safe_load(match[1]) if match else None
        rows = (told.get("configs") if isinstance(told, dict) else None) or []
        return [_configuration(row) for row in rows]
    except (yaml.YAMLError, AttributeError, KeyError, TypeError, ValueError, RecursionError) as error:
        problem = f"the head of {CARD} cannot be understood: {' '.join(str(error).split())}"
        raise InputError("path", problem, value=str(root), fix="mend or remove its 'configs'") from None


def chosen(known: Sequence[Configuration], name: str) -> Configuration | None:
    """The one of this name, or without one the default; None where the card declares none."""
    if not known:
        return None
    found = [one for one in known if one.name == name] if name else _default(known)
    if found:
        return found[0]
    names = [one.name for one in known]
    if name:
        raise unknown_key("config", name, names, "configuration")
    raise InputError("config", "the dataset has several configurations, and none is the default", allowed=names)


def files_by_split(root: Path, files: Sequence[Path], configuration: Configuration | None) -> dict[str, list[Path]]:
    """Those of the files that a configuration takes, in order; of files below `root` without one all."""
    folder = root / configuration.folder if configuration else root
    known = {path.relative_to(folder).as_posix(): path for path in files if path.is_relative_to(folder)}
    found: dict[str, list[Path]] = {}
    if configuration is None or configuration.globs is None:
        for name, path in known.items():
            found.setdefault(_split_of(PurePosixPath(name)), []).append(path)
        return found
    for split, patterns in configuration.globs.items():
        # What lies outside of the folder, or is hidden, is not among the known ones.
        names = [name for pattern in patterns for name in sorted(glob.glob(pattern, root_dir=folder, recursive=True))]
        places = dict.fromkeys(PurePosixPath(Path(name).as_posix()).as_posix() for name in names)
        found[split] = [known[name] for name in places if name in known]
    return found


def _configuration(row: Any) -> Configuration:
    stated, globs = row.get("data_files"), None
    if isinstance(stated, str) or (isinstance(stated, list) and all(isinstance(item, str) for item in stated)):
        globs = {"train": _several(stated)}
    elif stated is not None:
        globs = {str(item["split"]): _several(item["path"]) for item in stated}
    folder = PurePosixPath(str(row.get("data_dir") or ""))
    if folder.is_absolute() or ".." in folder.parts:
        raise ValueError(f"data_dir leads out of the dataset: {folder}")
    return Configuration(str(row["config_name"]), folder.as_posix(), globs, row.get("default") is True)


def _several(stated: Any) -> list[str]:
    return [stated] if isinstance(stated, str) else [str(item) for item in stated]


def _default(known: Sequence[Configuration]) -> Sequence[Configuration]:
    marked = [one for one in known if one.is_default] or [one for one in known if one.name == "default"]
    return marked or (known if len(known) == 1 else [])


def _split_of(path: PurePosixPath) -> str:
    """Of a path relative to the configuration's folder."""
    shard = _SHARD.fullmatch(path.name) if path.parts[:-1] == ("data",) else None
    if shard:
        return shard[1]
    for word in re.findall(r"[a-z]+", path.as_posix().lower()):
        if word in _SPLIT_WORDS:
            return _SPLIT_WORDS[word]
    return "train"
