"""Counts of neighboring tokens as language models: the baselines of `bits_per_byte` and `masked_accuracy`.

All distributions are over the V real tokens and sum to one. Shapes: T places, V vocabulary, G distinct n-grams.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np


@dataclass
class Counts:
    """How often each context (a number) was followed by each token, as sorted arrays."""

    keys_G: np.ndarray  # context * V + token, sorted
    counts_G: np.ndarray
    size: int  # V

    @classmethod
    def of(
        cls, contexts: np.ndarray, tokens: np.ndarray, size: int, *, distinct_left: np.ndarray | None = None
    ) -> Counts:
        """Count pairs; with `distinct_left`, count the distinct values that stand left of each pair instead."""
        keys = contexts * size + tokens
        if distinct_left is not None:
            order = np.lexsort((distinct_left, keys))
            new = np.ones(len(keys), dtype=bool)
            new[1:] = (np.diff(keys[order]) != 0) | (np.diff(distinct_left[order]) != 0)
            keys = keys[order][new]
        found, counts = np.unique(keys, return_counts=True)
        return cls(found, counts.astype(np.float64), size)

    @cached_property
    def _contexts(self) -> tuple[np.ndarray, np.ndarray]:
        """Distinct contexts, and where each begins in `keys_G` (with the end)."""
        contexts, starts = np.unique(self.keys_G // self.size, return_index=True)
        return contexts, np.append(starts, len(self.keys_G))

    def pairs(self, contexts_T: np.ndarray, tokens_T: np.ndarray) -> np.ndarray:
        """Counts of (context, token) pairs."""
        return _look_up(self.keys_G, self.counts_G, contexts_T * self.size + tokens_T)

    def totals(self, contexts_T: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """For each context the sum of its counts, and the number of distinct tokens after it."""
        contexts, starts = self._contexts
        sums = np.add.reduceat(self.counts_G, starts[:-1]) if len(contexts) else np.zeros(0)
        return _look_up(contexts, sums, contexts_T), _look_up(contexts, np.diff(starts).astype(float), contexts_T)

    def after(self, context: int) -> tuple[np.ndarray, np.ndarray]:
        """The tokens seen after one context, and their counts."""
        contexts, starts = self._contexts
        place = int(np.searchsorted(contexts, context))
        if place == len(contexts) or contexts[place] != context:
            return np.zeros(0, dtype=np.int64), np.zeros(0)
        found = slice(starts[place], starts[place + 1])
        return self.keys_G[found] - context * self.size, self.counts_G[found]


def _look_up(keys: np.ndarray, values: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    if not len(keys):
        return np.zeros(len(wanted))
    place = np.minimum(np.searchsorted(keys, wanted), len(keys) - 1)
    return np.where(keys[place] == wanted, values[place], 0.0)


class KneserNey:
    """Interpolated Kneser-Ney (Kneser and Ney, 1995; Chen and Goodman, 1999, equation 25) of order 1 to 3.

    One discount an order, D = n1 / (n1 + 2 n2); lower orders count the distinct tokens to the left. Below the
    unigrams stands the uniform distribution, so that no token has probability zero. Documents begin with
    `order - 1` start symbols that are never predicted.
    """

    def __init__(self, documents: Sequence[np.ndarray], size: int, order: int = 3) -> None:
        assert 1 <= order <= 3 and (size + 1) ** order < 2**63
        self.size, self.order = size, order
        parts = [self._contexts(document) for document in documents]
        tokens = np.concatenate([np.zeros(0, np.int64), *[np.asarray(d, dtype=np.int64) for d in documents]])
        contexts = [np.concatenate([np.zeros(0, np.int64), *[part[n] for part in parts]]) for n in range(order)]
        self.tables = [
            Counts.of(contexts[n], tokens, size, distinct_left=contexts[n + 1] if n + 1 < order else None)
            for n in range(order)
        ]
        self.discounts = [_discount(table.counts_G) for table in self.tables]

    def _contexts(self, document: np.ndarray) -> list[np.ndarray]:
        """For every token the number of its context of 0, 1 ... order - 1 tokens."""
        base = self.size + 1
        padded = np.concatenate([np.full(self.order - 1, self.size, np.int64), np.asarray(document, dtype=np.int64)])
        num = len(document)
        found = [np.zeros(num, dtype=np.int64)]
        for n in range(1, self.order):
            left = padded[self.order - 1 - n : self.order - 1 - n + num]
            found.append(found[-1] + left * base ** (n - 1))
        return found

    def probabilities(self, document: np.ndarray) -> np.ndarray:
        """The probability of every token after those before it (T,)."""
        tokens_T = np.asarray(document, dtype=np.int64)
        return self.interpolate(self._contexts(document), tokens_T)

    def interpolate(self, contexts: list[np.ndarray], tokens_T: np.ndarray) -> np.ndarray:
        found_T = np.full(len(tokens_T), 1.0 / self.size)
        for table, discount, context_T in zip(self.tables, self.discounts, contexts, strict=True):
            counts_T = np.maximum(table.pairs(context_T, tokens_T) - discount, 0.0)
            totals_T, distinct_T = table.totals(context_T)
            seen_T = totals_T > 0
            mixed_T = (counts_T + discount * distinct_T * found_T) / np.where(seen_T, totals_T, 1.0)
            found_T = np.where(seen_T, mixed_T, found_T)
        return found_T


def _discount(counts: np.ndarray) -> float:
    """Ney's estimate from how many n-grams occur once and twice; 0.75 where there are none to tell."""
    once, twice = int((counts == 1).sum()), int((counts == 2).sum())
    return min(max(once / (once + 2 * twice), 0.1), 0.95) if once and twice else 0.75


