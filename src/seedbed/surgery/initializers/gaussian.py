"""Draws from the distribution of the old embeddings.

Shapes: V old tokens, N rows, D width.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from seedbed.core.checks import check_positive
from seedbed.core.counters import generator
from seedbed.surgery.initializer import Change, initializers

if TYPE_CHECKING:
    import torch


@initializers.register("gaussian", papers=["362"])
class Gaussian:
    """Rows of a normal distribution that has the mean and the covariance of the old embeddings (Hewitt, 2021,
    "Initializing New Word Embeddings for Pretrained Language Models"; `multivariate` in Mundra et al., 2024).

    scale: what the covariance is multiplied by. Hewitt argues with the mean, so that new tokens take little of the
    probability of the old ones, and his example has 1e-5; 1 makes new rows as far apart as the old ones. With
    `independent` the columns are drawn each by itself (`univariate`).
    """

    def __init__(self, scale: float = 1.0, independent: bool = False) -> None:
        check_positive(scale=scale)
        self.scale, self.independent = scale, independent

    def initialize(self, change: Change) -> dict[str, torch.Tensor]:
        return {
            name: draw(old_VD, len(change.same_N), change.seed, name, self.scale, independent=self.independent)
            for name, old_VD in change.embeddings.items()
        }


def draw(
    old_VD: torch.Tensor, rows: int, seed: int, name: str, scale: float = 1.0, *, independent: bool = False
) -> torch.Tensor:
    """(rows, D): mean + z sqrt(scale * covariance), with z from counters, in float64 inside. By the eigenvectors of the
    covariance, which may be singular where there are fewer old tokens than columns."""
    import torch

    old_VD = old_VD.double()
    mean_D = old_VD.mean(0)
    centered_VD = old_VD - mean_D
    z_ND = torch.from_numpy(generator(seed, "vocabulary", "gaussian", name).standard_normal((rows, len(mean_D))))
    if independent:
        drawn_ND = z_ND * centered_VD.square().mean(0).sqrt()
    else:
        values_D, vectors_DD = torch.linalg.eigh(centered_VD.T @ centered_VD / len(centered_VD))
        drawn_ND = z_ND @ (vectors_DD * values_D.clamp(min=0).sqrt()) @ vectors_DD.T
    return (mean_D + scale**0.5 * drawn_ND).float()
