"""Pairs of texts as objectives read them.

Shapes: B rows, L tokens a row, R rows that are pairs, V vocabulary.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from seedbed.core.errors import InputError

if TYPE_CHECKING:
    from seedbed.data.batch import Batch
    from seedbed.vocabulary.artifact import Vocabulary


def pair_rows(batch: Batch) -> np.ndarray:
    """The numbers of the rows that are pairs (R): as the sampler says, or whose two pieces see each other."""
    if batch.kinds_B is not None:
        return np.flatnonzero(batch.kinds_B >= 0)
    number_B = np.bincount(batch.pieces_N6[:, 0], minlength=len(batch.rows_B))
    later_N = batch.pieces_N6[(batch.pieces_N6[:, 1] > 0) & (number_B == 2)[batch.pieces_N6[:, 0]]]
    return np.sort(later_N[batch.segments_BL[later_N[:, 0], later_N[:, 1]] == 0, 0])


class Framing:
    """[CLS] first [SEP] second [SEP], of the two pieces of a row; for the objective `name`. Raises InputError if the
    tokenizer has no such tokens."""

    def __init__(self, vocabulary: Vocabulary, name: str) -> None:
        if vocabulary.cls is None or vocabulary.sep is None:
            problem = "the tokenizer has no tokens that begin a text and stand behind it"
            raise InputError(f"objective.{name}", problem, fix="train the tokenizer for an encoder")
        self._begin, self._end = vocabulary.cls, vocabulary.sep
        marks = {vocabulary.cls, vocabulary.sep, vocabulary.bos, vocabulary.eos}
        self._mark_V = np.isin(np.arange(vocabulary.size), [token for token in marks if token is not None])

    def framed(self, batch: Batch, rows_R: np.ndarray) -> tuple[Batch, np.ndarray]:
        """The batch with some rows as pairs, each one segment with positions from 0, without the pieces' own marks;
        where a pair is too long for its row, the longer text is cut at its end. Beside it which text a token is of (B,
        L): 0 the first, 1 the second, -1 everything else."""
        width = batch.tokens_BL.shape[1]
        tokens_BL, segments_BL = batch.tokens_BL.copy(), batch.segments_BL.copy()
        positions_BL, side_BL = batch.positions_BL.copy(), np.full(batch.tokens_BL.shape, -1)
        tokens_BL[rows_R] = positions_BL[rows_R] = 0
        segments_BL[rows_R] = -1
        pieces_N6 = batch.pieces_N6[np.argsort(batch.pieces_N6[:, 0], kind="stable")]
        first_R = np.searchsorted(pieces_N6[:, 0], rows_R)
        for row, number in zip(rows_R, first_R, strict=True):
            texts = []
            for _, column, size, *_ in pieces_N6[number : number + 2]:
                tokens = batch.tokens_BL[row, column : column + size]
                texts.append(tokens[~self._mark_V[tokens]])
            first, second = _fitting(texts[0], texts[1], width - 3)
            whole = [self._begin, *first, self._end, *second, self._end]
            tokens_BL[row, : len(whole)] = whole
            segments_BL[row, : len(whole)] = 0
            positions_BL[row, : len(whole)] = np.arange(len(whole))
            side_BL[row, 1 : len(first) + 1] = 0
            side_BL[row, len(first) + 2 : len(whole) - 1] = 1
        return replace(batch, tokens_BL=tokens_BL, segments_BL=segments_BL, positions_BL=positions_BL), side_BL


def _fitting(first: np.ndarray, second: np.ndarray, room: int) -> tuple[np.ndarray, np.ndarray]:
    """Two texts, the longer one cut at its end until both fit."""
    kept = min(len(first), max(room // 2, room - len(second)))
    return first[:kept], second[: max(0, room - kept)]
