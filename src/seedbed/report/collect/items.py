"""A few held-out items: what was asked, what is true, what the systems said. Spread evenly, not chosen."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass, replace
from typing import Any

from seedbed.core.errors import InputError
from seedbed.corpus.artifact import Corpus
from seedbed.evaluate.artifact import Scores
from seedbed.models.artifact import Model

from .corpus import texts_of
from .steps import StepFacts
from .texts import clipped, ends, flowing
from .vocabulary import readable

SHOWN = 8
_GROUP_BYTES = 64 << 20  # of items of one system, at most read whole
_AROUND = 70  # characters on each side of a masked token


@dataclass(frozen=True)
class Answer:
    """What one system said, and the score that the task gave it."""

    prediction: str
    score: float
    right: bool


@dataclass
class Item:
    """One item. `before` and `after` are the text around what was asked, where that is known."""

    name: str
    truth: str
    answers: dict[str, Answer]  # by system
    before: str = ""
    after: str = ""


def items_of(
    scores: Scores,
    task: str,
    kind: str,
    parameters: dict[str, Any],
    model: StepFacts | None,
    others: list[StepFacts],
) -> tuple[list[Item], int]:
    """Some items with the answers of every system's first run; and how many there are."""
    items, total = _read(scores, task)
    corpus = next((s.artifact for s in others if f"artifact:{s.fingerprint}" == parameters.get("corpus")), None)
    if isinstance(corpus, Corpus):
        split = str(parameters.get("split", "test"))
        with contextlib.suppress(InputError):  # the text is an extra: what is damaged is said elsewhere
            if kind == "masked_accuracy" and model is not None and isinstance(model.artifact, Model):
                _surround(items, corpus, split, model.artifact)
            elif kind == "bits_per_byte":
                _begin(items, corpus, split)
    for item in items:
        item.name, item.truth = ends(item.name, 44), ends(item.truth, 44)
    return items, total


def _read(scores: Scores, task: str) -> tuple[list[Item], int]:
    import pyarrow.parquet as pq

    path = scores.path / "items" / f"{task}.parquet"
    if not path.is_file():
        return [], 0
    items: list[Item] = []
    systems: set[str] = set()
    total = 0
    with pq.ParquetFile(path) as file:
        for group in range(file.num_row_groups):
            facts = file.metadata.row_group(group)
            if not facts.num_rows or facts.total_byte_size > _GROUP_BYTES:
                continue
            system = str(file.read_row_group(group, ["system"])["system"][0].as_py())
            if system in systems:
                continue
            systems.add(system)
            total = facts.num_rows
            table = file.read_row_group(group, ["item", "truth", "prediction", "score"])
            count = min(SHOWN, total)
            rows = table.take([(2 * number + 1) * total // (2 * count) for number in range(count)]).to_pylist()
            items = items or [Item(str(row["item"]), str(row["truth"]), {}) for row in rows]
            for item, row in zip(items, rows, strict=False):
                if item.name == row["item"]:
                    said = str(row["prediction"])
                    item.answers[system] = Answer(ends(said, 44), float(row["score"]), said == item.truth)
    return items, total


def _surround(items: list[Item], corpus: Corpus, split: str, model: Model) -> None:
    """The text on both sides of masked tokens, whose items are called `document:number of the token`."""
    places = [item.name.rpartition(":") for item in items]
    texts = texts_of(corpus, split, {document for document, _, _ in places})
    fast = model.tokenizer().load()
    encodings = {name: fast.encode(text, add_special_tokens=False) for name, text in texts.items()}
    for item, (document, _, number) in zip(items, places, strict=True):
        encoding = encodings.get(document)
        if encoding is None or not number.isdigit() or encoding.tokens[int(number) :][:1] != [item.truth]:
            continue
        start, end = encoding.offsets[int(number)]
        item.before = flowing(texts[document][max(0, start - _AROUND) : start])
        item.after = flowing(texts[document][end : end + _AROUND])
    for item in items:
        item.truth = readable(fast, item.truth)
        item.answers = {name: replace(a, prediction=readable(fast, a.prediction)) for name, a in item.answers.items()}


def _begin(items: list[Item], corpus: Corpus, split: str) -> None:
    """The beginnings of documents that are items."""
    texts = texts_of(corpus, split, {item.name for item in items})
    for item in items:
        item.after = flowing(clipped(texts.get(item.name, ""), 160))
