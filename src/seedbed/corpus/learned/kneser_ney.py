"""Language models of n-grams of any order over hashed units: modified Kneser-Ney (Chen and Goodman, 1999, section 3).

    P(w | c) = (n(c w) - D(n(c w))) / n(c .) + g(c) P(w | c without its first unit)
    g(c) = (D1 N1(c .) + D2 N2(c .) + D3 N3+(c .)) / n(c .)

n counts how often a unit followed a context at the highest order; below, how many different units stood before both.
N1, N2 and N3+ are the numbers of units that followed c once, twice and more often; D1, D2 and D3 come from how many
n-grams of an order have the counts 1 to 4, and are 1/2, 1 and 3/2 where these do not tell. Below the unigrams stands
the uniform distribution over the units seen and one for all others (of bytes: over the 256), so the probabilities sum
to one. A text begins with order - 1 marks that are never predicted; its end is not predicted.

Learning keeps for every n-gram its whole interpolated probability and for every context its g, as the files of other
toolkits do: so a lookup is enough where the n-gram was seen, and a product where it was not. Contexts and n-grams are
known by 64 bits of hash. Memory while it learns: about 80 bytes a unit of text.

Shapes: T units of all texts, P with the marks before each, U distinct n-grams of an order, N texts.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from seedbed.corpus.text.token_hashes import Unit, blocks, hashes_of, segment_sums

_BASE = 0xC2B2AE3D27D4EB4F
_EDGE = np.uint64(0x165667B19E3779F9)


@dataclass(frozen=True)
class HashTable:
    """Values by 64-bit keys that are spread evenly: buckets by the highest bits, with the next 32 bits of each key."""

    starts: np.ndarray
    rests: np.ndarray
    values: np.ndarray

    @classmethod
    def of(cls, keys: np.ndarray, values: np.ndarray) -> HashTable:
        """From distinct keys."""
        order = np.argsort(keys)
        bits = max(1, len(keys).bit_length() - 1)
        sizes = np.bincount(_highest(keys, bits), minlength=1 << bits)
        starts = np.concatenate([[0], np.cumsum(sizes)]).astype(np.uint32)
        return cls(starts, _next(keys[order], bits), values[order])

    def get(self, keys: np.ndarray) -> np.ndarray:
        """Their values; NaN for a key that is not there."""
        bits = (len(self.starts) - 1).bit_length() - 1
        bucket = _highest(keys, bits)
        place, end = self.starts[bucket].astype(np.int64), self.starts[bucket + 1].astype(np.int64)
        rest, found = _next(keys, bits), np.full(len(keys), np.nan)
        left = np.flatnonzero(place < end)
        while len(left):
            here = place[left]
            is_it = self.rests[here] == rest[left]
            found[left[is_it]] = self.values[here[is_it]]
            left = left[~is_it]
            place[left] += 1
            left = left[place[left] < end[left]]
        return found


def _highest(keys: np.ndarray, bits: int) -> np.ndarray:
    return (keys >> np.uint64(64 - bits)).astype(np.int64)


def _next(keys: np.ndarray, bits: int) -> np.ndarray:
    return ((keys << np.uint64(bits)) >> np.uint64(32)).astype(np.uint32)


@dataclass(frozen=True)
class _Padded:
    """Texts one after the other, each behind its marks."""

    units_P: np.ndarray
    places_T: np.ndarray  # of the texts' own units

    @classmethod
    def of(cls, hashes_T: np.ndarray, lengths_N: np.ndarray, order: int) -> _Padded:
        marks_N = (order - 1) * np.arange(1, len(lengths_N) + 1)
        places_T = np.arange(len(hashes_T)) + np.repeat(marks_N, lengths_N)
        units_P = np.full(len(hashes_T) + (order - 1) * len(lengths_N), _EDGE)
        units_P[places_T] = hashes_T
        return cls(units_P, places_T)

    def grams(self, n: int) -> np.ndarray:
        """The hash of the n units that end at each place (P,)."""
        found_P = np.zeros(len(self.units_P), np.uint64)
        for back in range(n):
            factor = np.uint64(pow(_BASE, back, 1 << 64))
            found_P[back:] += self.units_P[: len(found_P) - back] * factor
        return found_P


class KneserNey:
    """A model: of every order a table of log2 P by n-gram and one of log2 g by context."""

    def __init__(
        self, unit: Unit, grams: list[HashTable], contexts: list[HashTable], unknown: float, sizes: list[int]
    ) -> None:
        self.unit, self.order = unit, len(grams)
        self._grams, self._contexts, self._unknown, self.sizes = grams, contexts, unknown, sizes

    @classmethod
    def fit(cls, texts: Sequence[str], unit: Unit, order: int) -> KneserNey:
        parts = [hashes_of(texts[block], unit) for block in blocks(texts)]
        hashes_T, lengths_N = (np.concatenate(column) for column in zip(*parts, strict=True))
        padded = _Padded.of(hashes_T, lengths_N, order)
        grams: list[tuple[np.ndarray, np.ndarray]] = []
        contexts: list[tuple[np.ndarray, np.ndarray]] = []
        unknown = 0.0
        below = np.zeros(0)
        for n, (keys_U, places_U, counts_U) in enumerate(_counted(padded, order)[::-1], 1):
            if n == 1:
                units = 256 if unit == "bytes" else len(keys_U) + 1
                below_U = np.full(len(keys_U), 1 / units)
            else:
                below_U = below[np.searchsorted(grams[-1][0], padded.grams(n - 1)[places_U])]
            context_U = padded.grams(n - 1)[places_U - 1] if n > 1 else np.zeros(len(keys_U), np.uint64)
            share_U, found, spare = _interpolated(counts_U, context_U, below_U)
            if n == 1:
                unknown = spare[0] / units
            below = share_U
            grams.append((keys_U, np.log2(share_U)))
            contexts.append((found, np.log2(spare)))
        tables = [[HashTable.of(*pair) for pair in pairs] for pairs in (grams, contexts[1:])]
        return cls(unit, tables[0], tables[1], float(np.log2(unknown)), [len(keys) for keys, _ in grams])

    def bits(self, texts: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
        """The bits of every unit after those before it (T,), and the number of units of each text (N,)."""
        hashes_T, lengths_N = hashes_of(texts, self.unit)
        padded = _Padded.of(hashes_T, lengths_N, self.order)
        found_T = self._grams[0].get(hashes_T)
        log_T = np.where(np.isnan(found_T), self._unknown, found_T)
        left = np.arange(len(hashes_T))  # those whose context was seen
        before_P = np.zeros(len(padded.units_P), np.uint64)
        for n in range(2, self.order + 1):
            factor = np.uint64(pow(_BASE, n - 2, 1 << 64))
            before_P[n - 2 :] += padded.units_P[: len(before_P) - (n - 2)] * factor  # the n - 1 that end here
            place = padded.places_T[left]
            spare = self._contexts[n - 2].get(before_P[place - 1])
            is_known = ~np.isnan(spare)
            left, spare, place = left[is_known], spare[is_known], place[is_known]
            grams = padded.units_P[place] + before_P[place - 1] * np.uint64(_BASE)
            found = self._grams[n - 1].get(grams)
            log_T[left] = np.where(np.isnan(found), log_T[left] + spare, found)
        return -log_T, lengths_N

    def totals(self, texts: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
        """The bits of each text, and its number of units (N,)."""
        sums, sizes = [np.zeros(0)], [np.zeros(0, np.int64)]
        for block in blocks(texts):
            bits_T, lengths_N = self.bits(texts[block])
            sums.append(segment_sums(bits_T, np.concatenate([[0], np.cumsum(lengths_N)])))
            sizes.append(lengths_N)
        return np.concatenate(sums), np.concatenate(sizes)

    def save(self, path: Path) -> None:
        """With logarithms of 16 bits, which are right to a few thousandths of a bit: 4 + 2 bytes an n-gram or context,
        and 2 to 4 for where it is."""
        arrays: dict[str, np.ndarray] = {}
        for name, tables in (("gram", self._grams), ("context", self._contexts)):
            for n, table in enumerate(tables):
                arrays |= {f"{name}_starts_{n}": table.starts, f"{name}_rests_{n}": table.rests}
                arrays |= {f"{name}_values_{n}": table.values.astype(np.float16)}
        facts = {"unit": np.array(self.unit), "unknown": np.array(self._unknown), "sizes": np.array(self.sizes)}
        with open(path, "wb") as file:
            np.savez(file, **(arrays | facts))  # type: ignore[arg-type]

    @classmethod
    def load(cls, path: Path) -> KneserNey:
        with np.load(path) as file:
            order = len(file["sizes"])
            grams, contexts = (
                [
                    HashTable(*(file[f"{name}_{part}_{n}"] for part in ("starts", "rests", "values")))
                    for n in range(number)
                ]
                for name, number in (("gram", order), ("context", order - 1))
            )
            return cls(str(file["unit"]), grams, contexts, float(file["unknown"]), file["sizes"].tolist())  # type: ignore[arg-type]


def _counted(padded: _Padded, order: int) -> list[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """From the highest order to the unigrams: the n-grams' hashes, ascending, a place of each, and its count n."""
    places = padded.places_T
    found = []
    for n in range(order, 0, -1):
        # The places are those of all n-grams at the highest order, below of the distinct ones that are one longer.
        keys, first, counts = np.unique(padded.grams(n)[places], return_index=True, return_counts=True)
        places = places[first]
        found.append((keys, places, counts))
    return found


