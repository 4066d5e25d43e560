"""Search in the catalogue: BM25 over the fields of a row (Robertson et al., 2004: "Simple BM25 extension to multiple
weighted fields"), without any model and any network.

A query is a list of things looked for, each under the user's own word and under the field's words for it. The latter
count as one word, as rare as all of them together, so that neither many nor unusual ones outweigh what was said.
"""

from __future__ import annotations

import difflib
import functools
import math
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from seedbed.core.errors import InputError
from seedbed.papers.catalogue import Paper, load_catalogue
from seedbed.papers.words import aliases, stem, stems, words

FIELDS = {"title": 3.0, "keywords": 3.0, "summary": 2.0, "claim": 1.0, "family": 1.0, "modality": 1.0, "check": 0.5}
_K, _B = 1.2, 0.75
_OTHER_NAME = 0.7  # what a match by the field's word is worth, against 1 for the user's own


@dataclass(frozen=True)
class Hit:
    """A paper found, and why: what of the query it has ("laptop as cpu" where it says so in other words), and where."""

    paper: Paper
    score: float
    matched: dict[str, tuple[str, ...]]


@dataclass(frozen=True)
class _Index:
    papers: list[Paper]
    weights: dict[str, dict[int, float]]  # stem -> paper -> weighted, length-normalized frequency

    def scores(self, names: Iterable[str]) -> dict[int, tuple[float, str]]:
        """For each paper that has one of the names, its part of the score and the name that counts most."""
        best: dict[int, tuple[float, str]] = {}
        for name in names:
            for paper, weight in self.weights.get(name, {}).items():
                best[paper] = max(best.get(paper, (0.0, "")), (weight, name))
        rarity = math.log(1 + (len(self.papers) - len(best) + 0.5) / (len(best) + 0.5))
        return {paper: (rarity * weight * (_K + 1) / (weight + _K), name) for paper, (weight, name) in best.items()}


def search(query: str, limit: int = 10) -> list[Hit]:
    """The papers that fit a question best, best first. Raises InputError if the query has no word to look for."""
    index = _index()
    sought = dict(_sought(query, index))
    if not sought:
        raise InputError("query", "no word to look for", value=query, fix="say what you have and what you want")
    scores: dict[int, float] = defaultdict(float)
    reasons: dict[int, dict[str, str]] = defaultdict(dict)
    for said, (own, others) in sought.items():
        found = {paper: (_OTHER_NAME * score, name) for paper, (score, name) in index.scores(others).items()}
        for paper, by_own in index.scores(own).items():
            found[paper] = max(by_own, found.get(paper, by_own))
        for paper, (score, name) in found.items():
            scores[paper] += score
            reasons[paper][said] = name
    first = sorted(scores, key=lambda paper: (-scores[paper], paper))[:limit]
    return [Hit(index.papers[paper], scores[paper], _why(index.papers[paper], reasons[paper])) for paper in first]


def _sought(query: str, index: _Index) -> Iterator[tuple[str, tuple[Sequence[str], Sequence[str]]]]:
    """The things that a query looks for: as it says them, their own stems, and the stems of other names."""
    pairs = words(query)
    for place, (word, own) in enumerate(pairs):
        yield word, ([own], aliases().get((own,), () if own in index.weights else _misspelled(own, index)))
        for size in (2, 3):
            said, known = zip(*pairs[place : place + size], strict=True)
            if known in aliases():
                yield " ".join(said), ([], aliases()[known])
        said = tuple(word for word, _ in pairs[place : place + 2])
        joined = stem("".join(said))  # "low resource" where the rows say "low-resource"
        if len(said) == 2 and joined in index.weights:
            yield "-".join(said), ([joined], [])


def _misspelled(word: str, index: _Index) -> list[str]:
    alike = [known for known in index.weights if known[0] == word[0]]
    return difflib.get_close_matches(word, alike, n=1, cutoff=0.85)


@functools.cache
def _index() -> _Index:
    papers = list(load_catalogue().values())
    texts = {field: [stems(_text(paper, field)) for paper in papers] for field in FIELDS}
    weights: dict[str, dict[int, float]] = defaultdict(lambda: defaultdict(float))
    for field, weight in FIELDS.items():
        mean = sum(map(len, texts[field])) / len(papers)
        for number, found in enumerate(texts[field]):
            share = weight / (1 - _B + _B * len(found) / mean)
            for name in found:
                weights[name][number] += share
    return _Index(papers, dict(weights))


def _text(paper: Paper, field: str) -> str:
    value = getattr(paper, field)
    return value if isinstance(value, str) else ", ".join(value)


def _why(paper: Paper, reasons: dict[str, str]) -> dict[str, tuple[str, ...]]:
    held = {field: {name: word for word, name in reversed(words(_text(paper, field)))} for field in FIELDS}
    matched = {}
    for said, name in reasons.items():
        fields = tuple(field for field in FIELDS if name in held[field])
        is_own = name == stem(said.replace("-", ""))
        matched[said if is_own else f"{said} as {held[fields[0]][name]}"] = fields
    whole = [word.split("-") for word in matched if "-" in word]
    return {word: fields for word, fields in matched.items() if not any(word in parts for parts in whole)}
