"""The records of a WARC file (ISO 28500), or of one of its forerunner ARC (input/arcs.py), one at a time; what is
broken costs the record that it is in.

Gzip members that are corrupt are passed over up to the next one that begins a record; a record whose length leads
nowhere, up to the next place that looks like the start of one. FastWARC, which parses the records, has neither: it
stops at the first. Memory: one record (`Limits.record`), and the packed bytes of one gzip member.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import PurePosixPath

from seedbed.corpus.documents import Unreadable

from .decode import BrokenStream, Meter
from .files import InputFile

_GZIP = b"\x1f\x8b\x08"
_STEP = 1 << 12  # packed bytes at once: at most 4 MB come out
_LONGEST_HEADER = 1 << 16
_TYPE = re.compile(rb"^WARC-Type:[ \t]*([a-z]+)", re.IGNORECASE | re.MULTILINE)
_BLANK_LINE = re.compile(rb"\r?\n\r?\n")
_LENGTH = re.compile(rb"^Content-Length:[ \t]*(\d{1,15})[ \t]*\r?$", re.IGNORECASE | re.MULTILINE)


@dataclass(frozen=True)
class Layout:
    """What the records of a format look like."""

    start: re.Pattern[bytes]  # of a record
    next: re.Pattern[bytes]  # which ends where a record seems to begin, behind one that is broken
    inner: re.Pattern[bytes]  # what hints at a record within another one's content
    longest_start: int  # bytes
    types: frozenset[bytes]  # that its standard knows
    header_end: bytes
    described: Callable[[bytes], tuple[int | None, bytes]]  # of a header: the length of what follows, and its type
    is_end: Callable[[bytes, bool], bool]  # by what follows a record; whether nothing follows that


def _described(header: bytes) -> tuple[int | None, bytes]:
    length, kind = _LENGTH.search(header), _TYPE.search(header)
    return int(length[1]) if length else None, kind[1].lower() if kind else b""


def _is_end(after: bytes, is_last: bool) -> bool:
    """Two line ends, or else the next record, or the end of what is whole."""
    del is_last
    if after.startswith(b"\r\n\r\n"):
        return True
    after = after.lstrip(b"\r\n")
    return b"WARC/".startswith(after) or after.startswith(b"WARC/")


_TYPES = b"warcinfo response resource request metadata revisit conversion continuation"
# A whole first line needs no line end before it, which may be what is broken.
_NEXT = re.compile(rb"\n(?=WARC/)|(?=WARC/[01]\.[0-9]{1,2}\r\n)")
_INNER = re.compile(rb"\r\nWARC/[01]\.[0-9]{1,2}\r\n")
WARC = Layout(re.compile(rb"WARC/"), _NEXT, _INNER, 12, frozenset(_TYPES.split()), b"\r\n\r\n", _described, _is_end)


def warc_records(file: InputFile, types: frozenset[bytes]) -> Iterator[tuple[int, bytes] | Unreadable]:
    """The whole records of these types, and of those that the standard does not know, with their numbers from 1."""
    for item in records(file, WARC, types):
        yield item if isinstance(item, Unreadable) else (item[0], joined(item[1], item[2]))


def joined(header: bytes, content: bytes) -> bytes:
    """A record. Lines of a server's header may end in a line feed alone; FastWARC would not find the header's end."""
    blank = _BLANK_LINE.search(content, 0, _LONGEST_HEADER) if content.startswith(b"HTTP/") else None
    lines = content[: blank.start()].replace(b"\r\n", b"\n").replace(b"\n", b"\r\n") if blank else b""
    if blank and lines + b"\r\n\r\n" != content[: blank.end()]:
        content = b"%s\r\n\r\n%s" % (lines, content[blank.end() :])
        header = _LENGTH.sub(b"Content-Length: %d\r" % len(content), header, count=1)
    return header + content


def records(
    file: InputFile, layout: Layout, types: frozenset[bytes]
) -> Iterator[tuple[int, bytes, bytes] | Unreadable]:
    """Number, header and content of the whole records of these types, and of those that are unknown."""
    packed = PurePosixPath(file.name).suffix.lower() == ".gz"
    window = _Window(_members(file, layout) if packed else _plain(file), layout)
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
        length, kind = layout.described(header)
        wanted = kind in types or kind not in layout.types
        size = len(header) + length if length is not None else 0
        if size > limit:
            if wanted:
                yield Unreadable(file.where, number, f"a record of more than {limit} bytes")
            window.skip(size)
        elif size and window.fill(size) and window.is_end(size) and not window.runs_over(len(header), size):
            if not kind:
                yield Unreadable(file.where, number, "a record without a type")
            elif wanted:
                yield number, header, bytes(window.held[len(header) : size])
            window.skip(size)
        elif window.broken and (len(window.held) < size if header else window.may_begin()):
            number -= 1  # the break is told when what is whole before it has been used up
            window.seek(max(len(header), 1))
        else:
            yield Unreadable(file.where, number, "no whole record where one should begin")
            window.seek(max(len(header) - 1, 1))  # a header whose end is broken may end in front of the next record


class _Window:
    """What has been read and not used up, which ends where bytes are missing; `broken` then says why."""

    def __init__(self, pieces: Iterator[bytes | BrokenStream], layout: Layout) -> None:
        self.pieces, self.held, self.broken = pieces, bytearray(), ""
        self._layout, self._ended = layout, False

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
        """The record's header with the line end behind it; empty if none begins here, or it has no end."""
        searched, mark = 0, self._layout.header_end
        self.fill(self._layout.longest_start)
        while self._layout.start.match(self.held):
            end = self.held.find(mark, searched, _LONGEST_HEADER)
            if end >= 0:
                return bytes(self.held[: end + len(mark)])
            searched = max(0, len(self.held) - len(mark) + 1)
            if len(self.held) > _LONGEST_HEADER or not self.fill(len(self.held) + 1):
                break
        return b""

    def is_end(self, size: int) -> bool:
        """Does a record end there?"""
        behind = size + 4 + self._layout.longest_start
        is_last = not self.fill(behind)
        return self._layout.is_end(bytes(self.held[size:behind]), is_last)

    def runs_over(self, start: int, size: int) -> bool:
        """Does a record begin within the content of this one, but none behind it? Its length then is wrong, and leads
        to something like an end by chance. A page may quote a record.
        """
        if not self._layout.inner.search(self.held, start, size):
            return False
        behind = bytes(self.held[size : size + 4 + self._layout.longest_start]).lstrip(b"\r\n")
        return bool(behind) and not self._layout.start.match(behind)

    def may_begin(self) -> bool:
        """Could what is held be a header that lacks its end?"""
        held, longest = len(self.held), self._layout.longest_start
        return held < longest or (held <= _LONGEST_HEADER and bool(self._layout.start.match(self.held)))

    def skip(self, size: int) -> None:
        while size > len(self.held):
            size -= len(self.held)
            self.held.clear()
            if not self._read():
                return
        del self.held[:size]

    def seek(self, start: int) -> None:
        """To the next place behind `start` where a record seems to begin, or to the end."""
        while (found := self._layout.next.search(self.held, start)) is None:
            start = 0
            del self.held[: max(0, len(self.held) - self._layout.longest_start - 1)]
            if not self._read():
                self.held.clear()
                return
        del self.held[: found.end()]


def _plain(file: InputFile) -> Iterator[bytes | BrokenStream]:
    try:
        yield from file.chunks()
    except BrokenStream as error:
        yield error


def _members(file: InputFile, layout: Layout) -> Iterator[bytes | BrokenStream]:
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
                    is_false = searching and bool(piece) and not layout.start.match(piece)
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
        is_begun = stream is not None or bool(raw.strip(b"\0"))  # or less is there than a member's mark
        if is_begun and not searching:
            yield BrokenStream("the last gzip member is truncated")
    except BrokenStream as error:
        yield error
