"""How large a hypernetwork is, and what its passes cost."""

from __future__ import annotations

import math
from dataclasses import dataclass

from seedbed.core.errors import InputError
from seedbed.models.architecture import Architecture


@dataclass(frozen=True)
class Sizes:
    """`width`, `tables`: of the model's embeddings. `pieces`: of a token, so many of the first ones are read."""

    width: int
    tables: tuple[str, ...]
    hidden: int
    layers: int
    pieces: int
    residual: bool

    def __post_init__(self) -> None:
        for name in ("hidden", "layers", "pieces"):
            if getattr(self, name) < 1:
                raise InputError(name, "must be at least 1", value=getattr(self, name))

    @property
    def layer(self) -> Architecture:
        """The layers' shape: RoBERTa's, the inner width twice the width as in the authors' settings."""
        heads = math.gcd(self.hidden, max(1, self.hidden // 64))
        return Architecture(
            vocabulary_size=1,
            attention="bidirectional",
            layers=self.layers,
            width=self.hidden,
            heads=heads,
            kv_heads=heads,
            head_width=self.hidden // heads,
            feedforward=2 * self.hidden,
            max_length=self.pieces,
            norm="post",
            norm_bias=True,
            positions="none",  # a table of them is added before the first layer
            gated=False,
            attention_bias=True,
            feedforward_bias=True,
        )

    def flops(self, pieces: float, tokens: float) -> float:
        """Of forward and backward: 6 for each weight of a product and each piece (each token, in the heads). Attention
        among the few pieces of a token is left out."""
        block = 4 * self.hidden * self.hidden
        of_piece = len(self.tables) * self.width * self.hidden + block + self.layers * 2 * block
        of_token = len(self.tables) * (block + self.hidden * self.width)
        return 6.0 * (pieces * of_piece + tokens * of_token)
