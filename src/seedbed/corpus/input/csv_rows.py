"""Rows of comma-separated values, in which a broken quote costs a line, and neither the file nor endless time."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from typing import TYPE_CHECKING

from seedbed.corpus.documents import Unreadable

from .files import InputFile

if TYPE_CHECKING:
    from .records import Record

_MOST_LINES = 1 << 20  # of a record, each of which takes some 150 bytes beside its text
_REREAD, _REREAD_FREELY = 8, 16 << 20  # characters read again for each one of the file, and beyond that


def csv_records(file: InputFile, delimiter: str = "") -> Iterator[Record]:
    """Rows of comma- or tab-separated values under a header line; fields may be quoted and hold line ends. Of two
    columns with one name the second gets a number, as a second id does: `score~2`.

    The number of a record is that of its last line in the file. A record with broken quotes costs its first line:
    reading goes on with the second, so that a quote which is never closed does not swallow the file. Where that comes
    to reading all of the file again and again, a record is one line. Without a header that can be read no record can.
    """
    lines = _CsvLines(file)
    csv.field_size_limit(file.limits.record)
    rows = csv.reader(lines, delimiter=delimiter or ("\t" if file.extension == ".tsv" else ","), strict=True)
    header: list[str] | None = None
    is_lost = False  # the header, so that the first line that can be read is not it
    while True:
        try:
            row = next(rows)
        except StopIteration:
            yield from lines.take_broken()
            return
        except csv.Error as error:
            yield from lines.take_broken()
            yield Unreadable(file.where, lines.go_back(), f"not CSV: {error}")
            is_lost = is_lost or header is None
            continue
        broken = lines.take_broken()
        yield from broken
        is_lost = is_lost or (header is None and bool(broken))
        number = lines.record[-1][0]
        lines.record.clear()
        if is_lost:
            if row:
                yield Unreadable(file.where, number, "the header above it cannot be read")
        elif header is None:
            header = _unique(row) if row else None  # blank lines may come first
        elif len(row) == len(header):
            yield number, dict(zip(header, row, strict=True))
        elif row:
            yield Unreadable(file.where, number, f"{len(row)} fields, but the header has {len(header)}")


class _CsvLines:
    """The lines of a file for the CSV parser; remembers those of the record that it reads. Raises csv.Error where that
    is too long.
    """

    def __init__(self, file: InputFile) -> None:
        self.record: list[tuple[int, str]] = []
        self._limit, self._size = file.limits.record, 0
        self._to_reread = _REREAD_FREELY
        self._lines = file.lines()
        self._again: list[tuple[int, str]] = []  # the next one last
        self._broken: list[Unreadable] = []

    def __iter__(self) -> _CsvLines:
        return self

    def __next__(self) -> str:
        is_again = bool(self._again)
        item = self._again.pop() if is_again else next(self._lines)
        while isinstance(item, Unreadable):
            self._broken.append(item)
            item = next(self._lines)
        size = len(item[1]) + 1
        self._to_reread += -size if is_again else _REREAD * size
        self._size = self._size + size if self.record else size
        self.record.append(item)
        if len(self.record) > 1:
            if self._size > self._limit or len(self.record) > _MOST_LINES:
                raise csv.Error(f"a record of more than {self._limit} bytes, or {_MOST_LINES} lines")
            if self._to_reread < 0:
                raise csv.Error("a quote that is not closed in its line, as too many are not")
        return item[1] + "\n"

    def go_back(self) -> int:
        """To the second line of the record; returns the number of its first."""
        (first, _), *rest = self.record
        self._again += reversed(rest)
        self.record.clear()
        return first

    def take_broken(self) -> list[Unreadable]:
        broken, self._broken = self._broken, []
        return broken


def _unique(names: list[str]) -> list[str]:
    """Names with a number where they were there before."""
    found: dict[str, None] = {}
    for name in names:
        number, unique = 1, name
        while unique in found:
            number += 1
            unique = f"{name}~{number}"
        found[unique] = None
    return list(found)
