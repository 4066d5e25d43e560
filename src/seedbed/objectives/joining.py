"""Examples of several objectives as one pass through a network.

Shapes: B rows, L tokens a row, M tokens a row of a decoder, T targets.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from seedbed.models.network import Ranks
from seedbed.objectives.base import Examples, Outputs


def joined(
    rows: Sequence[np.ndarray], examples: Sequence[Examples], *, causal: bool
) -> tuple[np.ndarray, Examples, np.ndarray]:
    """Some rows of a batch, those numbers with their examples; the same for others. Of all of them the numbers,
    ascending, the examples in that order, and of each target whose it is (T). Rows are as wide as the widest."""
    order_B = np.argsort(np.concatenate(rows), kind="stable")
    tokens_BL, segments_BL, positions_BL = _stacked([_whole(one) for one in examples], order_B)
    ranks = None
    if any(one.ranks is not None for one in examples):
        given = [one.ranks or _usual(one.tokens_BL, causal) for one in examples]
        ranks = Ranks(*_stacked([(one.shown_BL, one.sees_BL) for one in given], order_B, empty=(0, 0)))
    decoders = [one.decoder for one in examples if one.decoder is not None]
    assert len(decoders) in (0, len(examples))
    parts = [(one.tokens_BM, one.segments_BM, one.positions_BM) for one in decoders]
    decoder = Outputs(*_stacked(parts, order_B)) if parts else None
    where_T, part_T, targets_T = _targets(
        examples, order_B, (tokens_BL if decoder is None else decoder.tokens_BM).shape[1]
    )
    plain = (segments_BL == 0).all() and all(one.segments_BL is None for one in examples)
    whole = Examples(
        tokens_BL,
        None if plain else segments_BL,
        positions_BL,
        where_T,
        targets_T,
        ranks=ranks,
        decoder=decoder,
    )
    return np.concatenate(rows)[order_B], whole, part_T


def _usual(tokens_BL: np.ndarray, causal: bool) -> Ranks:
    """As a network without ranks has it."""
    return Ranks.of_prefix(np.full(tokens_BL.shape, not causal))


def _whole(examples: Examples) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    segments_BL = examples.segments_BL
    if segments_BL is None:
        segments_BL = np.zeros(examples.tokens_BL.shape, np.int64)
    return examples.tokens_BL, segments_BL, examples.positions_BL


def _stacked(
    parts: Sequence[tuple[np.ndarray, ...]], order_B: np.ndarray, empty: tuple[int, ...] = (0, -1, 0)
) -> list[np.ndarray]:
    """Arrays of the same kind below each other, filled up to the widest, in another order of rows."""
    width = max(part[0].shape[1] for part in parts)
    found = []
    for kind, value in enumerate(empty):
        filled = [np.pad(p[kind], ((0, 0), (0, width - p[kind].shape[1])), constant_values=value) for p in parts]
        found.append(np.concatenate(filled)[order_B])
    return found


def _targets(
    examples: Sequence[Examples], order_B: np.ndarray, width: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Where they are now, ascending, whose they are, and what is wanted."""
    place_B = np.empty(len(order_B), np.int64)
    place_B[order_B] = np.arange(len(order_B))
    first, where = 0, []
    for one in examples:
        tokens = one.tokens_BL if one.decoder is None else one.decoder.tokens_BM
        row_T, column_T = np.divmod(one.where_T, tokens.shape[1])
        where.append(place_B[first + row_T] * width + column_T)
        first += len(tokens)
    where_T = np.concatenate(where)
    part_T = np.repeat(np.arange(len(examples)), [len(one.where_T) for one in examples])
    order_T = np.argsort(where_T)
    return where_T[order_T], part_T[order_T], np.concatenate([one.targets_T for one in examples])[order_T]
