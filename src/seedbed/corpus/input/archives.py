"""The members of tar and zip archives, in the order in which they stand there, streamed.

A tar archive is read front to back, from any stream; a zip archive by its directory, or, where that is missing or
broken (a download that was cut off), by the headers in front of its members. What cannot be read is a file that says
why: links, devices, sparse and encrypted files, archives within archives, names that lead out of the archive, and,
under the archive's own name, what lies behind a break. Behind a damaged header of a tar archive reading goes on with
the next whole one. Directories and hidden files are passed over, as in folders. Of two members with one name both come
out. Memory: some MB; of a zip archive its directory.
"""

from __future__ import annotations

import functools
import mmap
import os
import re
import stat
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path, PurePosixPath

from .decode import BrokenStream, Meter
from .files import InputFile

_READ = 1 << 20
_STEP = 1 << 11
_BLOCK = 512  # of a tar archive
_LONGEST_NAME = 1 << 16
# Headers that speak of the next one, or of all.
_ABOUT = (tarfile.GNUTYPE_LONGNAME, tarfile.GNUTYPE_LONGLINK, tarfile.XHDTYPE, tarfile.XGLTYPE, tarfile.SOLARIS_XHDTYPE)
_EMPTY = {  # members without content
    tarfile.LNKTYPE: "a link",
    tarfile.SYMTYPE: "a link",
    tarfile.CHRTYPE: "a device",
    tarfile.BLKTYPE: "a device",
    tarfile.FIFOTYPE: "a named pipe",
}
_ZIP_HEADER = struct.Struct(
    "<4s2xHH4xIIIHH"
)  # flags, method, checksum, packed and plain size, lengths of name and extra
_ZIP_MARK = b"PK\x03\x04"
_ZIP_LAST = 22 + (1 << 16)  # the record at the end, with the longest comment
_ZIP_ENCRYPTED, _ZIP_SIZES_FOLLOW, _ZIP_UTF8 = 1, 8, 0x800


def members_of(archive: InputFile) -> Iterator[InputFile]:
    """The files in an archive. Each is to be read before the next one is asked for."""
    archive = replace(archive, meter=Meter(archive.limits, archive.size))
    members = _zip_members(archive) if archive.extension == ".zip" else _tar_members(archive)
    try:
        for member in members:
            parts = member.name[len(archive.name) :].strip("/").split("/")
            if not any(part.startswith(".") and part != ".." for part in parts):
                yield member
    except BrokenStream as error:
        yield _lost(archive, str(error))


def _member(
    archive: InputFile, name: str, size: int, stored: Callable[[], Iterator[bytes]], problem: str = ""
) -> InputFile:
    path = PurePosixPath(name)
    here = str(path).lstrip("/")
    member = replace(
        archive, name=f"{archive.name}/{here}", where=f"{archive.where}/{here}", size=size, stored=stored, path=None
    )
    if path.is_absolute() or ".." in name.replace("\\", "/").split("/"):
        problem = "its name leads out of the archive"
    elif member.is_archive:
        problem = problem or "an archive within an archive, which is not opened"
    return _lost(member, problem) if problem else member


def _lost(file: InputFile, reason: str) -> InputFile:
    """The file as one that cannot be read."""

    def refuse() -> Iterator[bytes]:
        raise BrokenStream(reason)
        yield b""

    return replace(file, stored=refuse, path=None)


class _Bytes:
    """The bytes of a stream in order, however it is cut."""

    def __init__(self, chunks: Iterator[bytes]) -> None:
        self._chunks = chunks
        self._held, self._at = b"", 0
        self.is_broken = False

    def some(self, most: int) -> bytes:
        """At least one byte and at most `most`; none at the end."""
        if self._at == len(self._held):
            try:
                self._held, self._at = next(self._chunks, b""), 0
            except BrokenStream:
                self.is_broken = True
                raise
        piece = self._held[self._at : self._at + most]
        self._at += len(piece)
        return piece

    def block(self) -> bytes:
        """The next 512 bytes, or what there is."""
        block = self.some(_BLOCK)
        while 0 < len(block) < _BLOCK and (more := self.some(_BLOCK - len(block))):
            block += more
        return block

    def exactly(self, size: int) -> Iterator[bytes]:
        while size:
            piece = self.some(min(size, _READ))
            if not piece:
                self.is_broken = True
                raise BrokenStream("the archive ends within this file")
            size -= len(piece)
            yield piece


