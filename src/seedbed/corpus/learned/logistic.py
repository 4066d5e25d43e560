"""Linear models over hashed n-grams: a convex problem with one solution, whatever the order of the examples.

A text's features are its n-grams, hashed to 2**bits numbers; a feature's value is its count divided by the square root
of the text's number of n-grams, so that a text with few repetitions has a norm near one. A model of averaged embeddings
without anything between them and its output (fastText) can express no more than this one: the product of its two
matrices is the table of weights here.

Shapes: N texts, E entries, F features that occur in enough texts, H = 2**bits, C columns of logits, B bins.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from seedbed.corpus.text.token_hashes import blocks, hashes_of, ngram_buckets, segment_sums

if TYPE_CHECKING:
    import torch

Objective = Callable[["torch.Tensor"], "torch.Tensor"]  # from logits (N, C) to a sum of losses


@dataclass(frozen=True)
class Rows:
    """Sparse rows: of text n the entries starts[n] to starts[n + 1]; `features_F` are the columns' numbers below H."""

    starts_N: np.ndarray
    columns_E: np.ndarray
    values_E: np.ndarray
    features_F: np.ndarray

    @classmethod
    def of(cls, texts: Sequence[str], ngrams: int, bits: int, min_texts: int) -> Rows:
        """The features that occur in at least `min_texts` of the texts."""
        found = [_entries(texts[block], ngrams, bits) for block in blocks(texts)]
        features = np.concatenate([np.zeros(0, np.int64), *[part[0] for part in found]])
        values = np.concatenate([np.zeros(0), *[part[1] for part in found]])
        sizes = np.concatenate([np.zeros(0, np.int64), *[part[2] for part in found]])
        is_kept_H = np.bincount(features, minlength=1 << bits) >= min_texts
        kept = np.flatnonzero(is_kept_H)
        column_H = np.cumsum(is_kept_H) - 1
        is_kept_E = is_kept_H[features]
        rows = np.repeat(np.arange(len(sizes)), sizes)[is_kept_E]
        starts = np.concatenate([[0], np.cumsum(np.bincount(rows, minlength=len(sizes)))])
        return cls(starts, column_H[features[is_kept_E]], values[is_kept_E], kept)

    def matrices(self) -> tuple[torch.Tensor, torch.Tensor]:
        """The rows as a matrix (N, F), and its transpose."""
        order = np.argsort(self.columns_E, kind="stable")
        rows = np.repeat(np.arange(len(self.starts_N) - 1), np.diff(self.starts_N))
        ends = np.cumsum(np.bincount(self.columns_E, minlength=len(self.features_F)))
        shape = len(self.starts_N) - 1, len(self.features_F)
        there = _csr(self.starts_N, self.columns_E, self.values_E, shape)
        return there, _csr(np.concatenate([[0], ends]), rows[order], self.values_E[order], shape[::-1])


