"""The low-rank decoder of LoGAH: from a node to a parameter of any size up to a limit.

Shapes: P parameters, D width of the hypernetwork, R rank, K entries of a row of the last product ("max mask"), M rows
that are made of a factor.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import torch
from torch.nn import functional

if TYPE_CHECKING:
    from seedbed.models.architecture import Architecture

Tensor = torch.Tensor
_MASK = 16  # K is so many times the widest dimension, as in the paper's settings (2048 * 16)


class LowRankDecoder(torch.nn.Module):
    """W = A B, with both factors out of one node (Zhou et al., 2024, equations 3, 4 and 11 to 13):

    X = reshape(M3 relu(M2 relu(M1 h))) of shape (2R, R),  Y = reshape(M4 relu(X)) of shape (2K, R),
    A the first rows of Y, and B^T the first rows of its second half, as many as the parameter has rows and columns.

    The reshape goes along the rows of M4 relu(X), (2R, K), one after the other: so the first K / R rows of A all come
    from the first row of X, and a wider network uses more of M4 before it uses other rows of X. A vector is a matrix of
    one column. Layers have biases, as in the authors' code. Only those entries are computed that are used.
    """

    def __init__(self, width: int, rank: int, widest: int) -> None:
        super().__init__()
        self.rank, self.mask = rank, _MASK * widest
        self.first = torch.nn.Linear(width, 4 * width)
        self.second = torch.nn.Linear(4 * width, 8 * width)
        self.third = torch.nn.Linear(8 * width, 2 * rank * rank)
        self.fourth = torch.nn.Linear(rank, self.mask)

    def forward(self, nodes_PD: Tensor, shapes: list[tuple[int, ...]]) -> list[Tensor]:
        """A parameter of each shape, out of its node."""
        inner = functional.relu(self.second(functional.relu(self.first(nodes_PD))))
        codes = functional.relu(self.third(inner)).view(len(shapes), 2, self.rank, self.rank)
        rows = max(max(shape) for shape in shapes)
        used = -(-rows * self.rank // self.mask)  # rows of X for each factor
        columns = min(self.mask, rows * self.rank)
        flat = functional.linear(codes[:, :, :used], self.fourth.weight[:columns], self.fourth.bias[:columns])
        factors_P2MR = flat.flatten(2)[:, :, : rows * self.rank].view(len(shapes), 2, rows, self.rank)
        return [_product(pair, shape) for pair, shape in zip(factors_P2MR.unbind(0), shapes, strict=True)]


def _product(factors_2MR: Tensor, shape: tuple[int, ...]) -> Tensor:
    a_MR, b_MR = factors_2MR.unbind(0)
    rows, columns = (*shape, 1)[:2]
    return (a_MR[:rows] @ b_MR[:columns].t()).view(shape)


def normalized(name: str, value: Tensor, architecture: Architecture) -> Tensor:
    """A decoded parameter, brought to the scale that its place in a network wants (Knyazev et al., 2021; these
    formulas stand in the code of LoGAH's authors, for language models).

    Matrices: times sqrt(2 / columns), and what writes into the residual stream over sqrt(2 layers) besides. Norms'
    gains: 2 sigmoid(w / 2), so in (0, 2). Biases: tanh(w / 5). Tables are scaled like matrices; the authors, whose
    networks do not tie them, leave them as they are, but a tied one is the logits' matrix, which grow with the width.
    """
    if name.endswith("bias"):
        return torch.tanh(0.2 * value)
    if "norm." in name:
        return 2 * torch.sigmoid(0.5 * value)
    scale = math.sqrt(2 / value.shape[1])
    if name.endswith(("attention_out.weight", "feedforward_out.weight")):
        scale /= math.sqrt(2 * architecture.layers)
    return value * scale