def _tar_members(archive: InputFile) -> Iterator[InputFile]:
    stream = _Bytes(archive.chunks())
    about: dict[str, str] = {}
    is_whole = is_lost = False
    while block := stream.block():
        # Two empty ones are the end; another archive may follow. A part of one is none.
        if not any(block) and (is_whole or len(block) == _BLOCK):
            is_whole = True
            continue
        try:
            header = tarfile.TarInfo.frombuf(block, "utf8", "backslashreplace")
            if header.size < 0 or (header.type in _ABOUT and header.size > _LONGEST_NAME):
                raise tarfile.HeaderError("impossible size")
        except tarfile.HeaderError as error:
            if not is_lost:
                yield _lost(archive, f"broken header of a member: {error}")
            is_lost, about = True, {}
            continue
        is_whole = is_lost = False
        if header.type in _ABOUT:
            about |= _about(header.type, b"".join(stream.exactly(header.size)))
            _pass_over(stream.exactly(-header.size % _BLOCK))
            continue
        if header.type != tarfile.DIRTYPE:
            yield from _tar_member(archive, stream, header, about)
            if stream.is_broken:  # as whoever reads the member knows
                return
        about = {}
    if not (is_whole or is_lost):
        yield _lost(archive, "the archive has no end mark: truncated?")


def _tar_member(
    archive: InputFile, stream: _Bytes, header: tarfile.TarInfo, about: dict[str, str]
) -> Iterator[InputFile]:
    name, size = about.get("path", header.name), header.size
    if re.fullmatch("[0-9]{1,18}", about.get("size", "")):
        size = int(about["size"])
    problem = _EMPTY.get(header.type, "")
    if problem:
        size = 0
    elif header.type == tarfile.GNUTYPE_SPARSE or any(key.startswith("GNU.sparse") for key in about):
        problem = "a sparse file"
    content = stream.exactly(size)
    yield _member(archive, name, size, lambda: content, problem and f"{problem}, which is not read")
    if not stream.is_broken:
        _pass_over(content)  # what has not been read
        _pass_over(stream.exactly(-size % _BLOCK))


def _about(kind: bytes, content: bytes) -> dict[str, str]:
    """What a header says of the next member: GNU's long name, or the `LENGTH KEY=VALUE` records of pax."""
    if kind == tarfile.GNUTYPE_LONGNAME:
        return {"path": content.rstrip(b"\0").decode("utf8", "backslashreplace")}
    found: dict[str, str] = {}
    while kind in (tarfile.XHDTYPE, tarfile.SOLARIS_XHDTYPE) and content:
        length, _, _ = content[:8].partition(b" ")
        if not length.isdigit() or not int(length):
            break
        key, _, value = content[len(length) + 1 : int(length) - 1].partition(b"=")
        found[key.decode("utf8", "backslashreplace")] = value.decode("utf8", "backslashreplace")
        content = content[int(length) :]
    return found


def _pass_over(pieces: Iterator[bytes]) -> None:
    for _ in pieces:
        pass


