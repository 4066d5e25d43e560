"""Multi-similarity loss, over the levels of a hierarchy. Shapes: B rows, N vectors of a row, H levels of a path."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from seedbed.core.checks import check_positive, check_rate
from seedbed.core.errors import InputError
from seedbed.data.metadata import check_field
from seedbed.objectives.base import Loss
from seedbed.objectives.contrasting import Contrast, Vectors, contrasts

if TYPE_CHECKING:
    import torch

_LOW = -1e4  # an exponent that adds nothing, with a gradient of zero


@contrasts.register("multi_similarity", papers=["307"])
class MultiSimilarity(Contrast):
    """Multi-similarity loss (Wang et al., 2019), and one of them for each level of a hierarchy.

    For a vector i with those of its group P and all others N of the row it is
    1/a ln(1 + sum over P of exp(-a (s_ip - m))) + 1/b ln(1 + sum over N of exp(b (s_in - m))), with cosines s and a
    margin m; with `mining` above 0 only those of P count that are not by so much nearer than the nearest of N, and
    those of N that are not by so much farther than the farthest of P (their section 3.3). The mean over vectors that
    have both.

    With `path`, `metadata.NAME` with the list of nodes from the root to a text's concept, two texts are as far apart as
    the way from node to node in the tree is long (0 for synonyms, 1 for a parent, 2 for siblings), and for each of
    `levels` P are the texts at most that far away, N the others, m that level's margin: so nearer relatives are to have
    higher cosines than remote ones. Without it there is one level, of the texts' groups.

    After HiPrBERT (Cai et al., 2023), whose loss modifies the same one so that it orders a term's relatives by their
    distance in hierarchies; its exact form, which could not be looked up, is another than this. A view of a text is at
    distance 0 from the text.
    """

    def __init__(
        self,
        path: str | None = None,
        levels: list[int] = [0],  # noqa: B006
        margins: list[float] = [0.5],  # noqa: B006
        alpha: float = 2.0,
        beta: float = 50.0,
        mining: float = 0.1,
    ) -> None:
        if path is not None:
            check_field(path, "path")
        if not levels or sorted({*levels}) != levels or levels[0] < 0:
            raise InputError("levels", "are distances in a tree, ascending", value=levels)
        if path is None and levels != [0]:
            raise InputError("levels", "want a path", value=levels, fix="path: metadata.NAME")
        if len(margins) != len(levels) or not all(-1 <= margin <= 1 for margin in margins):
            raise InputError("margins", "are cosines, one for each of the levels", value=margins)
        check_positive(alpha=alpha, beta=beta)
        check_rate("mining", mining)
        self.path, self.levels, self.margins = path, levels, margins
        self.alpha, self.beta, self.mining = alpha, beta, mining

    def fields(self) -> Mapping[str, str]:
        """The path."""
        return {} if self.path is None else {"path": self.path}

    def loss(self, vectors: Vectors) -> Loss:
        """All levels' losses, each also apart."""
        near = {f"level_{self.levels[0]}": vectors.same_BNN}
        if self.path is not None:
            distance_BNN = tree_distance(vectors.fields["path"])
            near = {f"level_{n}": vectors.same_BNN | (vectors.others_BNN & (distance_BNN <= n)) for n in self.levels}
        parts = {
            name: self._level(vectors, near_BNN, margin)
            for (name, near_BNN), margin in zip(near.items(), self.margins, strict=True)
        }
        total = sum(part.sum for part in parts.values())
        logged = {name: part.detached() for name, part in parts.items()} if self.path is not None else {}
        return Loss(total, sum(part.count for part in parts.values()), {}, logged)  # type: ignore[arg-type]

    def _level(self, vectors: Vectors, near_BNN: torch.Tensor, margin: float) -> Loss:
        from torch.nn.functional import softplus

        cosines_BNN, far_BNN = vectors.cosines_BNN, vectors.others_BNN & ~near_BNN
        has_BN = near_BNN.any(2) & far_BNN.any(2)
        if self.mining:
            given_BNN = cosines_BNN.detach()
            nearest_BN1 = given_BNN.masked_fill(~far_BNN, -2.0).amax(2, keepdim=True)
            farthest_BN1 = given_BNN.masked_fill(~near_BNN, 2.0).amin(2, keepdim=True)
            near_BNN = near_BNN & (given_BNN - self.mining < nearest_BN1)
            far_BNN = far_BNN & (given_BNN + self.mining > farthest_BN1)

        def side(scale: float, chosen_BNN: torch.Tensor) -> torch.Tensor:
            logits_BNN = (scale * (cosines_BNN - margin)).masked_fill(~chosen_BNN, _LOW)
            return softplus(logits_BNN.logsumexp(2)) / abs(scale)

        loss_BN = (side(-self.alpha, near_BNN) + side(self.beta, far_BNN)) * has_BN
        return Loss(loss_BN.sum(), int(has_BN.sum()))


def tree_distance(path_BNH: torch.Tensor) -> torch.Tensor:
    """Edges between nodes of a tree (B, N, N), from their paths: a number for each beginning, -1 behind the end."""
    depth_BN = (path_BNH >= 0).sum(2)
    common_BNNH = (path_BNH[:, :, None] == path_BNH[:, None]) & (path_BNH >= 0)[:, :, None]
    return depth_BN[:, :, None] + depth_BN[:, None, :] - 2 * common_BNNH.sum(3)
