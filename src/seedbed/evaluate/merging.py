"""Byte-pair merges of a batch's tokens, made for that batch alone (dynamic tokenization)."""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import pairwise

import numpy as np

from seedbed.vocabulary.merges import learn_merges

Ids = tuple[int, ...]
_FIRST = 0x10000  # a token stands as one character while merges are learned
_NEVER = 1 << 62


class BatchMerges:
    """The merges of the words of a batch, in order: the pair of neighbors within words that is most frequent becomes
    one unit, again and again, until every word is one (Feher et al., 2025, section 3; of equal pairs the one with the
    smaller ids comes first, where their code takes the one that was met first)."""

    def __init__(self, words: Mapping[Ids, int]) -> None:
        """`words`: the tokens of each, and how often it occurs."""
        self._known = sorted({index for word in words for index in word})
        self._symbols = {index: chr(_FIRST + place) for place, index in enumerate(self._known)}
        written = {self._write(word): count for word, count in sorted(words.items())}
        most = len(self._known) + sum(map(len, words))
        _, merges = learn_merges(written, list(self._symbols.values()), most, min_frequency=1)
        self._ranks: dict[tuple[str, str], list[int]] = {}
        for rank, pair in enumerate(merges):
            self._ranks.setdefault(pair, []).append(rank)
        gone: Counter[int] = Counter()
        for word, count in written.items():
            for rank, pairs in self._merged(word, len(merges))[1]:
                gone[rank] += count * pairs
        self.saved = np.cumsum([gone[rank] for rank in range(len(merges))], dtype=np.int64)

    def __len__(self) -> int:
        return len(self.saved)

    def number(self, share: float) -> int:
        """The fewest merges that take away at least this share of the tokens that all of them take away."""
        if not len(self) or share <= 0:
            return 0
        return int(np.searchsorted(self.saved, share * self.saved[-1] - 1e-9)) + 1

    def units(self, word: Ids, merges: int) -> list[Ids]:
        """The units of a word after so many merges, each as the tokens that it is made of."""
        units, _ = self._merged(self._write(word), merges)
        return [tuple(self._known[ord(symbol) - _FIRST] for symbol in unit) for unit in units]

    def _write(self, word: Sequence[int]) -> str:
        return "".join(self._symbols[index] for index in word)

    def _merged(self, written: str, limit: int) -> tuple[list[str], list[tuple[int, int]]]:
        """A word after the first `limit` merges, and which of them made how many pairs of it one."""
        units, rank = list(written), 0
        done: list[tuple[int, int]] = []
        while True:
            ranks = [self._next(pair, rank) for pair in pairwise(units)]
            rank = min(ranks, default=limit)
            if rank >= limit:
                return units, done
            before, place = len(units), 0
            while place < len(units) - 1:  # from the left: of aaa the first two
                if self._next((units[place], units[place + 1]), rank) == rank:
                    units[place : place + 2] = [units[place] + units[place + 1]]
                place += 1
            done.append((rank, before - len(units)))
            rank += 1

    def _next(self, pair: tuple[str, str], rank: int) -> int:
        """When a pair is merged, from some merge on; two ways to one unit may call for the same merge twice."""
        ranks = self._ranks.get(pair, [])
        place = bisect_left(ranks, rank)
        return ranks[place] if place < len(ranks) else _NEVER
