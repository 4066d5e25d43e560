"""What the objective `word_alignment` puts beside an encoder while it trains.

Shapes: A tokens that point, L tokens a row, D width.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import torch

from seedbed.models.initialize import initialize
from seedbed.models.layers import Linear

if TYPE_CHECKING:
    from seedbed.models.architecture import Architecture


class Pointer(torch.nn.Module):
    """Scaled dot products of what tokens ask for and what the tokens of their rows offer (without a bias, which would
    be the same for all of them)."""

    def __init__(self, architecture: Architecture, seed: int) -> None:
        super().__init__()
        self.query = Linear(architecture.width, architecture.width, bias=True)
        self.key = Linear(architecture.width, architecture.width, bias=False)
        for name, parameter in self.named_parameters():
            initialize(f"pointer.{name}", parameter, seed, architecture)

    def forward(self, asking_AD: torch.Tensor, rows_ALD: torch.Tensor) -> torch.Tensor:
        """Logits (A, L), in float32."""
        query_A1D, key_ALD = self.query(asking_AD)[:, None], self.key(rows_ALD)
        logits_AL: torch.Tensor = (query_A1D * key_ALD).sum(-1).float() / math.sqrt(asking_AD.shape[1])
        return logits_AL
