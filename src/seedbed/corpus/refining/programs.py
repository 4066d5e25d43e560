"""Programs that refine a document (ProX, Zhou et al., 2024, table 1): read from text, written to text, never evaluated.

    keep_doc()                                   or drop_doc()
    # lines 0-383
    remove_lines(line_start=0, line_end=2)       both ends included
    normalize(source_str="&amp;", target_str="&")
    # lines 384-501
    keep_all()

One statement a line; the names of arguments may be left out; strings are JSON's, in double quotes, and stay within a
line. Lines are numbered from 0 through the whole document, as in the authors' code. `# lines A-B` begins a chunk, and
what follows concerns its lines only; without it all lines are one chunk. What is none of this is kept as an error, by
its text; nothing of a program is ever looked up, called or evaluated.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass

_NUMBER = r"\d{1,9}"
_STRING = r'"(?:[^"\\\n]|\\.)*"'
_CHUNK = re.compile(rf"#\s*lines\s+({_NUMBER})-({_NUMBER})")
_REMOVE = re.compile(rf"remove_lines\(\s*(?:line_start\s*=\s*)?({_NUMBER})\s*,\s*(?:line_end\s*=\s*)?({_NUMBER})\s*\)")
_NORMALIZE = re.compile(
    rf"normalize\(\s*(?:source_str\s*=\s*)?({_STRING})\s*,\s*(?:target_str\s*=\s*)?({_STRING})\s*\)"
)
_WHOLE = ("keep_doc()", "drop_doc()", "keep_all()")
_SHOWN = 200  # characters of a statement that is none


@dataclass(frozen=True)
class Remove:
    """Take out the lines from the first to the last one, both included."""

    first: int
    last: int

    def __str__(self) -> str:
        return f"remove_lines(line_start={self.first}, line_end={self.last})"


@dataclass(frozen=True)
class Normalize:
    """Put one string in the place of another, wherever it stands."""

    source: str
    target: str

    def __str__(self) -> str:
        source, target = (json.dumps(text, ensure_ascii=False) for text in (self.source, self.target))
        return f"normalize(source_str={source}, target_str={target})"


@dataclass(frozen=True)
class Chunk:
    """The lines from `first` to `last` (None: the last one there is), and what is done with them; nothing: keep_all."""

    first: int = 0
    last: int | None = None
    statements: tuple[Remove | Normalize, ...] = ()


@dataclass(frozen=True)
class Program:
    """A document's: whether it goes as a whole, its chunks, and the lines of the program that are no statements."""

    drop: bool = False
    chunks: tuple[Chunk, ...] = ()
    errors: tuple[str, ...] = ()

    def __str__(self) -> str:
        lines = ["drop_doc()" if self.drop else "keep_doc()"]
        for chunk in self.chunks:
            if chunk.last is not None:
                lines.append(f"# lines {chunk.first}-{chunk.last}")
            lines += [str(statement) for statement in chunk.statements] or ["keep_all()"]
        return "\n".join([*lines, *self.errors])


def parse(text: str) -> Program:
    """A program from its text. A line is an error that is no statement, that contradicts an earlier one (keep and drop,
    keep_all beside something else), or that could do nothing (a last line before the first, an empty source)."""
    reading = _Reading()
    for line in text.split("\n"):
        if line.strip() and not reading.take(line.strip()):
            reading.errors.append(line.strip()[:_SHOWN])
    return reading.program()


class _Reading:
    """A program that is being read."""

    def __init__(self) -> None:
        self.errors: list[str] = []
        self._drop: bool | None = None
        self._bounds: list[tuple[int, int | None]] = []
        self._statements: list[list[Remove | Normalize]] = []
        self._keeps_all: list[bool] = []

    def take(self, line: str) -> bool:
        """Whether the line is a statement that fits what came before."""
        if found := _CHUNK.fullmatch(line):
            return self._begin(int(found[1]), int(found[2]))
        if line in _WHOLE[:2]:
            drop = line == "drop_doc()"
            fits = self._drop in (None, drop)
            self._drop = drop if fits else self._drop
            return fits
        if not self._bounds:
            self._begin(0, None)
        if line == "keep_all()":
            self._keeps_all[-1] = not self._statements[-1]
            return self._keeps_all[-1]
        statement = _statement(line)
        if statement is None or self._keeps_all[-1]:
            return False
        self._statements[-1].append(statement)
        return True

    def program(self) -> Program:
        chunks = [Chunk(*bounds, tuple(own)) for bounds, own in zip(self._bounds, self._statements, strict=True)]
        return Program(bool(self._drop), tuple(chunks), tuple(self.errors))

    def _begin(self, first: int, last: int | None) -> bool:
        if last is not None and last < first:
            return False
        self._bounds.append((first, last))
        self._statements.append([])
        self._keeps_all.append(False)
        return True


def _statement(line: str) -> Remove | Normalize | None:
    if found := _REMOVE.fullmatch(line):
        first, last = int(found[1]), int(found[2])
        return Remove(first, last) if first <= last else None
    if found := _NORMALIZE.fullmatch(line):
        try:
            source, target = json.loads(found[1]), json.loads(found[2])
        except ValueError:  # an escape that JSON does not have
            return None
        if source and source != target and "\n" not in source + target and not _has_surrogates(source + target):
            return Normalize(source, target)
    return None


def _has_surrogates(text: str) -> bool:
    return any("\ud800" <= char <= "\udfff" for char in text)


def ranges(lines: Sequence[int]) -> list[Remove]:
    """The fewest statements that remove these lines (ascending)."""
    found: list[Remove] = []
    for line in lines:
        if found and found[-1].last == line - 1:
            found[-1] = Remove(found[-1].first, line)
        else:
            found.append(Remove(line, line))
    return found
