"""What the objective `relation` puts beside an encoder while it trains.

Shapes: R rows, D width, C classes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from seedbed.models.initialize import initialize
from seedbed.models.layers import Linear

if TYPE_CHECKING:
    from seedbed.models.architecture import Architecture


class RelationHead(torch.nn.Module):
    """BERT's pooler (dense and tanh) over the first token, and a logit for each class."""

    def __init__(self, architecture: Architecture, classes: int, seed: int) -> None:
        super().__init__()
        self.dense = Linear(architecture.width, architecture.width, bias=True)
        self.dense_prediction = Linear(architecture.width, classes, bias=True)
        for name, parameter in self.named_parameters():
            initialize(f"relation_head.{name}", parameter, seed, architecture)

    def forward(self, hidden_RD: torch.Tensor) -> torch.Tensor:
        """Logits (R, C), in float32."""
        logits_RC: torch.Tensor = self.dense_prediction(torch.tanh(self.dense(hidden_RD)))
        return logits_RC.float()
