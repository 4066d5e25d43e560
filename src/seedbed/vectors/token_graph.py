"""Words as nodes of a graph: which stand near each other, which class their texts are of, and which of them are to be
near or far.

Shapes: T words of running text, W words of the vocabulary, P pairs, E directed edges, C classes, A anchors, J samples
of an anchor.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from seedbed.core.counters import integers, key, uniform

from .cooccurrence import both_directions, count_pairs
from .factorize import csr

if TYPE_CHECKING:
    import torch

_POWER = 0.75  # of how often two words stand near each other, when neighbors are drawn


@dataclass(frozen=True, eq=False)
class Samples:
    """For each anchor words that are to be near it and words that are not: `near_AJ` marks the first, `valid_AJ` those
    that are there at all."""

    anchors_A: np.ndarray
    words_AJ: np.ndarray
    near_AJ: np.ndarray
    valid_AJ: np.ndarray


def class_shares(ids_T: np.ndarray, classes_T: np.ndarray, num_words: int, num_classes: int) -> np.ndarray:
    """p(class | word) if all classes had as many words (W, C): how often the word is in a class for each word of that
    class, as a share of the sum over classes. Rows of zeros for words that no text of a class has. Classes of -1 are of
    texts without one, ids of -1 no word."""
    known_T = (ids_T >= 0) & (classes_T >= 0)
    flat_T = ids_T[known_T].astype(np.int64) * num_classes + classes_T[known_T]
    counts_WC = np.bincount(flat_T, minlength=num_words * num_classes).reshape(num_words, num_classes)
    rates_WC = counts_WC / np.maximum(counts_WC.sum(0), 1)
    return np.asarray(rates_WC / np.where(rates_WC.sum(1, keepdims=True) > 0, rates_WC.sum(1, keepdims=True), 1))


def propagation(keys_P: np.ndarray, weights_P: np.ndarray, counts_W: np.ndarray) -> torch.Tensor:
    """D^-1/2 (A + I) D^-1/2 (W, W; sparse), with which a graph convolution averages over neighbors (Kipf and Welling,
    2017). An edge weighs (n_ab + 1) / (n_a + n_b + W), as in the authors' code, with n_ab how often two words stand
    near each other and n_a how often one stands at all."""
    num_words = len(counts_W)
    rows_E, columns_E, near_E = both_directions(keys_P, weights_P, num_words)
    apart_E = rows_E != columns_E
    rows_E, columns_E, near_E = rows_E[apart_E], columns_E[apart_E], near_E[apart_E]
    values_E = (near_E + 1) / (counts_W[rows_E] + counts_W[columns_E] + num_words)
    rows_E, columns_E = (np.concatenate([part, np.arange(num_words)]) for part in (rows_E, columns_E))
    values_E = np.concatenate([values_E, np.ones(num_words)])
    root_W = np.sqrt(np.bincount(rows_E, values_E, minlength=num_words))
    values_E /= root_W[rows_E] * root_W[columns_E]
    order_E = np.lexsort((columns_E, rows_E))
    return csr(rows_E[order_E], columns_E[order_E], values_E[order_E].astype(np.float32), num_words)


def draw_samples(
    ids_T: np.ndarray,
    classes_T: np.ndarray,
    shares_WC: np.ndarray,
    *,
    window: int,
    purity: float,
    positives: int,
    samples: int,
    seed: int,
) -> Samples:
    """The anchors are the words of which one class has at least the share `purity`. To be near are up to `positives`
    neighbors in texts of that class (between which stand places of no word), drawn without repetition by n^0.75 times
    how much more than by chance they are of the class, (C share - 1) / (C - 1), so none of those that say nothing of
    it; to be far so many anchors of other classes, drawn with repetition, that there are `samples` in all. Anchors
    without such neighbors are left out."""
    num_words, num_classes = shares_WC.shape
    excess_WC = np.maximum(0.0, (num_classes * shares_WC - 1) / (num_classes - 1))
    own_W = np.where(shares_WC.max(1) >= purity, shares_WC.argmax(1), -1)
    parts = []
    for label in range(num_classes):
        keys_P, near_P = count_pairs(ids_T[classes_T == label], num_words, window)
        rows_E, columns_E, near_E = both_directions(keys_P, near_P, num_words)
        chances_E = near_E**_POWER * excess_WC[columns_E, label]
        kept_E = (own_W[rows_E] == label) & (chances_E > 0) & (rows_E != columns_E)
        rows_E, columns_E, chances_E = rows_E[kept_E], columns_E[kept_E], chances_E[kept_E]
        others = np.flatnonzero((own_W >= 0) & (own_W != label))
        chosen_E, place_E = _drawn(rows_E, columns_E, chances_E, positives, key(seed, "neighbors", label))
        far = key(seed, "far", label)
        parts.append(_filled(rows_E[chosen_E], columns_E[chosen_E], place_E, others, samples, far))
    return Samples(*(np.concatenate(arrays) for arrays in zip(*parts, strict=True)))


def _drawn(
    rows_E: np.ndarray, columns_E: np.ndarray, chances_E: np.ndarray, number: int, stream: int
) -> tuple[np.ndarray, np.ndarray]:
    """Of each row's edges up to `number`, by their chances and without repetition: the largest of log chance + Gumbel
    noise (Efraimidis and Spirakis, 2006, in its logarithm). Their indices, sorted by row, and each one's place."""
    noise_E = -np.log(-np.log(np.maximum(uniform(stream, rows_E, columns_E), 2.0**-54)))
    order_E = np.lexsort((-(np.log(chances_E) + noise_E), rows_E))
    place_E = _places(rows_E[order_E])
    return order_E[place_E < number], place_E[place_E < number]


def _places(rows_E: np.ndarray) -> np.ndarray:
    """The place of each element among those of its row, of sorted rows."""
    starts = np.flatnonzero(np.diff(rows_E, prepend=-1))
    return np.arange(len(rows_E)) - np.repeat(starts, np.diff(starts, append=len(rows_E)))


def _filled(
    rows_E: np.ndarray, columns_E: np.ndarray, place_E: np.ndarray, others: np.ndarray, samples: int, stream: int
) -> Sequence[np.ndarray]:
    """The arrays of `Samples` for anchors that have the given near words and of `others` as many as are missing."""
    anchors_A, index_E = np.unique(rows_E, return_inverse=True)
    words_AJ = np.zeros((len(anchors_A), samples), dtype=np.int64)
    if len(others):
        drawn_AJ = integers(stream, len(others), anchors_A[:, None], np.arange(samples)[None, :])
        words_AJ = others[drawn_AJ]
    near_AJ = np.zeros(words_AJ.shape, dtype=bool)
    near_AJ[index_E, place_E] = True
    words_AJ[index_E, place_E] = columns_E
    return anchors_A, words_AJ, near_AJ, near_AJ | bool(len(others))
