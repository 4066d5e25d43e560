"""Labeled records from the truth of the world `facts`; each function is one of its tasks."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping

from . import Row
from .entities import type_of

Texts = Mapping[str, str]
TruthReader = Callable[[str], Iterator[Row]]

_SENTENCE = re.compile(r"[^\s.!?][^.!?\n]*[.!?]?")
_WORD = re.compile(r"\w+|[^\w\s]")


def sentences(text: str) -> list[tuple[int, int]]:
    """The places of sentences and headings: they end at a period, an exclamation or question mark, or a line's end."""
    return [match.span() for match in _SENTENCE.finditer(text)]


def tagged(text: str, start: int, end: int, spans: list[tuple[int, int, str]]) -> tuple[list[str], list[str]]:
    """The words of text[start:end] with BIO tags for spans (start, end, type), which are whole words."""
    words, tags = [], []
    for match in _WORD.finditer(text, start, end):
        inside = next((span for span in spans if span[0] <= match.start() < span[1]), None)
        mark = "O" if inside is None else f"{'B' if match.start() == inside[0] else 'I'}-{inside[2]}"
        words.append(match.group())
        tags.append(mark)
    return words, tags


def about(texts: Texts, rows: Iterator[Row]) -> Iterator[tuple[str, str, Row]]:
    """(id, text, row) of those of the documents that have a row, in their order."""
    found = {row["document"]: row for row in rows if row["document"] in texts}
    return ((id, text, found[id]) for id, text in texts.items() if id in found)


def entities(texts: Texts, truth: TruthReader) -> Iterator[Row]:
    for id, text, row in about(texts, truth("mentions")):
        spans = [(mention["start"], mention["end"], mention["type"]) for mention in row["mentions"]]
        for number, (start, end) in enumerate(sentences(text)):
            words, tags = tagged(text, start, end, spans)
            yield {"id": f"{id}:{number}", "tokens": words, "tags": tags}


def relations(texts: Texts, truth: TruthReader) -> Iterator[Row]:
    """The subject stands between <1> and </1>, the object between <2> and </2>: marks that a cipher leaves alone."""
    for id, text, row in about(texts, truth("statements")):
        for number, stated in enumerate(row["statements"]):
            spans = sorted([(*stated["subject"], 1), (*stated["object"], 2)])
            parts, place = [], stated["start"]
            for start, end, mark in spans:
                parts += [text[place:start], f"<{mark}> {text[start:end]} </{mark}>"]
                place = end
            sentence = "".join([*parts, text[place : stated["end"]]])
            yield {"id": f"{id}:{number}", "text": sentence, "label": stated["relation"]}


def statements(texts: Texts, truth: TruthReader) -> Iterator[Row]:
    for id, text, row in about(texts, truth("statements")):
        relation = {stated["start"]: stated["relation"] for stated in row["statements"]}
        spans = sentences(text)
        labels = [relation.get(start, "none") for start, _ in spans]
        yield {"id": id, "sentences": [text[start:end] for start, end in spans], "labels": labels}


def types(texts: Texts, truth: TruthReader) -> Iterator[Row]:
    for id, text, row in about(texts, truth("statements")):
        yield {"id": id, "text": text, "label": type_of(row["about"])}


def questions(texts: Texts, truth: TruthReader) -> Iterator[Row]:
    """At most one a document, about a fact that no other document chosen states, so that one document is right."""
    asked: dict[int, tuple[str, str]] = {}
    stated: set[int] = set()
    for id, text, row in about(texts, truth("statements")):
        facts = [statement["fact"] for statement in row["statements"] if statement["fact"] is not None]
        new = [fact for fact in facts if fact not in stated]
        if new and not asked.keys() & facts:
            asked[new[0]] = id, text
            stated.update(facts)
    for row in truth("questions"):
        if row["fact"] in asked:
            id, text = asked[row["fact"]]
            yield {"id": f"{id}:{row['fact']}", "query": row["question"], "document": text}


ANNOTATIONS: dict[str, Callable[[Texts, TruthReader], Iterator[Row]]] = {
    "entities": entities,
    "relations": relations,
    "statements": statements,
    "types": types,
    "questions": questions,
}
