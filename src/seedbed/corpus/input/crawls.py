"""The records of a WARC file (ISO 28500), one at a time; what is broken costs the record that it is in.

Gzip members that are corrupt are passed over up to the next one that begins a record; a record whose length leads
nowhere, up to the next place that looks like the start of one. FastWARC, which parses the records, has neither: it
stops at the first. Memory: one record (`Limits.record`), and the packed bytes of one gzip member.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Iterator
from pathlib import PurePosixPath

from seedbed.corpus.documents import Unreadable

from .decode import BrokenStream, Meter
from .files import InputFile

_GZIP = b"\x1f\x8b\x08"
_STEP = 1 << 12  # packed bytes at once: at most 4 MB come out
_START, _NEXT = b"WARC/", b"\nWARC/"
_LONGEST_HEADER = 1 << 16
_TYPE = re.compile(rb"^WARC-Type:[ \t]*([a-z]+)", re.IGNORECASE | re.MULTILINE)
_LENGTH = re.compile(rb"^Content-Length:[ \t]*(\d{1,15})[ \t]*\r?$", re.IGNORECASE | re.MULTILINE)


def warc_records(file: InputFile, types: frozenset[bytes]) -> Iterator[tuple[int, bytes] | Unreadable]:
    """The whole records of these types with their numbers in the file, from 1."""
    packed = PurePosixPath(file.name).suffix.lower() == ".gz"
    window = _Window(_members(file) if packed else _plain(file))
    limit = file.limits.record
    number = 0
    while True:
        number += 1
        if not window.begin():
            if not window.broken:
                return
            yield Unreadable(file.where, number, window.broken)
            window.resume()
            continue
        header = window.header()
        length, kind = _LENGTH.search(header), _TYPE.search(header)
        wanted = kind is not None and kind[1].lower() in types
        size = len(header) + int(length[1]) if length else 0
        if size > limit:
            if wanted:
                yield Unreadable(file.where, number, f"a record of more than {limit} bytes")
            window.skip(size)
        elif length and window.fill(size) and window.is_end(size):
            if wanted:
                yield number, bytes(window.held[:size])
            window.skip(size)
        elif window.broken and len(window.held) < size:
            number -= 1  # the break is told when what is whole before it has been used up
            window.seek(len(header))
        else:
            yield Unreadable(file.where, number, "no whole record where one should begin")
            window.seek(max(len(header), 1))


class _Window:
    """What has been read and not used up, which ends where bytes are missing; `broken` then says why."""

    def __init__(self, pieces: Iterator[bytes | BrokenStream]) -> None:
        self.pieces, self.held, self.broken = pieces, bytearray(), ""
        self._ended = False

    def resume(self) -> None:
        """Behind the break."""
        self.broken = ""

    def begin(self) -> bool:
        """Pass over what parts records; is anything left before the end or a break?"""
        self.held = self.held.lstrip(b"\r\n\0")
        while not self.held and self._read():
            self.held = self.held.lstrip(b"\r\n\0")
        return bool(self.held)

    def _read(self) -> bool:
        piece = None if self.broken or self._ended else next(self.pieces, None)
        if isinstance(piece, BrokenStream):
            self.broken = str(piece)
        elif piece is not None:
            self.held += piece
            return True
        self._ended = not self.broken
        return False

    def fill(self, size: int) -> bool:
        """Are there so many bytes?"""
        while len(self.held) < size and self._read():
            pass
        return len(self.held) >= size

    def header(self) -> bytes:
        """The record's header with the blank line below it; empty if none begins here, or it has no end."""
        searched = 0
        while self.fill(len(_START)) and self.held.startswith(_START):
            end = self.held.find(b"\r\n\r\n", searched, _LONGEST_HEADER)
            if end >= 0:
                return bytes(self.held[: end + 4])
            searched = max(0, len(self.held) - 3)
            if len(self.held) > _LONGEST_HEADER or not self.fill(len(self.held) + 1):
                break
        return b""

    def is_end(self, size: int) -> bool:
        """Does a record end there: by two line ends, or else by the next record, or the end of what is whole?"""
        self.fill(size + 4 + len(_START))
        after = bytes(self.held[size : size + 4 + len(_START)])
        if after.startswith(b"\r\n\r\n"):
            return True
        after = after.lstrip(b"\r\n")
        return _START.startswith(after) or after.startswith(_START)

    def skip(self, size: int) -> None:
        while size > len(self.held):
            size -= len(self.held)
            self.held.clear()
            if not self._read():
                return
        del self.held[:size]

    def seek(self, start: int) -> None:
        """To the next place behind `start` where a record seems to begin, or to the end."""
        while (found := self.held.find(_NEXT, start)) < 0:
            start = 0
            del self.held[: max(0, len(self.held) - len(_NEXT))]
            if not self._read():
                self.held.clear()
                return
        del self.held[: found + 1]


def _plain(file: InputFile) -> Iterator[bytes | BrokenStream]:
    try:
        yield from file.chunks()
    except BrokenStream as error:
        yield error


def _members(file: InputFile) -> Iterator[bytes | BrokenStream]:
    """The content of gzip members, and a BrokenStream where some is missing."""
    meter = file.meter or Meter(file.limits, file.size)
    raw, fed, stream, searching = (
        bytearray(),
        0,
        None,
        False,
    )  # `raw` from the start of a member, if that is not too long
    try:
        for block in file.stored():
            raw += block
            while fed < len(raw):
                if stream is None:
                    place = raw.find(_GZIP)
                    if place < 0 and len(raw) < len(_GZIP):
                        break
                    if not searching and raw[: place if place >= 0 else len(raw)].strip(b"\0"):
                        searching = True
                        yield BrokenStream("no gzip member begins where one should")
                    del raw[: place if place >= 0 else max(0, len(raw) - 2)]
                    fed = 0
                    if place < 0:
                        break
                    stream = zlib.decompressobj(zlib.MAX_WBITS | 16)
                step = bytes(raw[fed : fed + _STEP])
                try:
                    piece = stream.decompress(step)
                    is_false = searching and bool(piece) and not piece.startswith(_START)
                except zlib.error as error:
                    if not searching:
                        yield BrokenStream(f"a gzip member is corrupt: {error}")
                    piece, is_false = b"", True
                if is_false:
                    stream, fed, searching = None, 0, True
                    del raw[:1]
                    continue
                fed += len(step) - len(stream.unused_data)
                if piece:
                    searching = False
                    meter.add(len(piece))
                    yield piece
                if stream.eof:
                    stream = None
                if stream is None or fed > file.limits.record:
                    del raw[:fed]
                    fed = 0
        if stream is not None and not searching:
            yield BrokenStream("the last gzip member is truncated")
    except BrokenStream as error:
        yield error
