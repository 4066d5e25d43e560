"""Sentences in texts of tokens, and which of them say most of what the others say.

Shapes: S texts, N tokens of all of them together, Q sentences of all of them together, P pieces that are chosen, V
vocabulary.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from seedbed.objectives.denoising.ragged import Ragged
from seedbed.objectives.denoising.spans import Spans

if TYPE_CHECKING:
    from seedbed.vocabulary.artifact import Vocabulary

_ENDS = (".", "!", "?", "\u3002", "\u0964", "\u061f", "\uff01", "\uff1f")


def sentence_ends(vocabulary: Vocabulary) -> np.ndarray:
    """Which tokens end a sentence (V): those that end in one of `. ! ?` and the like."""
    return np.array([token.endswith(_ENDS) for token in vocabulary.tokens]) & ~np.asarray(vocabulary.special_V)


@dataclass(frozen=True)
class Sentences:
    """The sentences of texts."""

    tokens: Ragged
    begins_N: np.ndarray

    @classmethod
    def of(cls, tokens: Ragged, ends_V: np.ndarray) -> Sentences:
        """A sentence goes on until a token that ends one, or its text's end."""
        ends_N = ends_V[tokens.values_N]
        return cls(tokens, np.concatenate(([True], ends_N[:-1]))[: len(ends_N)] | (tokens.place_N == 0))

    @cached_property
    def number_N(self) -> np.ndarray:
        """Of each token that of its sentence."""
        return np.cumsum(self.begins_N) - 1

    @cached_property
    def text_Q(self) -> np.ndarray:
        return self.tokens.sequence_N[self.begins_N]

    @cached_property
    def counts_S(self) -> np.ndarray:
        """How many each text has."""
        return np.bincount(self.text_Q, minlength=len(self.tokens.lengths_S))

    def overlaps(self, inside_S: np.ndarray, without_S: np.ndarray | None = None) -> np.ndarray:
        """Of each sentence how many of its tokens are in the rest of its group of texts too (Q), each as often as it is
        in both. `inside_S` are the groups; the rest is the group without the sentence, or without its part as of
        `without_S`, such as its own text. Times 2 and divided by the tokens of both, it is their ROUGE-1 as F1."""
        size = int(self.tokens.values_N.max(initial=0)) + 1
        text_N = self.tokens.sequence_N
        mine, count_U, place_N = _counted(self.number_N * size + self.tokens.values_N)
        _, all_U, at_N = _counted(inside_S[text_N] * size + self.tokens.values_N)
        left_N = all_U[at_N] - count_U[place_N]
        if without_S is not None:
            _, own_U, own_N = _counted(without_S[text_N] * size + self.tokens.values_N)
            left_N = all_U[at_N] - own_U[own_N]
        first_U = np.empty(len(mine), np.int64)
        first_U[place_N] = np.arange(len(place_N))
        both_U = np.minimum(count_U, left_N[first_U])
        return np.bincount(mine // size, both_U, minlength=len(self.text_Q)).astype(np.int64)

    def best(self, score_Q: np.ndarray, group_Q: np.ndarray, wanted_Q: np.ndarray) -> np.ndarray:
        """Which sentences are among the best of their group (ascending), as many as wanted there; of equal ones the
        earlier ones."""
        order_Q = np.lexsort((np.arange(len(score_Q)), -score_Q, group_Q))
        first_Q = np.searchsorted(group_Q[order_Q], group_Q[order_Q])
        chosen_Q = np.zeros(len(score_Q), bool)
        chosen_Q[order_Q] = np.arange(len(score_Q)) - first_Q < wanted_Q[order_Q]
        return chosen_Q

    def spans(self, chosen_Q: np.ndarray) -> Spans:
        """Some sentences as spans, each of its own."""
        noise_N = chosen_Q[self.number_N]
        starts_N = noise_N & self.begins_N
        counts_S = np.bincount(self.tokens.sequence_N[starts_N], minlength=len(self.tokens.lengths_S))
        return Spans(noise_N, starts_N, counts_S)

    def chosen(self, chosen_Q: np.ndarray) -> Ragged:
        """Some sentences, each as a sequence."""
        lengths_Q = np.bincount(self.number_N, minlength=len(chosen_Q))
        return Ragged(self.tokens.values_N[chosen_Q[self.number_N]], lengths_Q[chosen_Q])


def beginnings(sentences: Ragged, word_start_V: np.ndarray) -> np.ndarray:
    """Which tokens are of the first half of their sentence's words, rounded up, but never of all where there are two:
    what a question shows of it."""
    begins_N = word_start_V[sentences.values_N] | (sentences.place_N == 0)
    word_N = np.cumsum(begins_N) - 1
    words_P = np.bincount(sentences.sequence_N[begins_N], minlength=len(sentences.lengths_S))
    first_P = np.cumsum(words_P) - words_P
    return np.asarray((word_N - first_P[sentences.sequence_N]) * 2 < words_P[sentences.sequence_N])


def gathered(pieces: Ragged, group_P: np.ndarray, groups: int) -> Ragged:
    """Pieces of ascending groups, one behind the other in each."""
    lengths = np.bincount(group_P, pieces.lengths_S, minlength=groups).astype(np.int64)
    return Ragged(pieces.values_N, lengths)


def _counted(numbers: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Different numbers, how often each is there, and for each number given its place among them."""
    found, place, count = np.unique(numbers, return_inverse=True, return_counts=True)
    return found, count, place.reshape(-1)
