"""Sequences of different lengths, one behind the other in one array.

Shapes: S sequences, N values of all of them together, B rows, L columns.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Self

import numpy as np

_MULTIPLE = 8  # of which the widths of rows are


@dataclass(frozen=True)
class Ragged:
    """`lengths_S` values each."""

    values_N: np.ndarray
    lengths_S: np.ndarray

    def __post_init__(self) -> None:
        assert len(self.values_N) == self.lengths_S.sum()

    @classmethod
    def of(cls, rows: Sequence[Sequence[int]]) -> Self:
        """From lists."""
        lengths_S = np.array([len(row) for row in rows], np.int64)
        return cls(np.array([value for row in rows for value in row], np.int64), lengths_S)

    @classmethod
    def same(cls, value: int, sequences: int) -> Self:
        """One value in each."""
        return cls(np.full(sequences, value, np.int64), np.ones(sequences, np.int64))

    @cached_property
    def starts_S(self) -> np.ndarray:
        return np.asarray(np.cumsum(self.lengths_S) - self.lengths_S)

    @cached_property
    def sequence_N(self) -> np.ndarray:
        """Of each value the number of its sequence."""
        return np.repeat(np.arange(len(self.lengths_S)), self.lengths_S)

    @cached_property
    def place_N(self) -> np.ndarray:
        """Of each value its place in its sequence."""
        return np.arange(len(self.values_N)) - self.starts_S[self.sequence_N]

    def keep(self, wanted_N: np.ndarray) -> Ragged:
        """Some of the values; sequences may become empty."""
        lengths_S = np.bincount(self.sequence_N[wanted_N], minlength=len(self.lengths_S))
        return Ragged(self.values_N[wanted_N], lengths_S)

    def only(self, wanted_S: np.ndarray) -> Ragged:
        """Some of the sequences."""
        return Ragged(self.values_N[wanted_S[self.sequence_N]], self.lengths_S[wanted_S])

    def take(self, order_S: np.ndarray) -> Ragged:
        """The sequences of these numbers, in this order; one may come again."""
        lengths_S = self.lengths_S[order_S]
        begins_S = np.cumsum(lengths_S) - lengths_S
        from_N = np.repeat(self.starts_S[order_S] - begins_S, lengths_S) + np.arange(lengths_S.sum())
        return Ragged(self.values_N[from_N], lengths_S)

    def insert(self, wanted_N: np.ndarray, values: np.ndarray | np.int64) -> Ragged:
        """New values (or one, again and again), each before one of the old ones (those of `wanted_N`, in order)."""
        times_N = 1 + wanted_N
        found = np.repeat(self.values_N, times_N)
        found[(np.cumsum(times_N) - times_N)[wanted_N]] = values
        added_S = np.bincount(self.sequence_N[wanted_N], minlength=len(self.lengths_S))
        return Ragged(found, self.lengths_S + added_S)


def join(*parts: Ragged) -> Ragged:
    """The parts' sequences of the same number, one behind the other."""
    lengths_S = np.sum([part.lengths_S for part in parts], axis=0)
    starts_S = np.cumsum(lengths_S) - lengths_S
    values_N = np.empty(int(lengths_S.sum()), np.int64)
    for part in parts:
        values_N[starts_S[part.sequence_N] + part.place_N] = part.values_N
        starts_S = starts_S + part.lengths_S
    return Ragged(values_N, lengths_S)


@dataclass(frozen=True)
class Layout:
    """Sequences side by side in rows, as packed documents are: `segments_BL` numbers a row's sequences, -1 is padding;
    `flat_N` says where each value has gone (b * L + l)."""

    tokens_BL: np.ndarray
    segments_BL: np.ndarray
    positions_BL: np.ndarray
    flat_N: np.ndarray


def in_rows(ragged: Ragged, row_S: np.ndarray, rows: int, pad: int) -> Layout:
    """Sequences of ascending rows. The width is the longest row's, up to a multiple of 8."""
    first_S = np.searchsorted(row_S, row_S)  # of each sequence the first one of its row
    number_S = np.arange(len(row_S)) - first_S
    column_S = ragged.starts_S - ragged.starts_S[first_S]
    longest = int((column_S + ragged.lengths_S).max(initial=1))
    width = -(-longest // _MULTIPLE) * _MULTIPLE
    flat_N = (row_S * width + column_S)[ragged.sequence_N] + ragged.place_N
    tokens_BL = np.full((rows, width), pad, np.int64)
    segments_BL, positions_BL = np.full((rows, width), -1, np.int64), np.zeros((rows, width), np.int64)
    tokens_BL.ravel()[flat_N] = ragged.values_N
    segments_BL.ravel()[flat_N] = number_S[ragged.sequence_N]
    positions_BL.ravel()[flat_N] = ragged.place_N
    return Layout(tokens_BL, segments_BL, positions_BL, flat_N)
