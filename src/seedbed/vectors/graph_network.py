"""A graph convolution whose outputs are word vectors, trained by comparing words.

Shapes: W words, D dimensions, F features, A anchors, J samples of an anchor.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from seedbed.core.counters import generator

if TYPE_CHECKING:
    from .token_graph import Samples


class _Propagate(torch.autograd.Function):
    """S x for a sparse S that equals its transpose, which torch would build anew for every gradient."""

    @staticmethod
    def forward(ctx: Any, propagation_WW: torch.Tensor, x_WD: torch.Tensor) -> torch.Tensor:
        ctx.propagation_WW = propagation_WW
        return propagation_WW @ x_WD

    @staticmethod
    def backward(ctx: Any, *gradients: torch.Tensor) -> tuple[None, torch.Tensor]:
        return None, ctx.propagation_WW @ gradients[0]


def contrast(
    vectors_WD: torch.Tensor,
    anchors_A: torch.Tensor,
    words_AJ: torch.Tensor,
    near_AJ: torch.Tensor,
    valid_AJ: torch.Tensor,
    temperature: float,
) -> torch.Tensor:
    """The supervised contrastive loss (Khosla et al., 2020, equation 2) of words: for each anchor the mean over the
    words p that are to be near it of -ln(exp(s_ap / t) / sum over all its samples j of exp(s_aj / t)), s the cosine;
    the mean over anchors, in nats."""
    unit_WD = torch.nn.functional.normalize(vectors_WD, dim=-1)
    cosines_AJ = torch.einsum("ad,ajd->aj", unit_WD[anchors_A], unit_WD[words_AJ])
    logits_AJ = (cosines_AJ / temperature).masked_fill(~valid_AJ, -torch.inf)
    surprise_AJ = -torch.log_softmax(logits_AJ, dim=1).masked_fill(~near_AJ, 0.0)
    return (surprise_AJ.sum(1) / near_AJ.sum(1)).mean()


@dataclass(frozen=True)
class Fitted:
    """The vectors that the trained network gives (float32), and the loss before the first and the last epoch."""

    vectors_WD: np.ndarray
    first_loss: float
    last_loss: float


def fit(
    propagation_WW: torch.Tensor,
    features_WF: np.ndarray,
    samples: Samples,
    *,
    dimensions: int,
    temperature: float,
    lr: float,
    epochs: int,
    seed: int,
) -> Fitted:
    """Two layers, S relu(S X U + b) V + c with S the propagation and X the features (Kipf and Welling, 2017), trained
    by Adam on all anchors at once. The matrices begin uniform in +-sqrt(6 / (rows + columns)) (Glorot and Bengio,
    2010). Memory: 8 bytes for each anchor, sample and dimension."""
    shapes = [(features_WF.shape[1], dimensions), (dimensions, dimensions)]
    weights = [torch.from_numpy(_glorot(shape, seed, layer)).requires_grad_() for layer, shape in enumerate(shapes)]
    biases = [torch.zeros(dimensions, requires_grad=True) for _ in shapes]
    arrays = (samples.anchors_A, samples.words_AJ, samples.near_AJ, samples.valid_AJ)
    asked = [torch.from_numpy(array) for array in arrays]
    around_WF = propagation_WW @ torch.from_numpy(features_WF)  # the same in every epoch
    optimizer = torch.optim.Adam([*weights, *biases], lr=lr)

    def vectors() -> torch.Tensor:
        hidden_WD = torch.relu(around_WF @ weights[0] + biases[0])
        around_WD: torch.Tensor = _Propagate.apply(propagation_WW, hidden_WD @ weights[1])
        return around_WD + biases[1]

    losses = []
    for _ in range(epochs):
        optimizer.zero_grad()
        loss = contrast(vectors(), asked[0], asked[1], asked[2], asked[3], temperature)
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        losses.append(float(loss.detach()))
    with torch.no_grad():
        return Fitted(vectors().numpy(), losses[0], losses[-1])


def _glorot(shape: tuple[int, int], seed: int, layer: int) -> np.ndarray:
    bound = np.sqrt(6 / sum(shape))
    drawn = generator(seed, "graph convolution", layer).uniform(-bound, bound, shape)
    return np.asarray(drawn, dtype=np.float32)
