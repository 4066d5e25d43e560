"""XML from strangers, record by record: nothing is fetched, no entity is expanded, one broken record costs that record.

A record is an element of a given name, found by its tags in the bytes. What stands around the records, where a
document could declare entities of its own, is never parsed, so none exist but those that XML and HTML name; a parser
that gets an element alone takes no further declarations. Memory: one record, and what its tree takes (some ten times
that).
"""

from __future__ import annotations

import codecs
import functools
import html.entities
import itertools
import re
from collections.abc import Iterator
from xml.etree import ElementTree

from seedbed.corpus.documents import Unreadable

from .decode import BrokenStream
from .files import InputFile

_HEAD = 1024
_ENCODING = re.compile(rb"<\?xml[^>]*?encoding\s*=\s*[\"']([\w:.-]+)")
_ROOT = re.compile(rb"<[A-Za-z_]")
# Prefixes that a record uses may be declared further up; a name in place of a system's identifier is never looked up.
_PREFIXES = {
    "xlink": "http://www.w3.org/1999/xlink",
    "mml": "http://www.w3.org/1998/Math/MathML",
    "ali": "http://www.niso.org/schemas/ali/1.0/",
    "xsi": "http://www.w3.org/2001/XMLSchema-instance",
}
_BEFORE = '<!DOCTYPE r SYSTEM "none"><r ' + " ".join(f'xmlns:{name}="{uri}"' for name, uri in _PREFIXES.items()) + ">"


class BadMarkup(Exception):
    """Not well-formed; the message says where."""


def records(file: InputFile, *tags: str) -> Iterator[tuple[int, bytes] | Unreadable]:
    """The outermost elements of these names as UTF-8, each with the number of its first line. Of two starts before one
    end, the first is a broken record, as is one that does not end, or that is longer than a record may be; so is a file
    without any.
    """
    start = re.compile(rb"<(%s)(?=[\s>])" % b"|".join(tag.encode() for tag in tags))
    held, line, end, searched = bytearray(), 1, b"", 0  # `end` is that of the record that has begun
    any_read = any_begun = False

    def drop(size: int) -> None:
        nonlocal line, searched
        line += held.count(b"\n", 0, size)
        del held[:size]
        searched = 0

    try:
        for chunk in _in_utf8(file.chunks()):
            held += chunk
            any_read = any_read or bool(chunk)
            while True:
                if not end:
                    match = start.search(held)
                    place = match.start() if match else max(0, len(held) - max(map(len, tags)) - 2)
                    end = b"</%s>" % match[1] if match else b""
                    any_begun = any_begun or bool(match)
                    drop(place)
                    if not end:
                        break
                found = held.find(end, searched)
                if found >= 0:
                    *broken, last = [match.start() for match in start.finditer(held, 0, found)]
                    for _ in broken:
                        yield Unreadable(file.where, line, f"{_shown(end)} does not end")
                    drop(last)
                    size = found + len(end) - last
                    yield line, bytes(held[:size])
                elif len(held) > file.limits.record:
                    yield Unreadable(file.where, line, f"{_shown(end)} is longer than {file.limits.record} bytes")
                    size = len(held) - len(end)
                else:
                    searched = max(0, len(held) - len(end))
                    break
                drop(size)
                end = b""
    except BrokenStream as error:
        yield Unreadable(file.where, line, str(error))
        return
    if end:
        yield Unreadable(file.where, line, f"{_shown(end)} does not end")
    elif any_read and not any_begun:
        yield Unreadable(file.where, 0, f"no <{tags[-1]}> in it")


def _shown(end: bytes) -> str:
    return end.decode().replace("/", "")


def parsed(record: bytes) -> ElementTree.Element:
    """One element's tree. Raises BadMarkup."""
    parser = ElementTree.XMLParser(encoding="utf-8")
    parser.entity.update(_entities())
    try:
        parser.feed(_BEFORE)
        parser.feed(record)
        parser.feed("</r>")
        root = parser.close()
    except (ElementTree.ParseError, ValueError) as error:
        raise BadMarkup(f"not XML: {error}") from None
    if len(root) != 1:
        raise BadMarkup(f"not XML: {len(root)} elements in place of one")
    return root[0]


def parsed_file(content: bytes) -> ElementTree.Element:
    """The tree of a whole small file, what stands before its root element left out. Raises BadMarkup."""
    try:
        content = b"".join(_in_utf8(iter([content])))
    except BrokenStream as error:
        raise BadMarkup(str(error)) from None
    match = _ROOT.search(content)
    if match is None:
        raise BadMarkup("not XML: no element")
    return parsed(content[match.start() :])


def local(tag: object) -> str:
    """A tag's name without its namespace; of a comment or an instruction nothing."""
    return tag.rpartition("}")[2] if isinstance(tag, str) else ""


@functools.cache
def _entities() -> dict[str, str]:
    return {name: chr(code) for name, code in html.entities.name2codepoint.items()}


def _in_utf8(chunks: Iterator[bytes]) -> Iterator[bytes]:
    """The same text in UTF-8, whatever the file's head declares. Raises BrokenStream if that cannot be."""
    first = next(chunks, b"")
    declared = _ENCODING.search(first[:_HEAD])
    label = declared[1].decode() if declared else "utf-8"
    if first.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        label = "utf-16"
    elif label.lower().startswith(("utf-16", "utf_16")):
        label = "utf-8"  # else the declaration were not readable
    try:
        "".encode(label)
        name = codecs.lookup(label).name
    except (LookupError, UnicodeError):
        raise BrokenStream(f"an encoding that nobody knows: {label}") from None
    if name in ("utf-8", "ascii"):
        yield first
        yield from chunks
        return
    decoder = codecs.getincrementaldecoder(name)("replace")
    try:
        for chunk in itertools.chain([first], chunks):
            yield decoder.decode(chunk).encode()
        yield decoder.decode(b"", final=True).encode()
    except UnicodeError as error:  # of encodings in which nothing can be replaced, such as those of host names
        raise BrokenStream(f"not {label}: {error}") from None