class Neighbors:
    """The distribution of a token between its two neighbors, from counts: Witten-Bell smoothing (Witten and Bell,
    1991) of c(left, token, right) with the mean of the same for each neighbor alone, down to unigrams and uniform.

    P(w | l, r) = (c(l, w, r) + T(l, r) Q(w)) / (c(l, r) + T(l, r)), with T the number of distinct tokens seen
    between l and r; Q is the mean of P(w | l) and P(w | r). A neighbor may be unknown (None: masked as well).
    """

    def __init__(self, documents: Sequence[np.ndarray], size: int) -> None:
        self.size = size
        base = size + 1  # `size` is the edge of a document
        edged = [np.concatenate([[size], np.asarray(d, dtype=np.int64), [size]]) for d in documents if len(d)]
        none = np.zeros(0, np.int64)
        left = np.concatenate([none, *[d[:-2] for d in edged]])
        token = np.concatenate([none, *[d[1:-1] for d in edged]])
        right = np.concatenate([none, *[d[2:] for d in edged]])
        assert base**2 * size < 2**63
        self.left, self.right = Counts.of(left, token, size), Counts.of(right, token, size)
        self.both = Counts.of(left * base + right, token, size)
        counts_V = np.bincount(token, minlength=size).astype(np.float64)
        distinct = float((counts_V > 0).sum())
        self.unigram_V = (counts_V + max(distinct, 1.0) / size) / (counts_V.sum() + max(distinct, 1.0))

    def distribution(self, left: int | None, right: int | None) -> np.ndarray:
        """Probabilities (V,); None is a neighbor that is masked."""
        sides = [
            self._witten_bell(self.left, left, self.unigram_V),
            self._witten_bell(self.right, right, self.unigram_V),
        ]
        known = [side for side, neighbor in zip(sides, (left, right), strict=True) if neighbor is not None]
        if not known:
            return self.unigram_V
        mean_V = sum(known[1:], start=known[0]) / len(known)
        if left is None or right is None:
            return mean_V
        return self._witten_bell(self.both, left * (self.size + 1) + right, mean_V)

    @staticmethod
    def _witten_bell(table: Counts, context: int | None, below_V: np.ndarray) -> np.ndarray:
        if context is None:
            return below_V
        tokens, counts = table.after(context)
        if not len(tokens):
            return below_V
        found_V = below_V * (len(tokens) / (counts.sum() + len(tokens)))
        found_V[tokens] += counts / (counts.sum() + len(tokens))
        return found_V
