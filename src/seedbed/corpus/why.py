"""Why two documents match, or do not: what became of them, and what the steps that look for duplicates go by: n-grams,
bands and the chain of links between them, addresses, embeddings.

A document of an older corpus that the corpus was made against is found, too; it is called `ID of NAME`, as in reasons.
Similarities are computed anew, from the texts as they stand in `data/` and `dropped/`: of a document that a step
changed after `near_duplicates` had seen it they may differ from what that step found. Of an older corpus a chain is
looked for through two documents only: the one that a reason names, and the one that is asked for.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from seedbed.core.artifact import Artifact
from seedbed.core.errors import InputError

from .artifact import Corpus
from .explain import ARTIFACT, HOW_TO_NAME, Life, corpora_in, find, parameters

if TYPE_CHECKING:
    from .curating.near_duplicates import NearDuplicates
    from .text.ngrams import Sets

_STEP = "near_duplicates"
_REASON = re.compile(r"near duplicate of (?P<kept>.+) \(similarity [\d.]+\)", re.DOTALL)
_EXAMPLES = 3
_SHOWN = 200  # characters of an example


@dataclass(frozen=True)
class Fate:
    """What became of a document: `kept`, or `dropped` by a step with its reason."""

    id: str
    fate: str
    step: str = ""
    reason: str = ""


@dataclass(frozen=True)
class Link:
    """Two documents that were compared, and how similar they are."""

    left: str
    right: str
    similarity: float


@dataclass(frozen=True)
class Overlap:
    """Two texts as one step `near_duplicates` compares them. `chain` are the links that lead from one to the other,
    among all that it found together; empty if they do not belong together."""

    number: int  # of the step; 0 where the corpus was made without, and the defaults are taken
    ngram: int
    sizes: tuple[int, int]  # different n-grams of each
    shared: int
    similarity: float  # of the sets of n-grams, Jaccard
    estimate: float | None  # from the signatures; None for a text without words
    bands: int
    rows: int
    shared_bands: list[int]
    threshold: float
    examples: list[str]  # the longest passages of shared n-grams, in plain form
    chain: list[Link]


@dataclass(frozen=True)
class Addresses:
    """Those that a step `duplicate_urls` compared, normalized; None for a document without any."""

    number: int
    left: str | None
    right: str | None


@dataclass(frozen=True)
class Meaning:
    """The embeddings of two texts, as a step `semantic_duplicates` compared them."""

    number: int
    cosine: float
    threshold: float


@dataclass(frozen=True)
class Comparison:
    """All that is known about two documents together: by every step `near_duplicates`, and by those of the others that
    dropped one of them."""

    left: Fate
    right: Fate
    same_text: bool  # but for white space
    overlaps: list[Overlap]
    addresses: list[Addresses] = field(default_factory=list)
    meanings: list[Meaning] = field(default_factory=list)


@dataclass(frozen=True)
class _Document:
    """One of the two: its name, the corpus it is of, and the number of the step that dropped it, or 0."""

    name: str
    corpus: Corpus
    life: Life
    gone: int

    @classmethod
    def of(cls, corpus: Corpus, name: str, life: Life) -> _Document:
        outcomes = [visit.outcome for visit in life.visits]
        return cls(name, corpus, life, outcomes.index("dropped") + 1 if "dropped" in outcomes else 0)

    @property
    def fate(self) -> Fate:
        visit = self.life.visits[self.gone - 1] if self.gone else None
        return Fate(self.name, self.life.fate, visit.step if visit else "", visit.reason if visit else "")


def compare(corpus: Corpus, left: str, right: str) -> Comparison:
    """Raises InputError if neither the corpus has one of them, nor one that it was made against."""
    pair = [_document(corpus, name) for name in (left, right)]
    texts = [document.life.text for document in pair]
    overlaps: list[Overlap] = []
    addresses: list[Addresses] = []
    meanings: list[Meaning] = []
    for number, step in enumerate(parameters(corpus, "curate"), 1):
        name = next(iter(step))
        went_here = any(document.corpus == corpus and document.gone == number for document in pair)
        if name == _STEP:
            overlaps.append(_overlap(corpus, number, _method(corpus, step), pair))
        elif name == "duplicate_urls" and went_here:
            addresses.append(_addresses(number, _method(corpus, step), pair))
        elif name == "semantic_duplicates" and went_here:
            with suppress(InputError):  # the model is gone; there still is the reason
                meanings += _meaning(number, _method(corpus, step), texts)
    if not overlaps:
        overlaps.append(_overlap(corpus, 0, _method(corpus, {_STEP: {}}), pair))
    same = texts[0].split() == texts[1].split()
    return Comparison(pair[0].fate, pair[1].fate, same, overlaps, addresses, meanings)


def lines(found: Comparison) -> Iterator[str]:
    """For a person to read."""
    for side in (found.left, found.right):
        yield f"{side.id}: {side.fate}" + (f" by {side.step}: {side.reason}" if side.step else "")
    yield f"the same text: {'yes' if found.same_text else 'no'}"
    for overlap in found.overlaps:
        yield f"step {overlap.number}, {_STEP}:" if overlap.number else f"{_STEP}, which is no step of it, by default:"
        yield from (f"  {line}" for line in _lines(overlap))
    for pair in found.addresses:
        yield f"step {pair.number}, duplicate_urls:"
        yield f"  addresses: {pair.left or 'none'} and {pair.right or 'none'}"
    for meaning in found.meanings:
        yield f"step {meaning.number}, semantic_duplicates:"
        yield f"  cosine of the embeddings: {meaning.cosine:.3f}, of which {meaning.threshold} is enough"


def _lines(found: Overlap) -> Iterator[str]:
    yield (
        f"{found.ngram}-grams of words: {found.sizes[0]} and {found.sizes[1]}, {found.shared} in both; "
        f"Jaccard similarity {found.similarity:.3f}, of which {found.threshold} is enough"
    )
    if found.estimate is None:
        yield "a text has no words, so it has no signature"
    else:
        which = f" ({', '.join(map(str, found.shared_bands))})" if found.shared_bands else ""
        yield (
            f"MinHash signatures: {found.estimate:.3f} of the hashes agree; "
            f"{len(found.shared_bands)} of {found.bands} bands of {found.rows}{which}"
        )
    for example in found.examples:
        yield f"in both: {example}"
    for link in found.chain:
        yield f"linked: {link.left} - {link.right} (similarity {link.similarity:.3f})"
    if not found.chain:
        yield "no chain of links leads from one to the other"


def _document(corpus: Corpus, name: str) -> _Document:
    """By its id, or `ID of NAME`, in the corpus or else in one that it was made against."""
    if life := find(corpus, name):
        return _Document.of(corpus, life.id, life)
    older = corpora_in(corpus, parameters(corpus, "curate"))
    for other in older:
        of = f" of {other.path.name}"
        if life := find(other, name.removesuffix(of)):
            return _Document.of(other, life.id + of, life)
    names = ", ".join(other.path.name for other in older) or "none that is still where it was"
    problem = "has never seen this document, nor has a corpus that it was made against"
    raise InputError(str(corpus.path), problem, value=name, allowed=names, fix=HOW_TO_NAME)


def _method(corpus: Corpus, step: dict[str, Any]) -> Any:
    """The step's method as it was made. An artifact that is gone is none: an InputError where one is required."""
    from seedbed.corpus import curation

    curation.load()  # and with the steps the kinds of artifacts that they take
    inputs = {f"{ARTIFACT}{artifact.fingerprint}": artifact for artifact in corpus.inputs()}
    ((name, given),) = step.items()
    opened = {
        key: inputs.get(value) if isinstance(value, str) and value.startswith(ARTIFACT) else value
        for key, value in given.items()
    }
    return curation.parse({name: opened}).build(
        build_artifact=lambda reference: Artifact.kinds[reference.kind].open(reference.target)
    )


