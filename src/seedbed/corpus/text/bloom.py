"""A Bloom filter (Bloom, 1970) over 64-bit hashes, in batches."""

from __future__ import annotations

import math

import numpy as np

from seedbed.core.counters import hash64, key
from seedbed.core.errors import InputError

_COUNTED = 1 << 24  # bytes the bits of which are counted at a time


class Bloom:
    """Which of many hashes came before, in `bits / 8` bytes for any number of them.

    A hash that came before is always recognized. One that did not is taken for one with a probability of at most
    `false_positives`, as long as no more than `expected` different ones came: bits = -n ln p / (ln 2)**2, of which each
    hash sets bits / n * ln 2, found by double hashing (Kirsch and Mitzenmacher, 2006).
    """

    def __init__(self, expected: int, false_positives: float = 0.01) -> None:
        if expected < 1:
            raise InputError("expected", "must be at least 1", value=expected)
        if not 0 < false_positives < 1:
            raise InputError("false_positives", "is a probability between 0 and 1", value=false_positives)
        self.bits = max(64, math.ceil(-expected * math.log(false_positives) / math.log(2) ** 2))
        self.num_probes = max(1, round(self.bits / expected * math.log(2)))
        self.expected, self.false_positives = expected, false_positives
        self._bytes = np.zeros(self.bits // 8 + 1, np.uint8)

    def add(self, hashes: np.ndarray) -> np.ndarray:
        """Adds hashes (uint64) in order; tells for each whether it came before, in this batch or an earlier one."""
        seen = np.ones(len(hashes), np.bool_)
        place, step = hash64(key(0, "bloom"), hashes), hash64(key(1, "bloom"), hashes) | np.uint64(1)
        for _ in range(self.num_probes):
            bit = place % np.uint64(self.bits)
            byte, mask = bit >> np.uint64(3), np.uint8(1) << (bit & np.uint64(7)).astype(np.uint8)
            seen &= self._bytes[byte] & mask != 0
            np.bitwise_or.at(self._bytes, byte, mask)
            place += step
        again = np.ones(len(hashes), np.bool_)
        again[np.unique(hashes, return_index=True)[1]] = False
        return seen | again

    def notes(self) -> list[str]:
        """What to tell whoever set `expected`, once all have come: that there were so many more that the filter takes
        more than twice its share of new ones for old.

        The number of different hashes and the rate follow from the share of bits that are set (Swamidass and Baldi,
        2007).
        """
        parts = range(0, len(self._bytes), _COUNTED)
        ones = sum(int(np.bitwise_count(self._bytes[start : start + _COUNTED]).sum()) for start in parts)
        rate = (ones / self.bits) ** self.num_probes
        if rate <= 2 * self.false_positives:
            return []
        # A filter whose bits are all set tells no number but that of which the last one would still be clear.
        number = -self.bits / self.num_probes * math.log(max(self.bits - ones, 1) / self.bits)
        count = (
            f"{'about' if ones < self.bits else 'at least'} {round(number, 1 - math.floor(math.log10(number))):,.0f}"
        )
        return [
            f"expected {self.expected:,} different ones, but {count} came: the filter takes {rate:.1%} of new ones for "
            f"repeated, not {self.false_positives:.1%}, which changes no result but takes memory"
        ]


def filter_for(expected: int | None, false_positives: float = 0.01) -> Bloom | None:
    """The filter for a step's parameters: none where the memory for every key is there."""
    return None if expected is None else Bloom(expected, false_positives)
