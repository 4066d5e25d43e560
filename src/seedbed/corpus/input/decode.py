"""Bytes to more bytes and to lines, for streams that may be compressed, truncated, broken or made to harm: all that is
whole comes out.

A line that is not UTF-8 costs that line; a stream that ends early or is corrupt costs what lies behind the break.
Memory: a line (`Limits.record`) and some MB; a compressed stream that was made to harm can take 128 MB in one step.
"""

from __future__ import annotations

import bz2
import lzma
import zlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from seedbed.core.errors import InputError
from seedbed.corpus.documents import Unreadable

_STEP = 1 << 12  # decompressed at once: 4 kB of zstd may hold 128 MB, and a corrupt place costs this much before it
_GATHERED = 1 << 18
_XZ_MEMORY = 1 << 28


@dataclass(frozen=True)
class Limits:
    """What one record and one stored file may come to, in bytes; what is more goes to the quarantine.

    `record` bounds a line, a page, a document; `expanded` what a compressed file or an archive expands to, and `ratio`
    the same in multiples of its size on disk (text seldom reaches 30, a gzip bomb 1000), but for the first `always`.
    """

    record: int = 64 << 20
    ratio: int = 300
    expanded: int = 1 << 40
    always: int = 256 << 20


LIMITS = Limits()


class BrokenStream(Exception):
    """The bytes cannot be had, or not all of them; the message says why."""


class Meter:
    """Counts what comes out of one stored file, through all layers of compression; BrokenStream beyond the limits."""

    def __init__(self, limits: Limits, packed: int) -> None:
        self.limits, self.packed, self.total = limits, packed, 0

    def add(self, size: int) -> None:
        self.total += size
        if self.total > self.limits.expanded:
            raise BrokenStream(f"expands to more than {self.limits.expanded} bytes")
        if self.total > max(self.limits.always, self.limits.ratio * self.packed):
            raise BrokenStream(f"expands to more than {self.limits.ratio} times its size: a decompression bomb?")


def _zstd() -> Any:
    import zstandard

    return zstandard.ZstdDecompressor(max_window_size=1 << 27).decompressobj()


# Suffix -> a new decompressor of one stream, with `decompress`, `eof` and `unused_data`. Files may hold several
# streams one after the other.
DECOMPRESSORS: dict[str, Callable[[], Any]] = {
    ".gz": lambda: zlib.decompressobj(zlib.MAX_WBITS | 16),
    ".bz2": bz2.BZ2Decompressor,
    ".xz": lambda: lzma.LZMADecompressor(memlimit=_XZ_MEMORY),
    ".zst": _zstd,
}


def decompressed(packed: Iterable[bytes], suffix: str, meter: Meter) -> Iterator[bytes]:
    """The streams in `packed`, decompressed, in pieces. Raises BrokenStream where they end too early."""
    ready: list[bytes] = []
    size = 0
    try:
        for piece in _pieces(packed, DECOMPRESSORS[suffix]):
            ready.append(piece)
            size += len(piece)
            meter.add(len(piece))
            if size >= _GATHERED:
                yield b"".join(ready)
                ready, size = [], 0
    except BrokenStream as error:
        broken: str | None = str(error)
    except InputError:  # the bytes could not be fetched, which says nothing about them
        raise
    except EOFError:
        broken = f"the {suffix} stream is truncated"
    except Exception as error:  # every decompressor has an exception class of its own
        broken = f"the {suffix} stream is corrupt: {error}"
    else:
        broken = None
    if ready:
        yield b"".join(ready)
    if broken is not None:
        raise BrokenStream(broken)


def _pieces(packed: Iterable[bytes], make: Callable[[], Any]) -> Iterator[bytes]:
    stream, started = make(), False
    for block in packed:
        for start in range(0, len(block), _STEP):
            data = block[start : start + _STEP]
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


def numbered_lines(chunks: Iterable[bytes], where: str, limit: int) -> Iterator[tuple[int, str] | Unreadable]:
    """The numbered lines of UTF-8 bytes without their ends (`\\n` or `\\r\\n`); an Unreadable for each broken one, for
    one of more than `limit` bytes, and for a break of the stream.
    """
    number, pending, held = 1, [], 0  # the line that is not yet whole; its bytes, kept or not
    try:
        for chunk in chunks:
            first, *rest = chunk.split(b"\n")
            held += len(first)
            if held <= limit:
                pending.append(first)
            else:
                pending = []
            if not rest:
                continue
            yield _line(b"".join(pending), held, number, where, limit)
            number += 1
            *whole, last = rest
            for raw in whole:
                yield _line(raw, len(raw), number, where, limit)
                number += 1
            pending, held = [last], len(last)
    except BrokenStream as error:
        # What had no line end is not known to be whole.
        yield Unreadable(where, number if held or number > 1 else 0, str(error))
        return
    if held:
        yield _line(b"".join(pending), held, number, where, limit)


def _line(raw: bytes, size: int, number: int, where: str, limit: int) -> tuple[int, str] | Unreadable:
    if size > limit:
        return Unreadable(where, number, f"a line of more than {limit} bytes: {size}")
    if number == 1:
        raw = raw.removeprefix(b"\xef\xbb\xbf")
    try:
        return number, raw.removesuffix(b"\r").decode("utf8")
    except UnicodeDecodeError as error:
        return Unreadable(where, number, f"not UTF-8: {error.reason} at byte {error.start} of the line")