def _zip_members(archive: InputFile) -> Iterator[InputFile]:
    assert archive.meter is not None
    with archive.local() as path:
        try:
            zipped = zipfile.ZipFile(path)
            _check_directory(zipped, path)
        except (FileNotFoundError, PermissionError) as error:
            raise BrokenStream(str(error.strerror or error)) from None
        except Exception as error:  # of many kinds
            if path.stat().st_size:
                yield from _salvaged(archive, path)
            yield _lost(archive, f"broken directory: {error}; only the files before the break could be found")
            return
        with zipped:
            for info in zipped.infolist():
                problem = "a link, which is not read" if stat.S_ISLNK(info.external_attr >> 16) else ""
                if info.flag_bits & _ZIP_ENCRYPTED:
                    problem = "encrypted"
                if not info.is_dir():
                    content = functools.partial(_unzipped, zipped, info, archive.meter)
                    yield _member(archive, info.filename, info.file_size, content, problem)


def _check_directory(zipped: zipfile.ZipFile, path: Path) -> None:
    """It has as many entries as it says: one with a broken length may have swallowed others."""
    with open(path, "rb") as file:
        file.seek(-min(path.stat().st_size, _ZIP_LAST), os.SEEK_END)
        tail = file.read()
    (count,) = struct.unpack_from("<H", tail, tail.rindex(b"PK\x05\x06") + 10)
    if count not in (0xFFFF, len(zipped.infolist()) & 0xFFFF):
        raise zipfile.BadZipFile(f"{len(zipped.infolist())} entries, but there should be {count}")


def _unzipped(zipped: zipfile.ZipFile, info: zipfile.ZipInfo, meter: Meter) -> Iterator[bytes]:
    try:
        with zipped.open(info) as file:
            while piece := file.read(_READ):
                meter.add(len(piece))
                yield piece
    except BrokenStream:
        raise
    except Exception as error:  # each decompressor has an exception class of its own
        raise BrokenStream(f"broken in the archive: {error}") from None


def _salvaged(archive: InputFile, path: Path) -> Iterator[InputFile]:
    """The members of a zip archive by the headers in front of them."""
    assert archive.meter is not None
    with open(path, "rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as raw:
        at = 0
        while (at := raw.find(_ZIP_MARK, at)) >= 0 and at + _ZIP_HEADER.size <= len(raw):
            _, flags, method, checksum, packed, size, name_length, extra = _ZIP_HEADER.unpack_from(raw, at)
            at += _ZIP_HEADER.size
            name = raw[at : at + name_length].decode("utf8" if flags & _ZIP_UTF8 else "cp437", "backslashreplace")
            start = at = at + name_length + extra
            if name.endswith("/"):
                continue
            problem = "encrypted" if flags & _ZIP_ENCRYPTED else ""
            if method not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
                problem = problem or f"the archive has no directory, and the compression method is {method}"
            if flags & _ZIP_SIZES_FOLLOW or packed == 0xFFFFFFFF:
                packed, checksum = len(raw) - start, None
                if method == zipfile.ZIP_STORED:
                    problem = problem or "the archive has no directory, and this file's size is not known"
            else:
                at += packed
            inflated = functools.partial(_inflated, raw, start, packed, method, checksum, archive.meter)
            yield _member(archive, name, size, inflated, problem)


def _inflated(
    raw: mmap.mmap, start: int, packed: int, method: int, checksum: int | None, meter: Meter
) -> Iterator[bytes]:
    stream, found = zlib.decompressobj(-zlib.MAX_WBITS), 0
    end = min(start + packed, len(raw))
    for at in range(start, end, _STEP):
        piece = raw[at : min(at + _STEP, end)]
        if method == zipfile.ZIP_DEFLATED:
            try:
                piece = stream.decompress(piece)
            except zlib.error as error:
                raise BrokenStream(f"broken in the archive: {error}") from None
        meter.add(len(piece))
        found = zlib.crc32(piece, found)
        if piece:
            yield piece
        if stream.eof:
            break
    if start + packed > len(raw) or (method == zipfile.ZIP_DEFLATED and not stream.eof):
        raise BrokenStream("the archive ends within this file")
    if checksum is not None and found != checksum:
        raise BrokenStream("broken in the archive: the checksum differs")
