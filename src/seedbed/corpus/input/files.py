"""The files of a source as readers take them: local or remote, compressed or not, or members of archives.

Whatever is wrong with a file shows when it is read: `chunks`, `read` and `local` raise BrokenStream, `lines` gives an
Unreadable. A member of an archive that cannot be had (a link, an unsafe name, what lies behind a break) is such a
file, too, so that readers need to know nothing of archives.
"""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from seedbed.core.errors import InputError
from seedbed.core.files import storage_errors
from seedbed.core.remote import SCHEME, Remote, read_remote
from seedbed.core.source import Source, SourceFile
from seedbed.corpus.documents import Unreadable

from .decode import DECOMPRESSORS, LIMITS, BrokenStream, Limits, Meter, decompressed, numbered_lines

_READ = 1 << 20
_ARCHIVES = (".tar", ".zip", ".tgz", ".tbz2", ".txz", ".tzst")
_SHORT = {".tgz": ".gz", ".tbz2": ".bz2", ".txz": ".xz", ".tzst": ".zst"}


@dataclass(frozen=True)
class InputFile:
    """One file of the user's: `name` in ids, `where` in quarantine rows, `extension` (`.jsonl` of `a.jsonl.zst`, in
    lower case), `size` in bytes as it is stored, compressed or not.

    A member of an archive can be read only once, and before the next file is asked for.
    """

    name: str
    where: str
    size: int
    stored: Callable[[], Iterator[bytes]] = field(repr=False, compare=False)  # the bytes as they lie there
    path: Path | None = None  # where they lie, if on this machine
    limits: Limits = LIMITS
    meter: Meter | None = None  # of the archive that it stands in

    @classmethod
    def of(cls, file: SourceFile, limits: Limits = LIMITS) -> InputFile:
        place = file.place
        if isinstance(place, Remote):
            return cls(file.name, SCHEME + place.path, file.size, lambda: read_remote(place), None, limits)
        return cls(printable(file.name), printable(str(place)), file.size, lambda: _local_bytes(place), place, limits)

    @classmethod
    def at(cls, path: Path, name: str = "") -> InputFile:
        """A file of this machine; its name in ids is the file's own, unless one is given."""
        return cls.of(SourceFile(name or path.name, path.stat().st_size, path))

    @property
    def extension(self) -> str:
        return extension_of(self.name)

    @property
    def is_archive(self) -> bool:
        return self.extension in _ARCHIVES

    def chunks(self) -> Iterator[bytes]:
        """The decompressed bytes, in pieces. Raises BrokenStream where they end too early or are too many."""
        suffix = PurePosixPath(self.name).suffix.lower()
        suffix = _SHORT.get(suffix, suffix)
        if suffix not in DECOMPRESSORS:
            return self.stored()
        return decompressed(self.stored(), suffix, self.meter or Meter(self.limits, self.size))

    def read(self, limit: int | None = None) -> bytes:
        """All decompressed bytes. Raises BrokenStream if they are more than `limit` (by default that of a record)."""
        limit = self.limits.record if limit is None else limit
        pieces, size = [], 0
        for chunk in self.chunks():
            size += len(chunk)
            if size > limit:
                raise BrokenStream(f"more than {limit} bytes")
            pieces.append(chunk)
        return b"".join(pieces)

    def lines(self) -> Iterator[tuple[int, str] | Unreadable]:
        """The numbered lines of UTF-8 text without their ends; an Unreadable for each that is broken or too long."""
        return numbered_lines(self.chunks(), self.where, self.limits.record)

    @contextlib.contextmanager
    def local(self) -> Iterator[Path]:
        """A path to the decompressed bytes, for formats that are not read front to back: the file's own, or that of a
        copy which then goes. Raises BrokenStream as `chunks` does.
        """
        if self.path is not None and self.path.suffix.lower() not in DECOMPRESSORS:
            yield self.path
            return
        with tempfile.NamedTemporaryFile(prefix="seedbed-", suffix=self.extension) as copy:
            with storage_errors(copy.name):
                for chunk in self.chunks():
                    copy.write(chunk)
                copy.flush()
            yield Path(copy.name)


@dataclass
class Selection:
    """Which files a reader takes: of a folder or an archive those with one of the extensions (None: all), of a path or
    glob all. It remembers whether there were any, and what else.
    """

    is_folder: bool
    extensions: tuple[str, ...] | None
    any_taken: bool = False
    others: set[str] = field(default_factory=set)

    def files_in(self, listed: SourceFile, limits: Limits = LIMITS) -> Iterator[InputFile]:
        """The file itself, or those in it if it is an archive."""
        from .archives import members_of

        stored = InputFile.of(listed, limits)
        for file in members_of(stored) if stored.is_archive else [stored]:
            is_listed = self.is_folder or file.name != stored.name
            if file.is_archive or self.extensions is None or file.extension in self.extensions or not is_listed:
                self.any_taken = True
                yield file
            elif len(self.others) < 100:
                self.others.add(file.extension or PurePosixPath(file.name).name)

    def add(self, other: Selection) -> None:
        """What another one has found in other files."""
        self.any_taken = self.any_taken or other.any_taken
        self.others |= other.others

    def check(self, source: Source) -> None:
        """InputError if no file of the source was taken."""
        if self.any_taken:
            return
        found = ", ".join(sorted(self.others)[:8])
        what = "folder" if self.is_folder else "archive"
        raise InputError(
            "path",
            f"the {what} holds none of the files that this reader takes, but {found}",
            value=str(source),
            allowed=self.extensions,
            fix="a glob such as 'folder/*.log' takes files of any name" if self.is_folder else None,
        )


class OneOf(Source):
    """One file of a source, by the name that it has there."""

    chosen: SourceFile

    @classmethod
    def named(cls, source: Source, file: str) -> Iterator[OneOf]:
        """Each file that may be meant by a path (without `s3://`) or the end of one, which may lead into an archive."""
        given = PurePosixPath(file)
        for listed in source.listed:
            place = listed.place
            path = place.path if isinstance(place, Remote) else str(place.absolute())
            if any(f"/{path}".endswith(f"/{head}") for head in (given, *given.parents)):
                one = cls(source)
                one.chosen = listed
                yield one

    @property
    def files(self) -> list[Path]:
        return [self.chosen.place] if isinstance(self.chosen.place, Path) else super().files

    @property
    def listed(self) -> list[SourceFile]:
        return [self.chosen]


def select_files(source: Source, extensions: tuple[str, ...] | None, limits: Limits = LIMITS) -> Iterator[InputFile]:
    """The files of a source in their order, as Selection says. Archives are opened. InputError if there is none."""
    selection = Selection(source.is_folder, extensions)
    for listed in source.listed:
        yield from selection.files_in(listed, limits)
    selection.check(source)


def extension_of(name: str) -> str:
    """The extension that tells the format: `.jsonl` of `a.jsonl.zst`, in lower case."""
    suffixes = [suffix.lower() for suffix in PurePosixPath(name).suffixes]
    if suffixes and suffixes[-1] in DECOMPRESSORS:
        suffixes.pop()
    return suffixes[-1] if suffixes else ""


def printable(name: str) -> str:
    """A name with what is not UTF-8 in it written as `\\xe9`."""
    return name.encode("utf8", "surrogateescape").decode("utf8", "backslashreplace")


def _local_bytes(path: Path) -> Iterator[bytes]:
    try:
        with open(path, "rb") as file:
            while data := file.read(_READ):
                yield data
    except OSError as error:
        raise BrokenStream(str(error.strerror or error)) from None
