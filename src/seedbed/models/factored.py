"""Tokens' vectors as coordinates over primitives that all tokens share (OFA; Liu et al., 2024).

Shapes: V tokens, F primitives, D width of the vectors, B rows, L tokens a row, T positions.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch.nn import functional

from seedbed.core.errors import InputError
from seedbed.models.layers import Embedding

if TYPE_CHECKING:
    from seedbed.models.architecture import Architecture

Tensor = torch.Tensor


class FactoredEmbedding(Embedding):
    """A table that is the product of its `weight`, the tokens' coordinates (V, F), and its `primitives` (F, D).

    The product is never made: a vector is a row of coordinates times the primitives, and for logits hidden states are
    multiplied by the primitives first (`projected`), then by the coordinates.
    """

    def __init__(self, rows: int, primitives: int, width: int) -> None:
        super().__init__(rows, primitives)
        self.primitives = torch.nn.Parameter(torch.empty(primitives, width))

    def forward(self, tokens_BL: Tensor) -> Tensor:
        """(B, L, D), in the type of the weights, as of any table."""
        return (super().forward(tokens_BL) @ self.primitives).to(self.weight.dtype)

    def projected(self, hidden_TD: Tensor) -> Tensor:
        """What the coordinates are multiplied with (T, F)."""
        return functional.linear(hidden_TD, self.primitives.to(hidden_TD.dtype))


def token_table(architecture: Architecture) -> Embedding:
    """A network's table of tokens, input or output, its values left unset."""
    a = architecture
    if a.primitives is None:
        return Embedding(a.vocabulary_size, a.table_width)
    return FactoredEmbedding(a.vocabulary_size, a.primitives, a.table_width)


def refuse_primitives(primitives: object, key: str) -> None:
    """An error where there are any, for what changes or reads a token's vector itself."""
    if primitives:
        problem = "needs whole token embeddings, and the model's are coordinates over primitives"
        raise InputError(key, problem, fix="multiply them out first: seedbed export")
