"""Why two documents of a finished corpus match, or do not: their texts, n-grams, bands, and the chain of links between
them.

Similarities are computed anew, from the texts as they stand in `data/` and `dropped/`: of a document that a step
changed after `near_duplicates` had seen it they may differ from what that step found. A chain through a document of
the older corpus that a new one was made against is not found, since that document is not here.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from seedbed.core.errors import InputError

from .artifact import Corpus
from .explain import Life, explain

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
class Comparison:
    """All that is known about two documents together. `chain` are the links that lead from one to the other, among all
    that `near_duplicates` found together; empty if they do not belong together."""

    left: Fate
    right: Fate
    same_text: bool  # but for white space
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


def compare(corpus: Corpus, left: str, right: str) -> Comparison:
    """Raises InputError if the corpus does not have one of them."""
    lives = [explain(corpus, id) for id in (left, right)]
    method = _method(corpus)
    texts = [life.text for life in lives]
    known = _Compared(method, [life.id for life in lives], texts)
    equal = known.signatures_NH[0] == known.signatures_NH[1]
    grams = [_grams(text, method.ngram) for text in known.plain]
    return Comparison(
        left=_fate(lives[0]),
        right=_fate(lives[1]),
        same_text=texts[0].split() == texts[1].split(),
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
        chain=_chain(corpus, method, lives),
    )


def lines(found: Comparison) -> Iterator[str]:
    """For a person to read."""
    for side in (found.left, found.right):
        yield f"{side.id}: {side.fate}" + (f" by {side.step}: {side.reason}" if side.step else "")
    yield f"the same text: {'yes' if found.same_text else 'no'}"
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


def _fate(life: Life) -> Fate:
    last = life.visits[-1] if life.visits else None
    for visit in life.visits:
        if visit.outcome == "dropped":
            last = visit
    dropped = last is not None and last.outcome == "dropped"
    return Fate(life.id, life.fate, last.step if last and dropped else "", last.reason if last and dropped else "")


def _method(corpus: Corpus) -> NearDuplicates:
    """As the corpus was made with; with the defaults if it was made without."""
    from seedbed.corpus.curating.near_duplicates import NearDuplicates

    steps = (corpus.manifest or {}).get("parameters", {}).get("curate", [])
    given: dict[str, Any] = next((step[_STEP] for step in steps if isinstance(step.get(_STEP), dict)), {})
    return NearDuplicates(**{name: value for name, value in given.items() if name != "against"})


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


def _chain(corpus: Corpus, method: NearDuplicates, lives: Sequence[Life]) -> list[Link]:
    """The shortest chain of links from the first document to the second one in their component."""
    roots = {_root(life) for life in lives}
    if len(roots) > 1:
        return []
    (root,) = roots
    rows = {row["id"]: row["text"] for row in _component(corpus, root)}
    rows |= {life.id: life.text for life in lives}
    if root not in rows:
        with contextlib.suppress(InputError):  # it is of another corpus
            rows[root] = explain(corpus, root).text
    known = _Compared(method, list(rows), list(rows.values()))
    start, end = (known.ids.index(life.id) for life in lives)
    return _path(known, method.threshold, start, end) if known.plain[start] else []


def _path(known: _Compared, threshold: float, start: int, end: int) -> list[Link]:
    """Breadth first."""
    from .text.ngrams import jaccard

    before = {start: start}
    waiting = [start]
    while waiting and end not in before:
        reached = []
        for here in waiting:
            agree = (known.keys_NK == known.keys_NK[here]).any(axis=1)
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


def _root(life: Life) -> str:
    """The document that stays of the component of this one."""
    fate = _fate(life)
    match = _REASON.fullmatch(fate.reason) if fate.step == _STEP else None
    return match["kept"] if match else life.id


def _component(corpus: Corpus, root: str) -> Iterator[dict[str, Any]]:
    """What was dropped as a near duplicate of this document."""
    import pyarrow.compute as pc
    import pyarrow.parquet as pq

    for path in sorted((corpus.path / "dropped").glob(f"*-{_STEP}-*.parquet")):
        with pq.ParquetFile(path) as file:
            for group in range(file.num_row_groups):
                reasons = file.read_row_group(group, ["reason"])["reason"]
                wanted = pc.starts_with(reasons, f"near duplicate of {root} (similarity ")
                if pc.any(wanted).as_py():
                    yield from file.read_row_group(group, ["id", "text"]).filter(wanted).to_pylist()
