"""Running a program on a document. Whatever a program says, this ends, and changes nothing but the text."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from .programs import Chunk, Normalize, Program, Remove

ERRORS = ("statement", "range", "cut", "growth")
_LONGEST = 2  # times its length a document may become


@dataclass(frozen=True)
class Limits:
    """When a program is not believed. The defaults are those of the authors' code."""

    errors: int = 1  # so many statements may be wrong; with more the document stays as it was
    least: float = 0.05  # a document goes if at most this share of its words is left,
    words: int = 10  # or at most so many words, where the program has changed something


@dataclass
class Refined:
    """What came of it. `reason`: why the document is dropped. `wrong` counts statements by what is wrong with them."""

    text: str
    reason: str | None = None
    edits: list[tuple[str, str]] = field(default_factory=list)
    wrong: Counter[str] = field(default_factory=Counter)
    removed: frozenset[int] = frozenset()  # lines

    @property
    def errors(self) -> int:
        return sum(self.wrong[name] for name in ERRORS)


def execute(text: str, program: Program, limits: Limits = Limits()) -> Refined:
    """The refined document.

    In each chunk lines are removed first, then strings are normalized in the lines that stay, in the order of the
    statements; numbers are those of the document as it came. What can be wrong with a statement, counted in `wrong`:

    - `statement`: it is none (see `programs.parse`)
    - `range`: it, or its chunk, concerns no line: what it removes begins behind the last line of the document or chunk,
      or before the chunk's first; it does nothing
    - `cut`: it ends behind the last line; the lines that there are go
    - `growth`: the document would become more than twice as long as it was; it does nothing
    - `overlap`: it removes a line that is removed already; `absent`: the string that it normalizes stands nowhere: both
      are harmless, and no errors

    With more than `limits.errors` errors the program is ignored. One that changes a document and leaves hardly anything
    of it drops the document.

    The authors' code normalizes in all lines and removes then, counts errors likewise (`growth` it does not know), and
    drops every document of at most ten words, changed or not.
    """
    if program.drop:
        return Refined(text, reason="drop_doc()")
    run = _Run(text, len(program.errors))
    for chunk in program.chunks:
        run.take(chunk)
    refined = run.refined()
    if refined.errors > limits.errors:
        return Refined(text, wrong=refined.wrong)
    left, before = len(refined.text.split()), len(text.split())
    if refined.text != text and (left <= limits.words or left <= limits.least * before):
        return Refined(text, reason=f"of {before} words {left} are left", wrong=refined.wrong)
    return refined


class _Run:
    """A document's lines while a program runs."""

    def __init__(self, text: str, errors: int) -> None:
        self.lines = text.split("\n")
        self.removed: set[int] = set()
        self.edits: list[tuple[str, str]] = []
        self.wrong = Counter({"statement": errors})
        self._size, self._largest = len(text), _LONGEST * len(text)

    def take(self, chunk: Chunk) -> None:
        last = len(self.lines) - 1 if chunk.last is None else min(chunk.last, len(self.lines) - 1)
        if chunk.first > last:
            self.wrong["range"] += 1
            return
        for statement in chunk.statements:
            if isinstance(statement, Remove):
                self._remove(statement, chunk.first, last)
        places = [place for place in range(chunk.first, last + 1) if place not in self.removed]
        for statement in chunk.statements:
            if isinstance(statement, Normalize):
                self._normalize(statement, places)

    def refined(self) -> Refined:
        kept = [line for place, line in enumerate(self.lines) if place not in self.removed]
        return Refined("\n".join(kept), None, self.edits, self.wrong, frozenset(self.removed))

    def _remove(self, statement: Remove, first: int, last: int) -> None:
        if not first <= statement.first <= last:
            self.wrong["range"] += 1
            return
        self.wrong["cut"] += statement.last > last
        lines = set(range(statement.first, min(statement.last, last) + 1))
        self.wrong["overlap"] += bool(lines & self.removed)
        gone = sorted(lines - self.removed)
        self.removed |= lines
        if gone:
            self.edits.append((str(statement), "\n".join([self.lines[place] for place in gone])))
            self._size -= sum(len(self.lines[place]) + 1 for place in gone)

    def _normalize(self, statement: Normalize, places: list[int]) -> None:
        source, target = statement.source, statement.target
        counts = {place: count for place in places if (count := self.lines[place].count(source))}
        growth = sum(counts.values()) * (len(target) - len(source))
        if not counts:
            self.wrong["absent"] += 1
        elif self._size + growth > self._largest:
            self.wrong["growth"] += 1
        else:
            for place in counts:
                self.lines[place] = self.lines[place].replace(source, target)
            self._size += growth
            self.edits.append((str(statement), source))
