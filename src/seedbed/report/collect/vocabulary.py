"""A vocabulary: how it fits text, its longest and most frequent tokens, and how it cuts a text."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from seedbed.core.errors import InputError
from seedbed.corpus.artifact import Corpus
from seedbed.data.artifact import Tokens
from seedbed.vocabulary.artifact import Tokenizer

from .corpus import DOMAINS, rows_of
from .steps import StepFacts
from .texts import called

COUNTED = 4_000_000  # tokens of the training split that are counted
RARE = 10
SHOWN = 36
_CUT = 420  # characters of the text that is shown in pieces


@dataclass
class VocabularyReport:
    """One tokenizer. `pieces` are the parts of a text with whether each is a token (or what lies between two)."""

    name: str
    size: int
    settings: dict[str, str]
    measured_on: str
    domains: dict[str, dict[str, Any]]
    sampled_bytes: int | None = None
    corpus_bytes: int | None = None
    longest: list[str] = field(default_factory=list)
    frequent: list[tuple[str, float]] = field(default_factory=list)  # with the share of all tokens
    counted: int = 0
    rare: int = 0  # tokens that occur less than RARE times among those counted
    pieces: list[tuple[str, bool]] = field(default_factory=list)
    pieces_from: str = ""


def vocabulary_report(step: StepFacts, others: list[StepFacts]) -> VocabularyReport:
    """From the manifest and the tokenizer; `others` are searched for tokens that it made."""
    tokenizer = step.artifact
    assert isinstance(tokenizer, Tokenizer)
    counts, vocabulary, fast = step.counts, tokenizer.vocabulary(), tokenizer.load()
    names = ("algorithm", "style", "alpha")
    settings = {name: called(step.parameters[name]) for name in names if name in step.parameters}
    report = VocabularyReport(
        step.name,
        vocabulary.size,
        settings,
        str(counts.get("measured_on", "")),
        dict(sorted(counts.get("by_domain", {}).items(), key=lambda item: -item[1]["bytes"])[:DOMAINS]),
        counts.get("sampled_bytes"),
        counts.get("corpus_bytes"),
    )
    ordinary = np.flatnonzero(~vocabulary.special_V)

    def shown(index: int) -> str:
        return readable(fast, vocabulary.tokens[index])

    words = [shown(int(index)) for index in ordinary]
    report.longest = sorted(words, key=lambda word: (-sum(map(str.isalnum, word)), -len(word), word))[:SHOWN]
    tokens = next((s.artifact for s in others if s.kind == "tokens" and step.fingerprint in s.inputs), None)
    if isinstance(tokens, Tokens):
        _count(report, tokens, ordinary, shown)
    _cut_a_text(report, fast, step)
    return report


def readable(fast: Any, token: str) -> str:
    """A token as text; where its bytes are no whole character, as the tokenizer writes it."""
    index = fast.token_to_id(token)
    text = fast.decode([index], skip_special_tokens=False) if index is not None else ""
    if not text or "\ufffd" in text:
        return visible(token)
    blank = token.startswith(("\u0120", "\u2581")) and not text.startswith(" ")  # which some decoders strip
    return visible((" " if blank else "") + text)


def visible(text: str) -> str:
    """With marks for what cannot be seen."""
    marks = {" ": "␣", "\n": "⏎", "\t": "⇥", "\r": "␍"}
    return "".join(marks.get(c, c if c.isprintable() else f"\\x{ord(c):02x}") for c in text[:40])


def _count(report: VocabularyReport, tokens: Tokens, ordinary: np.ndarray, shown: Any) -> None:
    try:
        stream = tokens.split("train").tokens[:COUNTED]
    except InputError:
        return
    counts_V = np.bincount(stream, minlength=report.size)
    report.counted = len(stream)
    report.rare = int((counts_V[ordinary] < RARE).sum())
    order = ordinary[np.argsort(-counts_V[ordinary], kind="stable")][:SHOWN]
    report.frequent = [
        (shown(int(index)), counts_V[index] / max(report.counted, 1)) for index in order if counts_V[index]
    ]


def _cut_a_text(report: VocabularyReport, fast: Any, step: StepFacts) -> None:
    """The beginning of a held-out document (of a training one where nothing is held out), in pieces."""
    corpora = [item for item in (step.artifact.inputs() if step.artifact else []) if isinstance(item, Corpus)]
    for corpus in corpora[:1]:
        splits = corpus.splits()
        split = next((name for name in ("validation", "test") if name in splits), splits[0])
        rows = rows_of(corpus.files(split)[0], ["text"], 1)
        if rows:
            text = str(rows[0]["text"])[:_CUT]
            report.pieces = pieces_of(text, fast.encode(text, add_special_tokens=False).offsets)
            report.pieces_from = f"a document of the split {split}"


def pieces_of(text: str, offsets: list[tuple[int, int]]) -> list[tuple[str, bool]]:
    """A text in tokens and what lies between them; tokens that share a character count once."""
    found: list[tuple[str, bool]] = []
    end = 0
    for start, stop in offsets:
        if start > end:
            found.append((text[end:start], False))
        if stop > max(start, end):
            found.append((text[max(start, end) : stop], True))
        end = max(end, stop)
    if end < len(text):
        found.append((text[end:], False))
    return found
