"""Where new tokens stand in a corpus, as the old tokenizer cuts it.

Shapes: B rows, L tokens of a row as the old tokenizer has it, K tokens with a new one put in.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from seedbed.core.checks import check_counts
from seedbed.core.errors import InputError
from seedbed.surgery.vocabulary.pieces import decompose
from seedbed.surgery.vocabulary.words import texts_of
from seedbed.vocabulary.roles import ROLES

if TYPE_CHECKING:
    from seedbed.corpus.artifact import Corpus
    from seedbed.surgery.initializer import Change

_SHORTEST = 8


@dataclass(frozen=True)
class Context:
    """A window of text in old ids, with its special tokens; `size` of them from `start` on are the new token."""

    token: int  # the new id
    ids: tuple[int, ...]
    start: int
    size: int

    def merged(self, index: int) -> tuple[int, ...]:
        """The window with one id in the place of the pieces."""
        return (*self.ids[: self.start], index, *self.ids[self.start + self.size :])


def frame(ids: Mapping[str, int | None], *, with_decoder: bool) -> tuple[list[int], list[int]]:
    """What begins and ends a text, by the ids of the roles: [CLS] and [SEP] where there are any, else <s>; and for the
    encoder of an encoder-decoder the end token (T5's </s>)."""
    begins, ends = ids["bos"], ids["eos"] if with_decoder else None
    if ids["cls"] is not None:
        begins, ends = ids["cls"], ids["sep"]
    first, last = ([] if index is None else [index] for index in (begins, ends))
    return first, last


def check_windows(snippets: int, length: int) -> None:
    """How many windows are looked for, and how long they are."""
    check_counts(snippets=snippets)
    if length < _SHORTEST:
        raise InputError("length", f"must be at least {_SHORTEST} tokens", value=length)


def missing_tokens(change: Change) -> dict[tuple[int, ...], int]:
    """New ids that the old vocabulary lacks, by the old pieces of their surface, of which there are several."""
    pieces_P, token_P = decompose(change)
    counts_N = np.bincount(token_P, minlength=len(change.same_N))
    parts = np.split(pieces_P, np.cumsum(counts_N)[:-1])
    special_N = change.new.vocabulary().special_V
    return {tuple(parts[n].tolist()): n for n in np.flatnonzero((counts_N > 1) & ~special_N).tolist()}


def find_contexts(
    change: Change, corpora: Corpus | list[Corpus], patterns: dict[tuple[int, ...], int], *, number: int, length: int
) -> list[Context]:
    """Up to `number` windows of `length` tokens for each pattern, one a document at most, the first ones in the order
    of documents. The pattern stands in the middle as far as the text allows; the window begins and ends as texts do
    for this model (`frame`). Says how many patterns were found. Raises InputError if none was."""
    from seedbed.models.huggingface import read_architecture

    fast, vocabulary = change.old.load(), change.old.vocabulary()
    fast.encode_special_tokens = True
    with_decoder = read_architecture(change.model.path)[1].decoder_layers > 0
    first, last = frame({role: getattr(vocabulary, role) for role in ROLES}, with_decoder=with_decoder)
    wanted = dict.fromkeys(patterns, number)
    found: list[Context] = []
    for batch in texts_of(corpora, held_out=False):
        for encoded in fast.encode_batch(batch, add_special_tokens=False):
            for start, pattern in _places(encoded.ids, wanted):
                wanted[pattern] -= 1
                if not wanted[pattern]:
                    del wanted[pattern]
                begin, end = _window(start, len(pattern), len(encoded.ids), length - len(first) - len(last))
                ids = (*first, *encoded.ids[begin:end], *last)
                found.append(Context(patterns[pattern], ids, start - begin + len(first), len(pattern)))
        if not wanted:
            break
    seen = len({context.token for context in found})
    if not found:
        raise InputError("method.corpus", "none of the new tokens stands in it", fix="a corpus of the new vocabulary's")
    change.say(
        f"{seen:,} of {len(patterns):,} new tokens stand in the corpus; the others keep the mean of their pieces"
    )
    return sorted(found, key=lambda context: context.token)


def padded(rows: list[tuple[int, ...]], pad: int) -> tuple[np.ndarray, np.ndarray]:
    """Rows as arrays: ids, and segments, which are -1 where there is padding."""
    width = max(map(len, rows))
    tokens_BL = np.full((len(rows), width), pad, dtype=np.int64)
    segments_BL = np.full((len(rows), width), -1, dtype=np.int64)
    for row, ids in enumerate(rows):
        tokens_BL[row, : len(ids)], segments_BL[row, : len(ids)] = ids, 0
    return tokens_BL, segments_BL


def _places(ids: list[int], wanted: dict[tuple[int, ...], int]) -> Iterator[tuple[int, tuple[int, ...]]]:
    """Where a pattern stands, the first place of each."""
    sizes = sorted({len(pattern) for pattern in wanted})
    seen = set()
    for start in range(len(ids)):
        for size in sizes:
            pattern = tuple(ids[start : start + size])
            if pattern in wanted and pattern not in seen:
                seen.add(pattern)
                yield start, pattern


def _window(start: int, size: int, total: int, length: int) -> tuple[int, int]:
    """Begin and end of at most `length` tokens around a pattern."""
    free = max(length - size, 0)
    before = min(start, max(free // 2, free - (total - start - size)))
    return start - before, min(total, start - before + max(length, size))
