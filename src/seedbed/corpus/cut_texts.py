"""The step `cut_texts`: from any corpus to pairs of a text to read and a text to write."""

from __future__ import annotations

import heapq
import re
from typing import Any, Literal, get_args

from seedbed.core.checks import check_counts
from seedbed.core.counters import integers, key
from seedbed.core.errors import InputError
from seedbed.core.step import StepContext, step
from seedbed.corpus.artifact import Corpus
from seedbed.corpus.labels import PARTS, Labels, write_records

Ask = Literal["continue", "fill"]
GAP = "___"
_WORD = re.compile(r"\S+")


@step("cut_texts", gives=Labels)
def cut_texts(
    context: StepContext,
    *,
    corpus: Corpus,
    ask: list[Ask] = ["continue"],  # noqa: B006
    words: int = 40,
    wanted: int = 8,
    limit: int = 2000,
    seed: int = 0,
) -> None:
    """Pairs of a source and a target text from a corpus that has no labels, for the task `text_to_text`: how well a
    model goes on with a text (`continue`), or says what is missing in one (`fill`, with ___ in the place of it).

    A pair is cut out of `words` words in a row of a document, at a place that is drawn; its target are `wanted` of
    these: the last ones, or others within. Words end at white space, and what stands between them is kept. With several
    kinds each pair's kind is drawn, and its source begins with its name and a colon. Documents of the split `train`
    give train.jsonl, those of `test` test.jsonl, and those of `validation` validation.jsonl: of each at most `limit`,
    those whose ids have the smallest hash; shorter documents are left out, and counted (`short`). There may be none of
    `validation`.
    """
    check_counts(words=words, wanted=wanted, limit=limit)
    if wanted >= words:
        raise InputError("wanted", "must be less than words", value=wanted, allowed=f"up to {words - 1}")
    if not ask or len(set(ask)) < len(ask):
        raise InputError("ask", "names kinds, each once", value=ask, allowed=get_args(Ask))
    short = 0
    for split in (split for split in PARTS if split in corpus.splits()):
        chosen = heapq.nsmallest(
            limit, corpus.documents(split, ["id", "text"]), key=lambda row: key(seed, "cut_texts", row["id"])
        )
        records = [cut(row["id"], row["text"], ask, words, wanted, seed) for row in chosen]
        found = [record for record in records if record is not None]
        short += len(records) - len(found)
        if not found and split == "validation":
            continue  # a small corpus holds few documents back, and nobody needs these
        if not found:
            problem = f"no document of its split {split} has {words} words"
            raise InputError("corpus", problem, value=str(corpus.path), fix="fewer words")
        context.counts[split] = write_records(context.folder / f"{split}.jsonl", found)
    context.counts["short"] = short


def cut(identity: str, text: str, ask: list[Ask], words: int, wanted: int, seed: int) -> dict[str, Any] | None:
    """One document's pair; None if it is too short."""
    places = [match.span() for match in _WORD.finditer(text)]
    if len(places) < words:
        return None

    def drawn(what: str, below: int) -> int:
        return int(integers(key(seed, "cut_texts", what, identity), below, 0))

    kind = ask[drawn("kind", len(ask))]
    first = drawn("first", len(places) - words + 1)
    begin, end = places[first][0], places[first + words - 1][1]
    gap = first + (words - wanted if kind == "continue" else drawn("gap", words - wanted))
    start, stop = places[gap][0], places[gap + wanted - 1][1]
    source = text[begin:start].rstrip() if kind == "continue" else f"{text[begin:start]}{GAP}{text[stop:end]}"
    if len(ask) > 1:
        source = f"{kind}: {source}"
    return {"id": identity, "kind": kind, "source": source, "target": text[start:stop]}
