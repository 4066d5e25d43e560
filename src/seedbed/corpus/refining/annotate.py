"""A program from a document and what it should be: the seed annotations that a programmer learns from.

Zhou et al. (2024) have a large language model write programs for their seed documents. Here they follow from pairs of
texts, and are as right as the pairs: lines that only the noisy text has go; a line that became another one is
normalized by the strings that changed, each with as many of its neighbors as it takes not to change anything else in
the document; a text of which hardly anything is left goes as a whole.
"""

from __future__ import annotations

import difflib
import itertools
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence

from .programs import Chunk, Normalize, Program, Remove, ranges

_TOKEN = re.compile(r"\s*(?:\w+|[^\w\s])|\s+$")  # with the space before it: spaces alone are everywhere alike
_LEAST_ALIKE = 0.3  # of two lines of which one is a version of the other
_BESIDE = (0, 1, 2, 4, 8)  # characters taken along on either side, until a change is told apart
_LONGEST = 200  # characters of a string that is normalized

_Change = tuple[int, int, int, str]  # line, first character, the one behind the last, what is to stand there


def annotate(noisy: str, clean: str | None, keep_above: float = 0.3) -> Program:
    """The program that makes `noisy` what `clean` is, as far as statements can. `drop_doc()` without a clean text, or
    if that has less than `keep_above` of the noisy one's characters."""
    if clean is None or len(clean) < keep_above * len(noisy):
        return Program(drop=True)
    lines, wanted = noisy.split("\n"), clean.split("\n")
    pairs = _paired(lines, wanted)
    changes = [
        (place, first, end, target)
        for place, other in pairs
        for first, end, target in _replacements(lines[place], wanted[other])
    ]
    removed = _gone(lines, wanted, pairs)
    kept = {place: line for place, line in enumerate(lines) if place not in removed}
    return Program(chunks=(Chunk(statements=(*ranges(sorted(removed)), *longest_first(_told(kept, changes)))),))


def longest_first(statements: Iterable[Normalize]) -> list[Normalize]:
    """Each once, in an order in which none changes a part of what another one looks for."""
    return sorted(dict.fromkeys(statements), key=lambda item: (-len(item.source), item.source))


def removed_lines(program: Program) -> set[int]:
    """The lines that a program removes, as it says."""
    statements = [statement for chunk in program.chunks for statement in chunk.statements]
    return {line for item in statements if isinstance(item, Remove) for line in range(item.first, item.last + 1)}


def normalizations(program: Program) -> list[Normalize]:
    return [item for chunk in program.chunks for item in chunk.statements if isinstance(item, Normalize)]


def _paired(lines: Sequence[str], wanted: Sequence[str]) -> list[tuple[int, int]]:
    """Which line stayed or became which, in order. Blank lines are left out: they are alike everywhere."""
    own = [place for place, line in enumerate(lines) if line.strip()]
    others = [place for place, line in enumerate(wanted) if line.strip()]
    texts, known = [lines[place].strip() for place in own], [wanted[place].strip() for place in others]
    found: list[tuple[int, int]] = []
    for tag, a, b, c, d in difflib.SequenceMatcher(None, texts, known, autojunk=False).get_opcodes():
        if tag == "equal":
            found += zip(own[a:b], others[c:d], strict=True)
        else:
            found += [(own[a + i], others[c + j]) for i, j in _alike(texts[a:b], known[c:d])]
    return found


def _gone(lines: Sequence[str], wanted: Sequence[str], pairs: Sequence[tuple[int, int]]) -> set[int]:
    """The lines without a counterpart; of the blank ones those that are more than the clean text has there."""
    kept = {place for place, _ in pairs}
    gone = {place for place, line in enumerate(lines) if line.strip() and place not in kept}
    ends = [(-1, -1), *pairs, (len(lines), len(wanted))]
    for (before, other), (place, next_other) in itertools.pairwise(ends):
        blank = [number for number in range(before + 1, place) if not lines[number].strip()]
        needed = sum(not line.strip() for line in wanted[other + 1 : next_other])
        gone.update(blank[: max(0, len(blank) - needed)])
    return gone


def _alike(lines: Sequence[str], wanted: Sequence[str]) -> Iterator[tuple[int, int]]:
    """Each takes the one that it shares most 3-grams of characters with, of those left."""
    others = [_grams(line) for line in wanted]
    start = 0
    for place, line in enumerate(lines):
        own = _grams(line)
        alike = [2 * len(own & other) / max(1, len(own) + len(other)) for other in others[start:]]
        if alike and max(alike) >= _LEAST_ALIKE:
            start += alike.index(max(alike)) + 1
            yield place, start - 1


def _grams(line: str) -> set[str]:
    return {line[place : place + 3] for place in range(len(line) - 2)}


def _replacements(line: str, wanted: str) -> Iterator[tuple[int, int, str]]:
    """The stretches of a line that changed: first by its words and signs, then by characters within what they leave."""
    tokens, others = _TOKEN.findall(line), _TOKEN.findall(wanted)
    starts = [0]
    for token in tokens:
        starts.append(starts[-1] + len(token))
    for tag, a, b, c, d in difflib.SequenceMatcher(None, tokens, others, autojunk=False).get_opcodes():
        if tag == "equal":
            continue
        old, new = "".join(tokens[a:b]), "".join(others[c:d])
        for kind, i, j, k, m in difflib.SequenceMatcher(None, old, new, autojunk=False).get_opcodes():
            if kind != "equal":
                yield starts[a] + i, starts[a] + j, new[k:m]


def _told(lines: Mapping[int, str], changes: Sequence[_Change]) -> Iterator[Normalize]:
    """Statements for changes, each once. A string will do if it stands only where something changed, and becomes the
    same wherever it stands alone; else it is looked at with its neighbors, and with many of them left out."""
    left = list(changes)
    for beside in _BESIDE:
        spans: dict[int, list[tuple[int, int]]] = {}
        for place, first, end, _ in changes:
            spans.setdefault(place, []).append((first - beside, end + beside))
        wide = [_widened(lines[change[0]], change, beside) for change in left]
        targets: dict[str, set[str]] = {}
        for statement in wide:
            if statement is not None:
                targets.setdefault(statement.source, set()).add(statement.target)
        told = {source for source, found in targets.items() if len(found) == 1 and _only_within(source, lines, spans)}
        yield from [statement for statement in wide if statement and statement.source in told]
        rest = zip(left, wide, strict=True)
        left = [change for change, statement in rest if statement is None or statement.source not in told]


def _only_within(source: str, lines: Mapping[int, str], spans: Mapping[int, Sequence[tuple[int, int]]]) -> bool:
    for place, line in lines.items():
        start = line.find(source)
        while start >= 0:
            end = start + len(source)
            if not any(first <= start and end <= behind for first, behind in spans.get(place, ())):
                return False
            start = line.find(source, start + 1)
    return True


def _widened(line: str, change: _Change, beside: int) -> Normalize | None:
    _, first, end, target = change
    before, behind = line[max(0, first - beside) : first], line[end : end + beside]
    source = before + line[first:end] + behind
    return Normalize(source, before + target + behind) if 0 < len(source) <= _LONGEST else None
