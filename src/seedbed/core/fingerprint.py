"""Fingerprints: hashes of what a result depends on."""

from __future__ import annotations

import inspect
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import xxhash

from .files import hash_file, list_files


def digest(value: Any) -> str:
    """The hash of a JSON value, independent of the order of keys."""
    text = json.dumps(value, sort_keys=True, ensure_ascii=False, separators=(",", ":"), allow_nan=True)
    return xxhash.xxh3_128_hexdigest(text.encode())


def files_digest(paths: Iterable[Path], root: Path | None = None) -> str:
    """The hash of files' names (below `root`) and contents."""
    rows = [[str(path.relative_to(root) if root else path.name), hash_file(path)] for path in sorted(paths)]
    return digest(rows)


def folder_digest(folder: Path) -> str:
    return files_digest(list_files(folder), folder)


def source_digest(targets: Iterable[Any]) -> str:
    """The hash of the source files that define the given functions and classes."""
    paths = {Path(inspect.getsourcefile(inspect.unwrap(target)) or "") for target in targets}
    return digest(sorted([path.name, hash_file(path)] for path in paths if path.is_file()))
