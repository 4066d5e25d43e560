"""What `mixing.bigs` computes.

Shapes: B rows, L tokens, D width, N states.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch.nn.functional import gelu

from seedbed.models.sequence.convolution import decaying_waves, shared_convolution, wide
from seedbed.models.sequence.part import Part

if TYPE_CHECKING:
    from seedbed.models.architecture import Architecture
    from seedbed.models.layers import Linear
    from seedbed.models.mixing.bigs import BiGS
    from seedbed.models.segments import Context

Tensor = torch.Tensor


class BiGSModule(Part):
    inputs: Linear
    forward_out: Linear
    backward_out: Linear
    gate: Linear
    combine: Linear
    out: Linear

    def __init__(self, block: BiGS, architecture: Architecture, layer: int) -> None:
        super().__init__(block, architecture, layer)
        self.gating = block.gating

    def forward(self, x_BLD: Tensor, context: Context) -> Tensor:
        u = gelu(self.inputs(x_BLD))
        if context.valid_BL is not None:
            u = u * context.valid_BL[:, :, None]
        ahead, back = u.chunk(2, dim=-1)
        ahead = self.forward_out(self._mixed("forward", ahead))
        back = self.backward_out(self._mixed("backward", back))
        if not self.gating:
            return self.out(gelu(self.combine(ahead + back)))  # type: ignore[no-any-return]
        return self.out(gelu(self.combine(ahead * back)) * gelu(self.gate(x_BLD)))  # type: ignore[no-any-return]

    def _mixed(self, side: str, u_BLD: Tensor) -> Tensor:
        kernel_L = self.kernel(side, u_BLD.shape[1])
        skip = self.get_parameter(f"{side}_skip").to(u_BLD.dtype)
        return shared_convolution(u_BLD, kernel_L, backward=side == "backward") + skip * u_BLD

    def kernel(self, side: str, length: int) -> Tensor:
        """Re(sum over n of C_n (exp(step a_n) - 1) / a_n exp(step a_n l)), (L)."""
        C, log_step, real, imaginary = (
            wide(self.get_parameter(f"{side}_{name}")) for name in ("C", "log_step", "real", "imaginary")
        )
        a_N = torch.complex(real.clamp(max=-1e-4), imaginary)
        exponent_N = a_N * log_step.exp()
        weight_N = torch.complex(C[:, 0], C[:, 1]) * (exponent_N.exp() - 1) / a_N
        return decaying_waves(weight_N[None], exponent_N[None], length)[:, 0]
