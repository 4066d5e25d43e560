"""The straight line between the weights of two networks, and how alike their hidden states are.

Shapes: P points of the line, R rows, U units of the test set (documents), T target tokens, D width.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from seedbed.models.encoding import batches, pad
from seedbed.models.scoring import MAX_TOKENS, score_targets

from .task import Measure

if TYPE_CHECKING:
    import torch


@dataclass
class Questions:
    """What networks are asked: `targets[r]` at the columns `columns[r]` of row r, which belongs to unit `units[r]`."""

    rows: list[list[int]] = field(default_factory=list)
    columns: list[np.ndarray] = field(default_factory=list)
    targets: list[np.ndarray] = field(default_factory=list)
    units: list[int] = field(default_factory=list)
    numbers: dict[int, int] = field(default_factory=dict)  # of documents, as units

    def add(self, document: int, row: list[int], columns: np.ndarray, targets: np.ndarray) -> None:
        """Another row; documents become units in the order in which they come."""
        self.rows.append(row)
        self.columns.append(columns)
        self.targets.append(targets)
        self.units.append(self.numbers.setdefault(document, len(self.numbers)))

    @property
    def count_U(self) -> np.ndarray:
        return np.bincount(self.units, [len(part) for part in self.targets])

    def by_unit(self, values_R: Sequence[float]) -> np.ndarray:
        """Rows' values, summed up for each unit (U)."""
        return np.bincount(self.units, values_R, minlength=len(self.count_U))


def line(first: Any, other: Any, questions: Questions, pad_id: int, points: int) -> tuple[np.ndarray, np.ndarray]:
    """Nats, and how many targets are not the most likely token, of every unit (P, U), at evenly spaced points of the
    line between two networks' weights; the ends are the networks themselves."""
    import torch

    between, nats, errors = copy.deepcopy(first), [], []
    weights = [list(network.parameters()) for network in (between, first, other)]
    for share in np.linspace(0.0, 1.0, points):
        with torch.no_grad():
            for new, one, two in zip(*weights, strict=True):
                torch.lerp(one, two, float(share), out=new)
        found, best = score_targets(between, questions.rows, questions.columns, questions.targets, pad_id)
        nats.append(questions.by_unit([float(part.sum()) for part in found]))
        wrong = [float((said != true).sum()) for said, true in zip(best, questions.targets, strict=True)]
        errors.append(questions.by_unit(wrong))
    return np.stack(nats), np.stack(errors)


def connectivity(values_PU: np.ndarray, count_U: np.ndarray) -> Measure:
    """Linear mode connectivity: the mean of the two ends less the value at the point between that is farthest from it.

    The point is that of all units together, also where units are drawn again.
    """
    gap_PU = (values_PU[0] + values_PU[-1]) / 2 - values_PU[1:-1]
    return Measure(gap_PU[np.abs(gap_PU.sum(1)).argmax()], count_U)


def similarity(first: Any, other: Any, questions: Questions, pad_id: int) -> Measure:
    """Linear CKA of two networks' last hidden states at the targets (Kornblith et al., 2019):

        |X'Y|^2 / (|X'X| |Y'Y|),  Frobenius norms, with the columns of X and Y (T, D) centered.

    It is no ratio of sums over units. So the measure's parts are those of its linearization: with the value f, unit u
    has f / U + df / d(weight of u), which sums up to f, and draws of units give the infinitesimal jackknife's interval.
    """
    sums: list[Any] = [0.0, 0.0, 0.0, 0.0, 0.0]
    for _, x_TD, y_TD in _states(first, other, questions, pad_id):
        parts = (x_TD.sum(0), y_TD.sum(0), x_TD.T @ y_TD, x_TD.T @ x_TD, y_TD.T @ y_TD)
        sums = [total + part for total, part in zip(sums, parts, strict=True)]
    count_U, (x_D, y_D, *raw) = questions.count_U, sums
    num = int(count_U.sum())
    pairs = ((x_D, y_D), (x_D, x_D), (y_D, y_D))
    xy_DD, xx_DD, yy_DD = (total - one[:, None] * two / num for total, (one, two) in zip(raw, pairs, strict=True))
    xy, xx, yy = (float(product.square().sum()) for product in (xy_DD, xx_DD, yy_DD))
    if not xx * yy:  # the states of one of them are all the same
        return Measure(np.zeros(len(count_U)), np.ones(len(count_U)))
    value, part_U = xy / (xx * yy) ** 0.5, np.full(len(count_U), 1 / len(count_U))
    slope_U, unit_R = np.zeros(len(count_U)), np.array(questions.units)
    for rows_T, one_TD, two_TD in _states(first, other, questions, pad_id):
        x_TD, y_TD = one_TD - x_D / num, two_TD - y_D / num
        both_TD = x_TD @ xy_DD * y_TD * 2 / (xx * yy) ** 0.5
        slope_T = (both_TD - value * (x_TD @ xx_DD * x_TD / xx + y_TD @ yy_DD * y_TD / yy)).sum(1)
        slope_U += np.bincount(unit_R[rows_T], slope_T.cpu().numpy(), minlength=len(slope_U))
    return Measure(value * part_U + slope_U, part_U)


def _states(
    first: Any, other: Any, questions: Questions, pad_id: int
) -> Iterator[tuple[np.ndarray, torch.Tensor, torch.Tensor]]:
    """Batch by batch the row of each target, and both networks' hidden states there (float64)."""
    import torch

    device = next(first.parameters()).device
    for chosen in batches([len(row) for row in questions.rows], MAX_TOKENS):
        tokens_BL, segments_BL = pad([questions.rows[index] for index in chosen], pad_id, device)
        line_T = np.repeat(np.arange(len(chosen)), [len(questions.columns[index]) for index in chosen])
        column_T = np.concatenate([questions.columns[index] for index in chosen])
        with torch.no_grad():
            x_TD, y_TD = (net.hidden(tokens_BL, segments_BL)[line_T, column_T].double() for net in (first, other))
        yield chosen[line_T], x_TD, y_TD