def _interpolated(
    counts_U: np.ndarray, context_U: np.ndarray, below_U: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """P of every n-gram; the contexts and their g."""
    discounts = _discounts(counts_U)
    contexts, number_U = np.unique(context_U, return_inverse=True)
    discount_U = discounts[np.minimum(counts_U, 3)]
    totals = np.bincount(number_U, weights=counts_U)
    spare = np.bincount(number_U, weights=discount_U) / totals
    return (counts_U - discount_U) / totals[number_U] + spare[number_U] * below_U, contexts, spare


def _discounts(counts_U: np.ndarray) -> np.ndarray:
    """What is taken from counts of 0, 1, 2, and 3 or more."""
    n1, n2, n3, n4 = (int((counts_U == count).sum()) for count in (1, 2, 3, 4))
    if min(n1, n2, n3, n4):
        share = n1 / (n1 + 2 * n2)
        found = np.array([0, 1 - 2 * share * n2 / n1, 2 - 3 * share * n3 / n2, 3 - 4 * share * n4 / n3])
        if (found[1:] > 0).all() and (found[1:] < np.array([1, 2, 3])).all():
            return found
    return np.array([0, 0.5, 1.0, 1.5])


def bits_per_byte(model: KneserNey, texts: Sequence[str]) -> float:
    """Of all texts together."""
    bits_N, _ = model.totals(texts)
    return float(bits_N.sum() / max(1, sum(len(text.encode()) for text in texts)))