def _addresses(number: int, method: Any, pair: Sequence[_Document]) -> Addresses:
    lives = [document.life for document in pair]
    return Addresses(number, *(method.address(life.id, json.dumps(life.metadata)) for life in lives))


def _meaning(number: int, method: Any, texts: Sequence[str]) -> list[Meaning]:
    """None for a blank text, which has no embedding."""
    from .engine import daft

    ids, vectors_ND = method.embeddings(daft.from_pydict({"id": ["0", "1"], "text": list(texts)}))
    return [Meaning(number, float(vectors_ND[0] @ vectors_ND[1]), method.threshold)] if len(ids) == 2 else []


def _overlap(corpus: Corpus, number: int, method: NearDuplicates, pair: Sequence[_Document]) -> Overlap:
    known = _Compared(method, [document.name for document in pair], [document.life.text for document in pair])
    equal = known.signatures_NH[0] == known.signatures_NH[1]
    grams = [_grams(text, method.ngram) for text in known.plain]
    return Overlap(
        number=number,
        ngram=method.ngram,
        sizes=(len(set(grams[0])), len(set(grams[1]))),
        shared=len(set(grams[0]) & set(grams[1])),
        similarity=known.similarity(0, 1),
        estimate=float(equal.mean()) if all(known.plain) else None,
        bands=method.bands,
        rows=method.rows,
        shared_bands=known.shared_bands(0, 1) if all(known.plain) else [],
        threshold=method.threshold,
        examples=_passages(grams[0], set(grams[1])),
        chain=_chain(corpus, number, method, pair) if number else [],
    )


