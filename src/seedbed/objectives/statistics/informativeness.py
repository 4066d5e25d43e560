"""The step that finds how often each token is worth hiding.

Shapes: L tokens of a text, U different ones among them, S candidates, P pairs, V vocabulary.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from seedbed.core.checks import check_counts
from seedbed.core.counters import key, uniform
from seedbed.core.errors import InputError
from seedbed.core.step import StepContext, step
from seedbed.corpus.artifact import Corpus
from seedbed.data.artifact import Tokens
from seedbed.objectives.artifact import RATES_FILE, MaskingRates, write_table
from seedbed.objectives.statistics.text import open_files, texts, tokenized
from seedbed.vocabulary.artifact import Tokenizer

if TYPE_CHECKING:
    from seedbed.data.artifact import TokenFile
    from seedbed.vocabulary.artifact import Vocabulary

_PENDING = 1 << 22  # pairs that wait to be merged


@step("masking_rates", gives=MaskingRates, papers=["290"])
def masking_rates(
    context: StepContext,
    *,
    data: list[Tokens | Corpus],
    tokenizer: Tokenizer,
    rate: float = 0.15,
    candidates: int = 30,
    length: int = 128,
    max_texts: int = 10_000,
    seed: int = 0,
) -> None:
    """How often each token is among those that a text says most about, for the mask `informative` (Sadeq et al., 2022,
    InforMask: its preprocessing).

    data: corpora or their tokens, of which the training split counts, in texts of `length` tokens. Of every text
    `candidates` sets of `rate` of its tokens are drawn, and that one is taken whose summed pointwise mutual information
    with the tokens outside of it is the largest. A token's rate is the share of its occurrences that were taken. PMI is
    log p(a, b) / (p(a) p(b)), with p the share of texts that hold a token, or both; a token has none with itself.

    We read this from the paper's summary and its released table of rates (0.03 to 0.5 around 0.15, the lowest
    for function words), not from its formula: what counts as together, and how many candidates, is ours. So is that
    rates are drawn towards `rate` as by one more occurrence. At most about `max_texts` texts are looked at, drawn
    evenly; memory: 100 bytes for each different pair of tokens in them.
    """
    check_counts(candidates=candidates, max_texts=max_texts)
    if not 0 < rate < 1:
        raise InputError("rate", "must lie above 0 and below 1", value=rate)
    if length < 2:
        raise InputError("length", "must be at least 2", value=length)
    files = open_files(data, tokenizer)  # type: ignore[arg-type]  # `tokenized` has turned every corpus into tokens
    vocabulary = tokenizer.vocabulary()
    drawn = min(1.0, max_texts * length / sum(file.num_tokens for file in files))

    def read() -> Iterator[tuple[int, np.ndarray]]:
        for number, tokens_L in enumerate(_cut(files, vocabulary, length)):
            if len(tokens_L) > 1 and uniform(key(seed, "texts"), number) < drawn:
                yield number, tokens_L

    together = Together(lambda: (tokens_L for _, tokens_L in read()), vocabulary.size)
    count_V, taken_V = np.zeros(vocabulary.size, dtype=np.int64), np.zeros(vocabulary.size, dtype=np.int64)
    for number, tokens_L in read():
        sets_SL = candidate_sets(len(tokens_L), rate, candidates, key(seed, "candidates"), number)
        # rounded, so that no machine breaks ties otherwise
        best_L = sets_SL[int(informativeness(together.pmi(tokens_L), sets_SL).round(6).argmax())]
        count_V += np.bincount(tokens_L, minlength=vocabulary.size)
        taken_V += np.bincount(tokens_L[best_L], minlength=vocabulary.size)
    if not count_V.any():
        raise InputError("data", "holds no text of two tokens")
    rate_V = (taken_V + rate) / (count_V + 1)
    ids = np.flatnonzero(~vocabulary.special_V & np.array([bool(token) for token in vocabulary.tokens]))
    pieces = [vocabulary.tokens[index] for index in ids]
    write_table(context.folder / RATES_FILE, {"piece": pieces, "count": count_V[ids], "rate": rate_V[ids]})
    context.counts.update(texts=together.num_texts, tokens=int(count_V.sum()), pairs=len(together.key_P))
    often = ids[np.argsort(-count_V[ids], kind="stable")][:3]
    context.say(", ".join(f"{vocabulary.tokens[index]} {rate_V[index]:.3f}" for index in often))


masking_rates.prepare(tokenized)


def _cut(files: list[TokenFile], vocabulary: Vocabulary, length: int) -> Iterator[np.ndarray]:
    """Runs of text in pieces of `length` tokens, one after the other."""
    for file in files:
        for text in texts(file, vocabulary):
            border = np.append(np.flatnonzero(text.breaks_T), len(text.tokens_T))
            for first, last in pairwise(border.tolist()):
                for start in range(first, last, length):
                    yield text.tokens_T[start : min(start + length, last)]


class Together:
    """In how many texts tokens stand, and pairs of them."""

    def __init__(self, read: Callable[[], Iterator[np.ndarray]], size: int) -> None:
        self.size, self.num_texts = size, 0
        self.texts_V = np.zeros(size, dtype=np.int64)
        parts = [(np.zeros(0, dtype=np.int64), np.zeros(0, dtype=np.int64))]
        waiting: list[np.ndarray] = []
        for tokens_L in read():
            ids_U = np.unique(tokens_L)
            self.texts_V[ids_U] += 1
            self.num_texts += 1
            one, other = np.triu_indices(len(ids_U), 1)
            waiting.append(ids_U[one] * size + ids_U[other])
            if sum(map(len, waiting)) > _PENDING:
                parts, waiting = [_summed([*parts, _counted(waiting)])], []
        self.key_P, self.count_P = _summed([*parts, _counted(waiting)])

    def pmi(self, tokens_L: np.ndarray) -> np.ndarray:
        """Of every two places of a text that was read (L, L)."""
        ids_U, which_L = np.unique(tokens_L, return_inverse=True)
        one, other = np.triu_indices(len(ids_U), 1)
        both = self.count_P[np.searchsorted(self.key_P, ids_U[one] * self.size + ids_U[other])]
        pmi_UU = np.zeros((len(ids_U), len(ids_U)))
        pmi_UU[one, other] = np.log(both * (self.num_texts / (self.texts_V[ids_U[one]] * self.texts_V[ids_U[other]])))
        pmi_UU += pmi_UU.T
        return np.asarray(pmi_UU[which_L[:, None], which_L[None, :]])


def candidate_sets(length: int, rate: float, candidates: int, stream: int, number: int) -> np.ndarray:
    """Random sets of places of equal size (S, L, bool)."""
    size = max(1, round(rate * length))
    drawn_SL = uniform(stream, number, np.arange(candidates)[:, None], np.arange(length)[None, :])
    chosen_SL = np.zeros((candidates, length), dtype=bool)
    np.put_along_axis(chosen_SL, np.argsort(drawn_SL, axis=1, kind="stable")[:, :size], True, axis=1)
    return chosen_SL


def informativeness(pmi_LL: np.ndarray, sets_SL: np.ndarray) -> np.ndarray:
    """The summed PMI of the places in a set with those outside of it, for each set (S)."""
    inside_SL = sets_SL.astype(np.float64)
    return np.asarray(((inside_SL @ pmi_LL) * (1 - inside_SL)).sum(1))


def _counted(keys: list[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    return np.unique(np.concatenate([np.zeros(0, dtype=np.int64), *keys]), return_counts=True)


def _summed(parts: list[tuple[np.ndarray, np.ndarray]]) -> tuple[np.ndarray, np.ndarray]:
    key_P, which_P = np.unique(np.concatenate([part[0] for part in parts]), return_inverse=True)
    return key_P, np.bincount(which_P, np.concatenate([part[1] for part in parts]), len(key_P)).astype(np.int64)
