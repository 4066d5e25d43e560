"""How often words stand near each other.

Shapes: T words of running text, P distinct pairs.
"""

from __future__ import annotations

import numpy as np

_CHUNK = 1 << 21  # words at a time
_PENDING = 1 << 24  # pairs that wait to be merged


def count_pairs(ids_T: np.ndarray, num_words: int, window: int) -> tuple[np.ndarray, np.ndarray]:
    """For every pair of words at most `window` places apart its key `first * num_words + second` (sorted) and its
    weight: a pair d places apart counts (window + 1 - d) / window, as often as word2vec's random windows would take it
    (Levy, Goldberg and Dagan, 2015, section 3.1). Ids of -1 are places without a word. Only first-then-second is
    counted: the matrix of both directions is this one and its transpose. Memory: 16 bytes a pair, thrice.
    """
    keys: list[np.ndarray] = []
    weights: list[np.ndarray] = []
    for start in range(0, len(ids_T), _CHUNK):
        ids = ids_T[start : start + _CHUNK + window].astype(np.int64)
        for distance in range(1, window + 1):
            first, second = ids[:-distance], ids[distance:]
            first, second = first[:_CHUNK], second[:_CHUNK]
            both = (first >= 0) & (second >= 0)
            found, times = np.unique(first[both] * num_words + second[both], return_counts=True)
            keys.append(found)
            weights.append(times * ((window + 1 - distance) / window))
        if sum(map(len, keys)) > _PENDING:
            merged = _merge(keys, weights)
            keys, weights = [merged[0]], [merged[1]]
    return _merge(keys, weights)


def both_directions(
    keys_P: np.ndarray, weights_P: np.ndarray, num_words: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(rows, columns, weights) of the matrix and its transpose together, sorted by row: a pair counted in both orders
    stands twice, and once with both weights; a word beside itself has twice its weight."""
    first, second = np.divmod(keys_P, num_words)
    keys = np.concatenate([first * num_words + second, second * num_words + first])
    keys, weights = _merge([keys], [np.concatenate([weights_P, weights_P])])
    rows, columns = np.divmod(keys, num_words)
    return rows, columns, weights


def _merge(keys: list[np.ndarray], weights: list[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    all_keys, all_weights = np.concatenate(keys), np.concatenate(weights)
    order = np.argsort(all_keys, kind="stable")
    all_keys, all_weights = all_keys[order], all_weights[order]
    starts = np.flatnonzero(np.diff(all_keys, prepend=-1))
    if not len(starts):
        return all_keys, all_weights
    return all_keys[starts], np.add.reduceat(all_weights, starts)
