"""Sentences of Universal Dependencies treebanks (CoNLL-U) as records."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

_COLUMNS = 10


def sentences(lines: Iterable[tuple[int, str]]) -> Iterator[tuple[int, dict[str, Any] | str]]:
    """From numbered lines the number of each sentence's first one, and its record: `id`, `text`, its words as `tokens`,
    their universal parts of speech as `tags`, and `xpos` and `lemmas`; or what is wrong with the sentence.

    The words are the syntactic ones, to which tags are given: of a contraction ("du") its parts, and no empty nodes
    (universaldependencies.org/format.html).
    """
    comments: dict[str, str] = {}
    rows: list[list[str]] = []
    first, problem = 0, ""
    for number, line in lines:
        if not line.strip():
            if rows or problem:
                yield first, problem or _record(comments, rows)
            comments, rows, first, problem = {}, [], 0, ""
            continue
        first = first or number
        if line.startswith("#"):
            name, _, value = line[1:].partition("=")
            comments[name.strip()] = value.strip()
            continue
        row = line.split("\t")
        if len(row) != _COLUMNS:
            problem = f"line {number} has {len(row)} columns, not the ten of CoNLL-U"
        elif row[0].isdigit():
            rows.append(row)
    if rows or problem:
        yield first, problem or _record(comments, rows)


def _record(comments: dict[str, str], rows: list[list[str]]) -> dict[str, Any]:
    _, tokens, lemmas, tags, xpos = (list(column) for column in list(zip(*rows, strict=True))[:5])
    record = {"text": comments.get("text", " ".join(tokens))}
    if "sent_id" in comments:
        record["id"] = comments["sent_id"]
    return record | {"tokens": tokens, "tags": tags, "xpos": xpos, "lemmas": lemmas}
