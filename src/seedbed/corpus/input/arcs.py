"""The records of ARC files (Burner and Kahle, 1996), in which crawls were kept before WARC, as records of WARC.

A record is a line with address, IP number, time, type and length, parted by spaces, in version 2 with a status and
other things between the last two; below it, what the server said. FastWARC does not know the format.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from seedbed.corpus.documents import Unreadable

from .crawls import Layout, joined, records
from .files import InputFile

_LONGEST_LINE = 1 << 13
_START = re.compile(
    rb"[A-Za-z][A-Za-z0-9+.-]{0,20}:[^\n\r]{1,8000}? [0-9A-Fa-f.:-]{1,45} [0-9]{8,14} (?:[^ \n\r]*+ )*+[0-9]++\r?\n"
)
_LINE = re.compile(rb"(?P<url>.*?) [0-9A-Fa-f.:-]+ (?P<time>[0-9]{8,14}) (?P<type>.*?) ?(?P<length>[0-9]{1,15})\r?\n")
_ABOUT = b"filedesc:"  # the record in which a file speaks of itself


def arc_records(file: InputFile) -> Iterator[tuple[int, bytes] | Unreadable]:
    """The records with their numbers in the file, from 1, as WARC has them."""
    for item in records(file, ARC, frozenset([b"response"])):
        yield item if isinstance(item, Unreadable) else (item[0], _as_warc(item[1], item[2]))


def _described(header: bytes) -> tuple[int | None, bytes]:
    length = header.split()[-1] if header else b""
    kind = b"about" if header.startswith(_ABOUT) else b"response"
    return int(length) if re.fullmatch(rb"[0-9]{1,15}", length) else None, kind


def _is_end(after: bytes, is_last: bool) -> bool:
    """A line end, or else the next record, or what may be the beginning of its line, or nothing."""
    is_cut = is_last and b"\n" not in after
    return is_cut or after.startswith((b"\n", b"\r\n")) or bool(_START.match(after))


_NEXT = re.compile(rb"\n(?=%s)" % _START.pattern)
ARC = Layout(_START, _NEXT, _NEXT, _LONGEST_LINE, frozenset([b"about", b"response"]), b"\n", _described, _is_end)


def _as_warc(line: bytes, content: bytes) -> bytes:
    """Such a record as WARC has it; what has no header of HTTP is a resource."""
    match = _LINE.fullmatch(line)
    assert match is not None, line
    is_http = content.startswith(b"HTTP/")
    fields = {
        b"WARC-Type": b"response" if is_http else b"resource",
        b"WARC-Target-URI": match["url"],
        b"Content-Type": b"application/http; msgtype=response" if is_http else match["type"].split(b" ")[0],
        b"Content-Length": b"%d" % len(content),
    }
    time = match["time"].decode()
    if len(time) == 14:
        day, hour = "-".join((time[:4], time[4:6], time[6:8])), ":".join((time[8:10], time[10:12], time[12:]))
        fields[b"WARC-Date"] = f"{day}T{hour}Z".encode()
    header = b"".join(name + b": " + value + b"\r\n" for name, value in fields.items())
    return joined(b"WARC/1.0\r\n" + header + b"\r\n", content)
