"""Texts, token after token, until they are whole."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from seedbed.models.encoding import batches
from seedbed.models.scoring import MAX_LOGITS, MAX_TOKENS
from seedbed.models.writing.choice import Choice
from seedbed.models.writing.reading import Reader, Rows


def write(
    reader_of: Callable[[np.ndarray], Reader],
    beginnings: Rows,
    most: int | Sequence[int],
    choice: Choice,
    *,
    lengths: Sequence[int],
    stops: Sequence[Sequence[int]] = (),
    counters: Sequence[int] | None = None,
) -> list[list[int]]:
    """What is written behind each beginning: up to `most` tokens (for all, or for each), or what stands before the
    first of `stops`, each one or more tokens in a row.

    `reader_of` gives a reader for some of the rows, whose numbers it is told; rows whose `lengths` (with what will be
    written, and what is read besides) are about the same go together, which changes nothing but rounding. `counters`
    are the rows' in what is drawn, by default their numbers.
    """
    found: list[list[int]] = [[] for _ in beginnings]
    most_N = np.broadcast_to(np.asarray(most, dtype=np.int64), (len(beginnings),))
    counter_N = np.arange(len(beginnings)) if counters is None else np.array(counters, dtype=np.uint64)
    block = max(1, MAX_LOGITS // len(choice.forbidden_V))
    for together in batches(lengths, MAX_TOKENS) if len(beginnings) else ():
        for start in range(0, len(together), block):
            live = together[start : start + block]
            live = live[most_N[live] > 0]
            reader = reader_of(live) if len(live) else None
            place = 0
            while reader is not None and len(live):
                logits_BV = reader.logits([[*beginnings[row], *found[row]] for row in live])
                for row, token in zip(live, choice.tokens(logits_BV, counter_N[live], place), strict=True):
                    found[row].append(token)
                place += 1
                stays_B = np.array([place < most_N[row] and not _stopped(found[row], stops) for row in live])
                if not stays_B.all():
                    reader.select(np.flatnonzero(stays_B))
                    live = live[stays_B]
    return [row[: len(row) - _stopped(row, stops)] for row in found]


def _stopped(row: list[int], stops: Sequence[Sequence[int]]) -> int:
    """How long the stop is that a row ends with; 0 if it ends with none."""
    return next((len(stop) for stop in stops if len(stop) and row[-len(stop) :] == list(stop)), 0)
