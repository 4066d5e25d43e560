"""Byte-pair merges, learned from counts of words.

Legend: N positions of all distinct words one after the other, with a gap (-1) after each; M positions of one merge.
"""

from __future__ import annotations

import heapq
from array import array
from collections.abc import Mapping, Sequence

import numpy as np

BREAK = "\0"  # within a word: no merge crosses it
_GONE = -2
_AT_ONCE = 1 << 17  # positions the pairs of which are counted at a time in the beginning
_Places = dict[int, list[np.ndarray]]


def learn_merges(
    words: Mapping[str, int], tokens: Sequence[str], size: int, *, min_frequency: int = 2, prefix: str = ""
) -> tuple[list[str], list[tuple[str, str]]]:
    """The vocabulary (`tokens`, then merged ones in order, at most `size` in all) and the merges.

    Sennrich et al. (2016): the pair of neighbors that occurs most often becomes a token, again and again, down to
    `min_frequency`; of equal ones the pair whose ids come first. A word's characters are its first symbols, with
    `prefix` before all but the first; those that are no token are left out. The result is that of the trainer of
    the `tokenizers` library on the same text (a test compares them), which takes texts and no counts.

    Memory: at its peak about 90 bytes for each character of a distinct word, however often words occur.
    Only the positions of the pair at hand are visited, all at once.
    """
    learner = _Learner(words, tokens, size, prefix)
    merges: list[tuple[str, str]] = []
    while len(learner.tokens) < size:
        pair = learner.best(max(1, min_frequency))
        if pair is None:
            break
        merges.append((learner.tokens[pair[0]], learner.tokens[pair[1]]))
        learner.merge(*pair)
    return learner.tokens, merges


class _Learner:
    def __init__(self, words: Mapping[str, int], tokens: Sequence[str], size: int, prefix: str) -> None:
        self.tokens, self.prefix = list(tokens), prefix
        self.ids = {token: index for index, token in enumerate(self.tokens)}
        self.base = max(size, len(tokens)) + 1  # a pair (a, b) has the key a * base + b
        self.symbol_N, self.count_N = self._symbols(words)
        positions = len(self.symbol_N)
        self.next_N = np.arange(1, positions + 1, dtype=np.int32)
        self.previous_N = np.arange(-1, positions - 1, dtype=np.int32)
        self.merged_N = np.zeros(positions, dtype=bool)
        self.totals: dict[int, int] = {}
        self.places: _Places = {}
        for start in range(0, positions - 1, _AT_ONCE):
            start_M = np.arange(start, min(start + _AT_ONCE, positions - 1))
            self._change(self.symbol_N[start_M], self.symbol_N[start_M + 1], start_M, 1)
        self.queue = [(-total, pair) for pair, total in self.totals.items()]
        heapq.heapify(self.queue)

    def _symbols(self, words: Mapping[str, int]) -> tuple[np.ndarray, np.ndarray]:
        """The words' symbols, and for each position how often its word occurs."""
        symbols, counts, lengths = array("i", [-1]), array("q", [0]), array("i", [1])
        for word, count in words.items():
            before = len(symbols)
            first = True
            for char in word:
                if char == BREAK:
                    symbols.append(-1)
                    continue
                index = self.ids.get(char if first else self.prefix + char)
                first = False
                if index is not None:
                    symbols.append(index)
            symbols.append(-1)
            counts.append(count)
            lengths.append(len(symbols) - before)
        return np.frombuffer(symbols, dtype=np.int32).copy(), np.repeat(np.frombuffer(counts, dtype=np.int64), lengths)

    def best(self, least: int) -> tuple[int, int] | None:
        """The most frequent pair, None below `least`."""
        while self.queue:
            total, pair = heapq.heappop(self.queue)
            now = self.totals.get(pair, 0)
            if now == -total:
                return divmod(pair, self.base) if now >= least else None
            if now:  # it has become rarer since it was put here
                heapq.heappush(self.queue, (-now, pair))
        return None

    def merge(self, left: int, right: int) -> None:
        """Make one symbol of each occurrence of the pair."""
        token = self.tokens[left] + self.tokens[right].removeprefix(self.prefix)
        new = self.ids.setdefault(token, len(self.tokens))
        if new == len(self.tokens):
            self.tokens.append(token)
        pair = left * self.base + right
        at_M = self._occurrences(left, right, self.places.pop(pair))
        other_M = self.next_N[at_M]
        after_M = self.next_N[other_M]
        self.merged_N[at_M] = True
        alone_M = ~self.merged_N[after_M]  # else what follows is merged too, and has this as what is before it
        self.merged_N[at_M] = False
        symbols = self.symbol_N
        before_M = self.previous_N[at_M]
        self._change(symbols[before_M], np.full(len(at_M), left), before_M, -1)
        self._change(np.full(len(at_M), right)[alone_M], symbols[after_M[alone_M]], other_M[alone_M], -1)
        symbols[at_M], symbols[other_M] = new, _GONE
        self.next_N[at_M], self.previous_N[after_M] = after_M, at_M
        before_M = self.previous_N[at_M]
        grown = self._change(symbols[before_M], np.full(len(at_M), new), before_M, 1)
        grown |= self._change(np.full(len(at_M), new)[alone_M], symbols[after_M[alone_M]], at_M[alone_M], 1)
        self.totals.pop(pair, None)
        self.places.pop(pair, None)
        for found in sorted(grown):
            if found in self.totals:
                heapq.heappush(self.queue, (-self.totals[found], found))

    def _occurrences(self, left: int, right: int, places: list[np.ndarray]) -> np.ndarray:
        """Where the pair still stands; of aaa only the first two."""
        at_M = np.unique(np.concatenate(places))
        at_M = at_M[self.symbol_N[at_M] == left]
        at_M = at_M[self.symbol_N[self.next_N[at_M]] == right]
        if left == right and len(at_M):
            index_M = np.arange(len(at_M))
            begins_M = np.concatenate([[True], self.next_N[at_M[:-1]] != at_M[1:]])
            at_M = at_M[(index_M - np.maximum.accumulate(np.where(begins_M, index_M, 0))) % 2 == 0]
        return at_M

    def _change(self, left_M: np.ndarray, right_M: np.ndarray, start_M: np.ndarray, sign: int) -> set[int]:
        """Count pairs that begin at these positions, or no longer do; returns their keys."""
        inside_M = (left_M >= 0) & (right_M >= 0)
        start_M = start_M[inside_M]
        if not len(start_M):
            return set()
        key_M = left_M[inside_M].astype(np.int64) * self.base + right_M[inside_M]
        order_M = np.argsort(key_M, kind="stable")
        key_M, start_M = key_M[order_M], start_M[order_M].astype(np.int32)
        first = np.flatnonzero(np.concatenate([[True], key_M[1:] != key_M[:-1]]))
        sums = np.add.reduceat(self.count_N[start_M], first).tolist()
        keys = key_M[first].tolist()
        parts = np.split(start_M, first[1:]) if sign > 0 else [start_M] * len(keys)
        for key, change, part in zip(keys, sums, parts, strict=True):
            total = self.totals.get(key, 0) + sign * change
            if total > 0:
                self.totals[key] = total
                if sign > 0:
                    self.places.setdefault(key, []).append(part)
            else:
                self.totals.pop(key, None)
                self.places.pop(key, None)
        return set(keys)
