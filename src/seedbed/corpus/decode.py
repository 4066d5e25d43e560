"""Bytes to lines, for files that may be compressed, truncated or broken: all that is whole comes out.

A line that is not UTF-8 costs that line; a stream that ends early or is corrupt costs what lies behind the break.
"""

from __future__ import annotations

import bz2
import lzma
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from seedbed.core.errors import InputError
from seedbed.core.source import Source

from .documents import Unreadable

_READ = 1 << 20
_READ_COMPRESSED = 1 << 14  # what a corrupt place costs at most before it


class BrokenStream(Exception):
    """The bytes cannot be had, or not all of them; the message says why."""


def _zstd() -> Any:
    import zstandard

    return zstandard.ZstdDecompressor().decompressobj()


# Suffix -> a new decompressor of one stream, with `decompress`, `eof` and `unused_data`. Files may hold several
# streams one after the other.
_DECOMPRESSORS: dict[str, Callable[[], Any]] = {
    ".gz": lambda: zlib.decompressobj(zlib.MAX_WBITS | 16),
    ".bz2": bz2.BZ2Decompressor,
    ".xz": lzma.LZMADecompressor,
    ".zst": _zstd,
}


def kind_of(path: Path) -> str:
    """The extension that tells the format: `.jsonl` of `a.jsonl.zst`, in lower case."""
    suffixes = [suffix.lower() for suffix in path.suffixes]
    if suffixes and suffixes[-1] in _DECOMPRESSORS:
        suffixes.pop()
    return suffixes[-1] if suffixes else ""


def select_files(source: Source, extensions: tuple[str, ...]) -> list[Path]:
    """The files of a source, sorted; of a folder only those with a known extension."""
    if not Path(source).expanduser().is_dir():
        return source.files
    files = [path for path in source.files if kind_of(path) in extensions]
    if not files:
        found = sorted({kind_of(path) or path.name for path in source.files})
        raise InputError(
            "path",
            f"the folder holds none of the files that this reader takes, but {', '.join(found[:8])}",
            value=str(source),
            allowed=extensions,
            fix="a glob such as 'folder/*.log' takes files of any name",
        )
    return files


def name_of(source: Source, path: Path) -> str:
    """A file's name in ids: relative to the folder given, with that folder's own name (`pubmed/part-1.jsonl`)."""
    relative = path.relative_to(source.root)
    return (Path(source.root.name) / relative).as_posix()


def chunks(path: Path) -> Iterator[bytes]:
    """The decompressed bytes of a file, in pieces. Raises BrokenStream where they end too early."""
    make = _DECOMPRESSORS.get(path.suffix.lower())
    try:
        with open(path, "rb") as file:
            if make is None:
                while data := file.read(_READ):
                    yield data
            else:
                yield from _decompressed(file, make)
    except BrokenStream:
        raise
    except EOFError:
        raise BrokenStream(f"the {path.suffix} stream is truncated") from None
    except OSError as error:
        raise BrokenStream(str(error.strerror or error)) from None
    except Exception as error:  # every decompressor has an exception class of its own
        raise BrokenStream(f"the {path.suffix} stream is corrupt: {error}") from None


def _decompressed(file: Any, make: Callable[[], Any]) -> Iterator[bytes]:
    stream, started = make(), False
    while data := file.read(_READ_COMPRESSED):
        while data:
            if stream.eof:
                data = data.lstrip(b"\0")  # padding between streams is allowed
                if not data:
                    break
                stream = make()
            started = True
            piece = stream.decompress(data)
            data = stream.unused_data if stream.eof else b""
            if piece:
                yield piece
    if not started or not stream.eof:
        raise EOFError


def lines(path: Path) -> Iterator[tuple[int, str] | Unreadable]:
    """The numbered lines of a UTF-8 file without their ends (`\\n` or `\\r\\n`); an Unreadable for each broken one."""
    number, pending = 0, []
    try:
        for chunk in chunks(path):
            if b"\n" not in chunk:
                pending.append(chunk)
                continue
            first, *rest = chunk.split(b"\n")
            *whole, last = [b"".join([*pending, first]), *rest]
            pending = [last]
            for raw in whole:
                number += 1
                yield _decoded(raw, number, path)
    except BrokenStream as error:
        # What had no line end is not known to be whole.
        yield Unreadable(str(path), number + 1, str(error))
        return
    raw = b"".join(pending)
    if raw:
        yield _decoded(raw, number + 1, path)


def _decoded(raw: bytes, number: int, path: Path) -> tuple[int, str] | Unreadable:
    if number == 1:
        raw = raw.removeprefix(b"\xef\xbb\xbf")
    try:
        return number, raw.removesuffix(b"\r").decode("utf8")
    except UnicodeDecodeError as error:
        return Unreadable(str(path), number, f"not UTF-8: {error.reason} at byte {error.start} of the line")