class _Compared:
    """Signatures and n-gram sets of some documents."""

    def __init__(self, method: NearDuplicates, ids: Sequence[str], texts: Sequence[str]) -> None:
        from .engine import daft, functions
        from .tagging import plain
        from .text.linking import band_keys

        names = [str(row) for row in range(len(ids))]
        frame = daft.from_pydict({"id": names, "text": list(texts)})
        self.ids = list(ids)
        self.sets: Sets = method.sets(frame, names)
        words = frame.select("id", functions.strip(plain(daft.col("text"))).alias("plain")).to_pydict()
        found = dict(zip(words["id"], words["plain"], strict=True))
        self.plain: list[str] = [found[name] for name in names]
        self.signatures_NH = np.zeros((len(ids), method.bands * method.rows), np.uint32)
        signed = method.signatures(frame).select("id", "_signature").to_arrow().combine_chunks()
        rows = [int(name) for name in signed["id"].to_pylist()]
        if rows:
            self.signatures_NH[rows] = method.matrix(signed["_signature"].combine_chunks())
        self.keys_NK = band_keys(self.signatures_NH, method.bands, method.rows)

    def similarity(self, left: int, right: int) -> float:
        from .text.ngrams import jaccard

        if not self.sets.sizes[[left, right]].any():
            return 0.0
        return float(jaccard(self.sets, np.array([left]), np.array([right]))[0])

    def shared_bands(self, left: int, right: int) -> list[int]:
        return [int(band) for band in np.flatnonzero(self.keys_NK[left] == self.keys_NK[right])]


def _grams(plain: str, n: int) -> list[tuple[str, ...]]:
    """The n-grams of words in order; of a text with fewer words, the whole as one."""
    words = plain.split()
    return [tuple(words[place : place + n]) for place in range(max(len(words) - n + 1, 1))] if words else []


def _passages(grams: Sequence[tuple[str, ...]], others: set[tuple[str, ...]]) -> list[str]:
    """The longest runs of shared n-grams."""
    runs: list[list[str]] = []
    open_ = False
    for gram in grams:
        if gram in others and open_:
            runs[-1].append(gram[-1])
        elif gram in others:
            runs.append(list(gram))
        open_ = gram in others
    longest = sorted(runs, key=len, reverse=True)[:_EXAMPLES]
    return [text if len(text := " ".join(run)) <= _SHOWN else text[: _SHOWN - 3] + "..." for run in longest]


def _chain(corpus: Corpus, number: int, method: NearDuplicates, pair: Sequence[_Document]) -> list[Link]:
    """The shortest chain of links from the first document to the second one in their component."""
    older = [document for document in pair if document.corpus != corpus]
    if any(document.corpus != method.against or document.life.fate != "kept" for document in older):
        return []  # the step has not seen it
    roots = {_root(document, number) for document in pair if document not in older}
    if len(roots) != 1:
        return []
    (root,) = roots
    texts = {row["id"]: row["text"] for row in _component(corpus, number, root)}
    texts |= {document.name: document.life.text for document in pair}
    if root not in texts:
        with suppress(InputError):  # the older corpus is gone
            found = _document(corpus, root)
            texts[root] = found.life.text
            older += [found] if found.corpus != corpus else []
    known = _Compared(method, list(texts), list(texts.values()))
    is_older_N = np.isin(known.ids, [document.name for document in older])
    start, end = (known.ids.index(document.name) for document in pair)
    return _path(known, method.threshold, is_older_N, start, end) if known.plain[start] else []


def _path(known: _Compared, threshold: float, is_older_N: np.ndarray, start: int, end: int) -> list[Link]:
    """Breadth first; two documents of an older corpus are not linked."""
    from .text.ngrams import jaccard

    before = {start: start}
    waiting = [start]
    while waiting and end not in before:
        reached = []
        for here in waiting:
            agree = (known.keys_NK == known.keys_NK[here]).any(axis=1) & ~(is_older_N & is_older_N[here])
            others = np.array([row for row in np.flatnonzero(agree) if row not in before], np.int64)
            alike = jaccard(known.sets, np.full(len(others), here), others)
            for other in others[alike >= threshold].tolist():
                before[other] = here
                reached.append(other)
        waiting = reached
    links: list[Link] = []
    while end in before and end != start:
        links.append(Link(known.ids[before[end]], known.ids[end], known.similarity(before[end], end)))
        end = before[end]
    return links[::-1]


def _root(document: _Document, number: int) -> str:
    """The document that stays of the component in which a step found this one."""
    match = _REASON.fullmatch(document.fate.reason) if document.gone == number else None
    return match["kept"] if match else document.name


def _component(corpus: Corpus, number: int, root: str) -> Iterator[dict[str, Any]]:
    """What a step dropped as a near duplicate of this document."""
    import pyarrow.compute as pc
    import pyarrow.parquet as pq

    for path in sorted((corpus.path / "dropped").glob(f"{number:02d}-{_STEP}-*.parquet")):
        with pq.ParquetFile(path) as file:
            for group in range(file.num_row_groups):
                reasons = file.read_row_group(group, ["reason"])["reason"]
                wanted = pc.starts_with(reasons, f"near duplicate of {root} (similarity ")
                if pc.any(wanted).as_py():
                    yield from file.read_row_group(group, ["id", "text"]).filter(wanted).to_pylist()