def _entries(texts: Sequence[str], ngrams: int, bits: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Of each text the distinct features, ascending, their values, and how many there are."""
    hashes, lengths = hashes_of(texts)
    keys, totals = [], np.zeros(len(texts), np.int64)
    for n in range(1, ngrams + 1):
        buckets, offsets = ngram_buckets(hashes, lengths, n, bits)
        sizes = np.diff(offsets)
        keys.append((np.repeat(np.arange(len(texts)), sizes) << bits) | buckets)
        totals += sizes
    found, counts = np.unique(np.concatenate(keys), return_counts=True)
    rows = found >> bits
    return found & ((1 << bits) - 1), counts / np.sqrt(totals[rows]), np.bincount(rows, minlength=len(texts))


def _csr(starts: np.ndarray, columns: np.ndarray, values: np.ndarray, shape: tuple[int, ...]) -> torch.Tensor:
    import torch

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # that the layout is a beta
        parts = [torch.from_numpy(part) for part in (starts, columns, values)]
        return torch.sparse_csr_tensor(parts[0], parts[1], parts[2], shape)


def minimize(
    rows: Rows, columns: int, objective: Objective, *, penalty: float, bias: bool, max_steps: int = 200
) -> tuple[np.ndarray, np.ndarray]:
    """Weights (F, C) and bias (C,) that minimize objective(X W + b) + penalty / 2 * |W|^2, by L-BFGS in float64."""
    import torch

    there, back = rows.matrices()
    weights_FC = torch.zeros(len(rows.features_F), columns, dtype=torch.float64)
    bias_C = torch.zeros(columns, dtype=torch.float64)
    scale = 1.0 / max(1, there.shape[0])  # so that tolerances mean the same for many texts and for few
    optimizer = torch.optim.LBFGS(
        [weights_FC, bias_C],
        max_iter=max_steps,
        history_size=10,
        tolerance_grad=1e-6,
        tolerance_change=1e-8,
        line_search_fn="strong_wolfe",
    )

    def closure() -> torch.Tensor:
        logits_NC = (there @ weights_FC + bias_C).requires_grad_()
        with torch.enable_grad():
            loss = objective(logits_NC)
            (slope_NC,) = torch.autograd.grad(loss, logits_NC)
        weights_FC.grad = scale * (back @ slope_NC + penalty * weights_FC)
        bias_C.grad = scale * slope_NC.sum(0) * bias
        return scale * (loss.detach() + penalty / 2 * weights_FC.square().sum())

    optimizer.step(closure)  # type: ignore[no-untyped-call]
    return weights_FC.numpy(), bias_C.numpy()


@dataclass(frozen=True)
class Table:
    """A fitted model: the weight of every feature, zero where it was too rare to learn one."""

    weights_CH: np.ndarray  # float32
    bias_C: np.ndarray
    ngrams: int

    @classmethod
    def of(cls, rows: Rows, weights_FC: np.ndarray, bias_C: np.ndarray, ngrams: int, bits: int) -> Table:
        table_CH = np.zeros((len(bias_C), 1 << bits), np.float32)
        table_CH[:, rows.features_F] = weights_FC.T
        return cls(table_CH, bias_C, ngrams)

    def logits(self, texts: Sequence[str]) -> np.ndarray:
        """(N, C); NaN for a text without words. No text's depends on another's."""
        found = [self._block(texts[block]) for block in blocks(texts)]
        return np.concatenate([np.zeros((0, len(self.bias_C))), *found])

    def _block(self, texts: Sequence[str]) -> np.ndarray:
        bits = self.weights_CH.shape[1].bit_length() - 1
        hashes, lengths = hashes_of(texts)
        sums_CN, totals_N = np.zeros((len(self.bias_C), len(texts))), np.zeros(len(texts))
        for n in range(1, self.ngrams + 1):
            buckets, offsets = ngram_buckets(hashes, lengths, n, bits)
            for column, weights_H in enumerate(self.weights_CH):
                sums_CN[column] += segment_sums(weights_H[buckets].astype(np.float64), offsets)
            totals_N += np.diff(offsets)
        with np.errstate(invalid="ignore", divide="ignore"):
            return np.where(totals_N > 0, sums_CN / np.sqrt(totals_N) + self.bias_C[:, None], np.nan).T

    def save(self, path: Path) -> None:
        """Only what is not zero."""
        features_F = np.flatnonzero(self.weights_CH.any(axis=0))
        shape = np.array([self.ngrams, self.weights_CH.shape[1]])
        np.savez(
            path, shape=shape, features_F=features_F, weights_CF=self.weights_CH[:, features_F], bias_C=self.bias_C
        )

    @classmethod
    def load(cls, path: Path) -> Table:
        with np.load(path) as file:
            ngrams, size = file["shape"].tolist()
            table_CH = np.zeros((len(file["bias_C"]), size), np.float32)
            table_CH[:, file["features_F"]] = file["weights_CF"]
            return cls(table_CH, file["bias_C"], ngrams)


def softmax(logits_NC: np.ndarray) -> np.ndarray:
    shifted = np.exp(logits_NC - logits_NC.max(axis=1, keepdims=True, initial=-np.inf))
    return np.asarray(shifted / shifted.sum(axis=1, keepdims=True))


def auc(positive: np.ndarray, negative: np.ndarray) -> float:
    """The share of pairs in which the positive one's score is higher; equal ones count half."""
    if not len(positive) or not len(negative):
        return float("nan")
    ordered = np.sort(negative)
    below = np.searchsorted(ordered, positive, side="left")
    upto = np.searchsorted(ordered, positive, side="right")
    return float((below + upto).mean() / 2 / len(negative))


def calibration_error(probability_N: np.ndarray, is_true_N: np.ndarray, weight_N: np.ndarray, bins: int = 10) -> float:
    """Expected calibration error: the mean distance of probability and frequency, over bins of equal width."""
    place_N = np.minimum((probability_N * bins).astype(np.int64), bins - 1)
    gap_B = np.bincount(place_N, weights=weight_N * (probability_N - is_true_N), minlength=bins)
    return float(np.abs(gap_B).sum() / weight_N.sum())
