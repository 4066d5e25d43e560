"""Spans of noise in texts.

Shapes: S texts, N tokens of all of them together, P parts of all of them together, Q stretches of all of them together.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from seedbed.core.counters import key, uniform
from seedbed.objectives.denoising.ragged import Ragged


@dataclass(frozen=True)
class Texts:
    """What is to be damaged: ordinary tokens, where each text stands in the batch (`row_S`), and two counters that
    are its own in the whole run: its row's number and the column where it begins."""

    tokens: Ragged
    row_S: np.ndarray
    number_S: np.ndarray
    column_S: np.ndarray

    def only(self, wanted_S: np.ndarray) -> Texts:
        """Some of the texts."""
        return Texts(self.tokens.only(wanted_S), self.row_S[wanted_S], self.number_S[wanted_S], self.column_S[wanted_S])

    def drawn(self, stream: int, counts_S: np.ndarray) -> np.ndarray:
        """Numbers in [0, 1), so many for each text, one behind the other."""
        sequence = np.repeat(np.arange(len(counts_S)), counts_S)
        place = np.arange(len(sequence)) - (np.cumsum(counts_S) - counts_S)[sequence]
        return uniform(stream, self.number_S[sequence], self.column_S[sequence], place)


@dataclass(frozen=True)
class Spans:
    """Which tokens are noise (N), and which of them begin a span (N); `counts_S` spans in each text."""

    noise_N: np.ndarray
    starts_N: np.ndarray
    counts_S: np.ndarray


def random_spans(texts: Texts, rate: float, mean_length: float, seed: int, most: int) -> Spans:
    """Spans of T5 (Raffel et al., 2020, section 3.1.4, and their code): of n tokens round(rate * n) are noise, at least
    one and at most n - 1; in round(noise / mean_length) spans, at least one, and never more than `most`. Lengths of
    the spans, and of what is between them, are drawn from all ways to cut such a total into parts of one or more;
    a text begins with what is kept, and ends with noise. Texts of less than two tokens have no noise."""
    length_S = texts.tokens.lengths_S
    able_S = length_S >= 2
    noise_S = np.where(able_S, np.clip(np.round(length_S * rate).astype(np.int64), 1, np.maximum(length_S - 1, 1)), 0)
    kept_S = length_S - noise_S
    counts_S = np.clip(np.round(noise_S / mean_length).astype(np.int64), 1, np.minimum(noise_S, kept_S).clip(1))
    counts_S = np.where(able_S, np.minimum(counts_S, most), 0)
    stretches_Q = np.empty(2 * int(counts_S.sum()), np.int64)
    stretches_Q[0::2] = compositions(texts, kept_S, counts_S, key(seed, "spans", "kept"))
    stretches_Q[1::2] = compositions(texts, noise_S, counts_S, key(seed, "spans", "noise"))
    return spans_of(texts.tokens, Ragged(stretches_Q, 2 * counts_S))


def rolled(texts: Texts, spans: Spans, seed: int) -> Spans:
    """Each text's noise moved on by a number that is drawn; what goes over the end comes at the beginning."""
    tokens = texts.tokens
    drawn_S = texts.drawn(key(seed, "spans", "roll"), np.ones_like(tokens.lengths_S))
    shift_S = np.minimum((drawn_S * tokens.lengths_S).astype(np.int64), np.maximum(tokens.lengths_S - 1, 0))
    sequence_N = tokens.sequence_N
    from_N = (tokens.place_N - shift_S[sequence_N]) % np.maximum(tokens.lengths_S, 1)[sequence_N]
    noise_N = spans.noise_N[tokens.starts_S[sequence_N] + from_N]
    before_N = np.concatenate(([False], noise_N[:-1]))[: len(noise_N)] & (tokens.place_N > 0)
    starts_N = noise_N & ~before_N
    return Spans(noise_N, starts_N, np.bincount(sequence_N[starts_N], minlength=len(tokens.lengths_S)))


def spans_of(tokens: Ragged, stretches: Ragged) -> Spans:
    """From the lengths of what is kept and what is noise, in turn; what is behind the last of them is kept."""
    ends_Q = np.cumsum(stretches.values_N)
    before_Q = ends_Q - stretches.values_N
    first_Q = stretches.starts_S[stretches.sequence_N]
    begin_Q = tokens.starts_S[stretches.sequence_N] + before_Q - before_Q[first_Q]
    is_noise_Q = stretches.place_N % 2 == 1
    change_N = np.zeros(len(tokens.values_N) + 1, np.int64)
    np.add.at(change_N, begin_Q[is_noise_Q], 1)
    np.add.at(change_N, (begin_Q + stretches.values_N)[is_noise_Q], -1)
    starts_N = np.zeros(len(tokens.values_N), bool)
    starts_N[begin_Q[is_noise_Q]] = True
    return Spans(np.cumsum(change_N[:-1]) > 0, starts_N, stretches.lengths_S // 2)


def compositions(texts: Texts, totals_S: np.ndarray, parts_S: np.ndarray, stream: int) -> np.ndarray:
    """Each total cut into so many parts of at least one, every way equally likely: the parts (P), text after text."""
    gaps_S = np.where(parts_S > 0, totals_S - 1, 0)  # places where it can be cut
    gaps = Ragged(texts.drawn(stream, gaps_S), gaps_S)
    order = np.lexsort((gaps.values_N, gaps.sequence_N))
    rank_N = np.empty(len(order), np.int64)
    rank_N[order] = gaps.place_N
    cut_N = rank_N < (parts_S - 1)[gaps.sequence_N]
    ends = gaps.place_N[cut_N] + 1
    # the last part of each text ends at its total
    sequence = np.concatenate((gaps.sequence_N[cut_N], np.flatnonzero(parts_S)))
    ends = np.concatenate((ends, totals_S[parts_S > 0]))
    order = np.lexsort((ends, sequence))
    ends, sequence = ends[order], sequence[order]
    before = np.concatenate(([0], ends[:-1]))
    before[np.flatnonzero(np.diff(sequence, prepend=-1))] = 0
    return np.asarray(ends - before)
