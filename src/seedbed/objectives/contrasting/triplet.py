"""Triplet margins. Shapes: B rows, N vectors of a row."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from seedbed.core.checks import check_positive, check_rate
from seedbed.data.metadata import check_field
from seedbed.objectives.base import Loss
from seedbed.objectives.contrasting import Contrast, Vectors, contrasts

if TYPE_CHECKING:
    import torch


@contrasts.register("triplet", papers=["123"])
class Triplet(Contrast):
    """Triplet margins (Schroff et al., 2015), as POLITICS compares articles on the same story (Liu et al., 2022): the
    mean of max(0, d(a, p) - d(a, n) + `margin`) over all triplets of a row, with Euclidean distances d.

    story: p is of the anchor's group, n is of none or another. With `side`, `metadata.NAME` (an outlet's leaning),
    also side: p and n are both of the anchor's group, p of the anchor's side and n of another; their losses times
    `side_weight`. Each is logged over its own triplets; the mean is over those of both.

    Deviations: all triplets of a row, where the authors draw them; a story's articles that share its side count as
    positives for `story` as well. Their margins could not be looked up. Their masked language modeling beside it is a
    `mixture`, whose rows are one task's each.
    """

    def __init__(self, margin: float = 1.0, side: str | None = None, side_weight: float = 1.0) -> None:
        check_positive(margin=margin)
        check_rate("side_weight", side_weight)
        if side is not None:
            check_field(side, "side")
        self.margin, self.side, self.side_weight = margin, side, side_weight

    def fields(self) -> Mapping[str, str]:
        """The side."""
        return {} if self.side is None else {"side": self.side}

    def loss(self, vectors: Vectors) -> Loss:
        """Both, of which the number is that of all triplets."""
        parts = {"story": self._over(vectors, vectors.same_BNN, vectors.apart_BNN)}
        total = parts["story"].sum
        if self.side is not None:
            side_BN = vectors.fields["side"]
            known_BNN = (side_BN >= 0)[:, :, None] & (side_BN >= 0)[:, None, :] & vectors.same_BNN
            equal_BNN = side_BN[:, :, None] == side_BN[:, None, :]
            parts["side"] = self._over(vectors, known_BNN & equal_BNN, known_BNN & ~equal_BNN)
            total = total + self.side_weight * parts["side"].sum
        count = sum(part.count for part in parts.values())
        return Loss(total, count, {}, {name: part.detached() for name, part in parts.items()})

    def _over(self, vectors: Vectors, near_BNN: torch.Tensor, far_BNN: torch.Tensor) -> Loss:
        import torch

        states_BND = vectors.states_BND
        square_BNN = (states_BND[:, :, None] - states_BND[:, None]).square().sum(3)
        distance_BNN = torch.sqrt(square_BNN + 1e-12)  # the root's slope at 0 is infinite
        triplets_BNNN = near_BNN[:, :, :, None] & far_BNN[:, :, None, :]
        excess_BNNN = (distance_BNN[:, :, :, None] - distance_BNN[:, :, None, :] + self.margin).relu()
        right_BNNN = (distance_BNN[:, :, :, None] < distance_BNN[:, :, None, :]) & triplets_BNNN
        return Loss((excess_BNNN * triplets_BNNN).sum(), int(triplets_BNNN.sum()), {"accuracy": right_BNNN.sum()})
