"""Training a segmenter: rows of units, corrupted anew each time they are seen.

Shapes: B rows, L units a row, N units of a row or text, F features, K outputs of the network.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F

from seedbed.core.counters import integers, key, uniform
from seedbed.optim.tool import ToolOptimizer
from seedbed.segmentation.network import SentenceEnds, Sizes
from seedbed.segmentation.units import SHAPE, Units


@dataclass(frozen=True)
class Training:
    """How a segmenter is trained. `strip`: the share of rows without any punctuation or capitals; `remove`: the share
    of marks that the others lose."""

    steps: int = 600
    rows: int = 16
    length: int = 256
    lr: float = 2e-3
    strip: float = 0.1
    remove: float = 0.2


@dataclass(frozen=True)
class Row:
    """What the network sees, and what it should say: 1 where a line ends, and which mark followed (0 for none)."""

    features_NF: np.ndarray
    is_end_N: np.ndarray
    mark_N: np.ndarray


def corrupted(units: Units, is_end_N: np.ndarray, *, strip: bool, remove: float, stream: int) -> Row:
    """A text without some of its punctuation, or without all of it and without capitals.

    A mark before a line's end stays unless all go, as in the authors' code. Where marks went, the unit before them has
    their line end, and the first of them to predict, as it has of a mark that is still there.
    """
    gone_N = units.is_mark_N.copy()
    if not strip:
        gone_N &= (uniform(stream, np.arange(len(units))) < remove) & ~is_end_N
    gone_N[:1] = False  # there is no unit before it
    kept = np.flatnonzero(~gone_N)
    owner_N = np.cumsum(~gone_N) - 1
    ends = np.zeros(len(kept), bool)
    ends[owner_N[is_end_N]] = True
    features_NF = units.features_NF[kept].copy()
    if strip:
        features_NF[:, SHAPE] = units.lower_N[kept]
    following_N = np.append(units.mark_N[1:], 0)[kept]  # the unit after a kept one, itself kept or not
    return Row(features_NF, ends, following_N)


def fit(
    pieces: Sequence[tuple[Units, np.ndarray]],
    sizes: Sizes,
    how: Training,
    seed: int,
    say: Callable[[str], None] = lambda line: None,
    start: SentenceEnds | None = None,
) -> SentenceEnds:
    """A network trained with AdamW, a linear warm-up and a cosine to zero, on rows that begin anywhere in a piece."""
    network = (SentenceEnds(sizes, seed) if start is None else start).train()
    lengths = np.array([len(units) for units, _ in pieces])
    shares = np.cumsum(lengths) / lengths.sum()
    optimizer = ToolOptimizer(network.parameters(), how.lr, how.steps)
    losses: list[float] = []
    for step in range(how.steps):
        places = np.arange(how.rows)
        chosen = np.minimum(np.searchsorted(shares, uniform(key(seed, "piece", step), places)), len(pieces) - 1)
        rows = [_row(pieces[index], how, key(seed, "row", step, place)) for place, index in enumerate(chosen)]
        losses.append(optimizer.step(_loss(network, rows)))
        if (step + 1) % 100 == 0 or step + 1 == how.steps:
            say(f"step {step + 1} of {how.steps}: loss {sum(losses) / len(losses):.4f}")
            losses = []
    return network.eval()


def _row(piece: tuple[Units, np.ndarray], how: Training, stream: int) -> Row:
    """A part of a piece, corrupted."""
    units, is_end_N = piece
    first = int(integers(key(stream, "first"), max(1, len(units) - how.length + 1), 0))
    last = first + how.length
    strip = bool(uniform(key(stream, "strip"), 0) < how.strip)
    part, ends = units.part(first, last), is_end_N[first:last]
    return corrupted(part, ends, strip=strip, remove=how.remove, stream=key(stream, "remove"))


def _loss(network: SentenceEnds, rows: Sequence[Row]) -> torch.Tensor:
    """Binary cross-entropy of line ends, and cross-entropy of the marks that follow, both in the mean over units."""
    longest = max(len(row.is_end_N) for row in rows)
    features_BLF = np.zeros((len(rows), longest, rows[0].features_NF.shape[1]), np.int64)
    is_real_BL = np.zeros((len(rows), longest), bool)
    for number, row in enumerate(rows):
        features_BLF[number, : len(row.is_end_N)] = row.features_NF
        is_real_BL[number, : len(row.is_end_N)] = True
    real = torch.from_numpy(is_real_BL)
    logits_NK = network(torch.from_numpy(features_BLF), None if bool(is_real_BL.all()) else real)[real]
    ends = torch.from_numpy(np.concatenate([row.is_end_N for row in rows])).float()
    marks = torch.from_numpy(np.concatenate([row.mark_N for row in rows]))
    return F.binary_cross_entropy_with_logits(logits_NK[:, 0], ends) + F.cross_entropy(logits_NK[:, 1:], marks)
