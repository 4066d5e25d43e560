"""Spans from IOB tags, and their F1, by seqeval's default rules (which are conlleval's).

A tag is `O`, or a mark B, I, E or S with a type after a hyphen, or the mark alone. A span begins at B or S, at I or E
that follows O or another type, and after E or S; so `I-X` without a `B-X` begins a span too. It ends before O, another
type, B or S, and after E or S. A prediction counts if its type and both ends are right.
"""

from __future__ import annotations

from collections.abc import Sequence

Chunk = tuple[str, int, int]  # type, first word, last word


def chunks(tags: Sequence[str]) -> list[Chunk]:
    """The spans of one sentence."""
    found: list[Chunk] = []
    mark_before, type_before, start = "O", "", 0
    for index, tag in enumerate([*tags, "O"]):
        mark, _, kind = tag.partition("-")
        kind = kind if mark != "O" else ""
        if mark_before != "O" and (mark_before in "ES" or mark in "BSO" or kind != type_before):
            found.append((type_before, start, index - 1))
        if mark != "O" and (mark in "BS" or mark_before in ("E", "S", "O") or kind != type_before):
            start = index
        mark_before, type_before = mark, kind
    return found


def is_iob(tags: set[str]) -> bool:
    """Whether a tag set is of spans: nothing but O and marked types, and at least one of these; or, where there is a
    single type without a name, nothing but O and marks, B among them."""
    marked = {tag for tag in tags if len(tag) > 2 and tag[0] in "BIES" and tag[1] == "-"}
    return (bool(marked) and tags - marked <= {"O"}) or {"B", "O"} <= tags <= set("BIESO")


def span_counts(truth: Sequence[str], said: Sequence[str]) -> tuple[int, int, int]:
    """For one sentence: spans that are right, spans said, spans there are."""
    assert len(truth) == len(said)
    right, found = set(chunks(truth)), set(chunks(said))
    return len(right & found), len(found), len(right)
