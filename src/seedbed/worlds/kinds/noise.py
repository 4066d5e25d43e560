from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import ClassVar

from seedbed.core.counters import key
from seedbed.core.errors import InputError
from seedbed.corpus.artifact import Corpus
from seedbed.corpus.documents import Document
from seedbed.worlds import Row, Truth, worlds
from seedbed.worlds.annotate import about, tagged
from seedbed.worlds.base import Base
from seedbed.worlds.dice import Dice
from seedbed.worlds.plants import PLANTS, Piece, edited, pieces_of
from seedbed.worlds.words import lexicon


@worlds.register("noise", version=2)
class Noise:
    """A corpus with planted faults, each of them known: for filters, whose precision and recall can be counted.

    Over `corpus`, or over prose made for it. Each parameter is the share of documents that get this kind; a document
    may get several. `truncation`: the text ends in its second half; `mojibake`: sentences with broken accents;
    `markup`: broken tags and entities; `pii`: sentences with made-up e-mail addresses, telephone numbers, IP addresses,
    account numbers (reserved ones, that belong to nobody) and names; `toxicity`: sentences with mild insults;
    `boilerplate`: header and footer of one of forty sites; `exact_duplicates`: a copy; `near_duplicates`: a copy with
    a share `edit_rate` of the words replaced, left out or doubled. Raising a rate keeps what a lower one planted, and
    changes nothing of another kind but its places. Ids are the source's, those of copies end in `~exact` and `~near`;
    by default a document and its copies are in the same split. `seedbed.worlds.measure` counts precision and recall.

    truth/planted.jsonl, for every document: document, original (the source's id), copy_of (or null), kinds, edits
    (words of a near-duplicate that differ), spans [{kind, type, start, end}] in characters; a truncation's span is
    empty, at the place of the cut. originals.jsonl: document, text before anything was planted, where that differs.

    Labels: `kinds` (sequences: what was planted in a document, or `clean`; documents with several kinds are left out),
    `pii` (tokens, BIO, line by line).
    """

    documents_per_second: ClassVar[float] = 3000
    bytes_per_document: ClassVar[float] = 650
    split_by: ClassVar[str] = "metadata.original"
    tasks: ClassVar[Mapping[str, str]] = {"kinds": "sequences", "pii": "tokens"}

    def __init__(
        self,
        documents: int | None = None,
        *,
        corpus: Corpus | None = None,
        exact_duplicates: float = 0.05,
        near_duplicates: float = 0.05,
        edit_rate: float = 0.05,
        boilerplate: float = 0.1,
        pii: float = 0.1,
        toxicity: float = 0.02,
        markup: float = 0.05,
        mojibake: float = 0.03,
        truncation: float = 0.03,
        vocabulary: int = 0,
    ) -> None:
        self.rates = {
            "exact_duplicates": exact_duplicates,
            "near_duplicates": near_duplicates,
            "boilerplate": boilerplate,
            "pii": pii,
            "toxicity": toxicity,
            "markup": markup,
            "mojibake": mojibake,
            "truncation": truncation,
        }
        for name, share in {**self.rates, "edit_rate": edit_rate}.items():
            if not 0 <= share <= 1:
                raise InputError(name, "is a share between 0 and 1", value=share)
        self.base, self.edit_rate = Base(corpus, documents, vocabulary), edit_rate
        self._words = lexicon(vocabulary)

    def stream(self, seed: int) -> Iterator[Document | Truth]:
        for source in self.base.read(seed):
            pieces = pieces_of(source.text)
            for kind, plant in PLANTS.items():
                if pieces and self._is_chosen(seed, kind, source.id):
                    plant(pieces, Dice(seed, kind, source.id), self._words)
            text = _joined(pieces)
            document = replace(source, text=text, metadata={**source.metadata, "original": source.id})
            if text != source.text:
                yield Truth("originals", {"document": source.id, "text": source.text})
            yield from _known(document, pieces)
            if self._is_chosen(seed, "exact_duplicates", source.id):
                yield from _known(replace(document, id=f"{source.id}~exact"), pieces, ["exact_duplicates"])
            if self._is_chosen(seed, "near_duplicates", source.id):
                pieces = [replace(piece) for piece in pieces]
                edits = edited(pieces, Dice(seed, "edits", source.id), self.edit_rate, self._words)
                copy = replace(document, id=f"{source.id}~near", text=_joined(pieces))
                yield from _known(copy, pieces, ["near_duplicates"], edits)

    def records(self, task: str, texts: Mapping[str, str], truth: Callable[[str], Iterator[Row]]) -> Iterator[Row]:
        for id, text, row in about(texts, truth("planted")):
            if task == "kinds":
                kinds = [kind for kind in row["kinds"] if kind in PLANTS]
                if len(kinds) < 2:
                    yield {"id": id, "text": text, "label": kinds[0] if kinds else "clean"}
                continue
            spans = [(span["start"], span["end"], span["type"]) for span in row["spans"] if span["kind"] == "pii"]
            start = 0
            for number, line in enumerate(text.splitlines(keepends=True)):
                words, tags = tagged(text, start, start + len(line), spans)
                start += len(line)
                if words:
                    yield {"id": f"{id}:{number}", "tokens": words, "tags": tags}

    def _is_chosen(self, seed: int, kind: str, id: str) -> bool:
        return key(seed, "noise", kind, id) < self.rates[kind] * 2.0**64


def _joined(pieces: list[Piece]) -> str:
    return "".join([piece.text for piece in pieces])


def _known(
    document: Document, pieces: list[Piece], copied: list[str] | None = None, edits: int = 0
) -> Iterator[Document | Truth]:
    """A document and what was planted in it."""
    spans, place = [], 0
    for piece in pieces:
        end = place + len(piece.text)
        if piece.kind not in ("", "carrier"):
            spans.append({"kind": piece.kind, "type": piece.type or piece.kind, "start": place, "end": end})
        place = end
    original = document.metadata["original"]
    row: Row = {"document": document.id, "original": original, "copy_of": original if copied else None}
    kinds = sorted({str(span["kind"]) for span in spans}) + (copied or [])
    yield document
    yield Truth("planted", {**row, "kinds": kinds, "edits": edits, "spans": spans})
