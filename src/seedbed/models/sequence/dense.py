"""A dense feedforward. Shapes: B rows, L tokens, D width, F inner width."""

from __future__ import annotations

import torch

from seedbed.models.layers import Linear, activate, gated
from seedbed.models.segments import Context
from seedbed.models.sequence.part import Part

Tensor = torch.Tensor


class DenseFeed(Part):
    """Two matrices with an activation between, gated where the network is."""

    inner: Linear
    out: Linear

    def forward(self, x_BLD: Tensor, context: Context) -> Tensor:
        a, inner_BLF = self.architecture, self.inner(x_BLD)
        inner_BLF = gated(inner_BLF, a.activation) if a.gated else activate(inner_BLF, a.activation)
        return self.out(inner_BLF)  # type: ignore[no-any-return]
