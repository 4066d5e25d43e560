"""Files that exist whole or not at all: temporary name, fsync, rename."""

from __future__ import annotations

import contextlib
import errno
import json
import math
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import xxhash

from .errors import StorageError

_CHUNK = 1 << 20


@contextlib.contextmanager
def storage_errors(path: Path | str) -> Iterator[None]:
    """Turn what the file system says into one clear error."""
    try:
        yield
    except OSError as error:
        reasons = {
            errno.ENOSPC: ("no space left on the device", "free some space, or choose another place with --runs"),
            errno.EFBIG: ("the file is larger than this process may write", "raise the limit (ulimit -f)"),
            errno.EDQUOT: ("the disk quota is used up", "free some space, or choose another place with --runs"),
            errno.EROFS: ("the file system is read-only", "choose another place with --runs"),
            errno.EACCES: (
                "no permission to write here",
                "choose another place with --runs, or change its permissions",
            ),
            errno.EPERM: ("no permission to write here", "choose another place with --runs, or change its permissions"),
        }
        if error.errno not in reasons:
            raise
        problem, fix = reasons[error.errno]
        raise StorageError(str(error.filename or path), problem, fix=fix) from error


def write_bytes(path: Path, content: bytes) -> None:
    """Write a file whole: temporary neighbor, fsync, rename."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    with storage_errors(path):
        try:
            with open(temporary, "wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            os.replace(temporary, path)
        except OSError:
            with contextlib.suppress(OSError):
                temporary.unlink()
            raise
        sync_folder(path.parent)


def write_json(path: Path, value: Any) -> None:
    write_bytes(path, (json.dumps(value, indent=2, ensure_ascii=False) + "\n").encode())


def finite(value: Any) -> Any:
    """A value with None in place of numbers that JSON does not know (NaN, infinities)."""
    if isinstance(value, dict):
        return {key: finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [finite(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def read_json(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf8"))


def sync_folder(folder: Path) -> None:
    """Make the names in a folder durable."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def sync_tree(folder: Path) -> None:
    """fsync every file below a folder, and the folders."""
    with storage_errors(folder):
        for root, _, names in os.walk(folder):
            for name in names:
                descriptor = os.open(os.path.join(root, name), os.O_RDONLY)
                try:
                    os.fsync(descriptor)
                finally:
                    os.close(descriptor)
            sync_folder(Path(root))


def hash_file(path: Path) -> str:
    """The 128-bit xxh3 of a file's bytes, in hex."""
    digest = xxhash.xxh3_128()
    with open(path, "rb") as file:
        while chunk := file.read(_CHUNK):
            digest.update(chunk)
    return digest.hexdigest()


def list_files(folder: Path) -> list[Path]:
    """All files below a folder, sorted by relative path."""
    return sorted(path for path in folder.rglob("*") if path.is_file())
