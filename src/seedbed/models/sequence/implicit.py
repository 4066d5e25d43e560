"""What `mixing.implicit` computes.

Shapes: B rows, L tokens, D width, H heads of width E, N states, C chunks of K tokens.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch.nn import functional

from seedbed.models.sequence.convolution import short_convolution, wide
from seedbed.models.sequence.part import Part
from seedbed.models.sequence.sizes import SELECTIVE_CHUNK

if TYPE_CHECKING:
    from seedbed.models.architecture import Architecture
    from seedbed.models.layers import Linear, Norm
    from seedbed.models.mixing.implicit import Implicit
    from seedbed.models.segments import Context

Tensor = torch.Tensor


class ImplicitModule(Part):
    injection: Linear
    inputs: Linear
    out: Linear
    step_norm: Norm
    inner_norm: Norm
    last_norm: Norm
    short_taps: Tensor
    short_offset: Tensor
    step_offset: Tensor
    log_rate: Tensor
    skip_gain: Tensor

    def __init__(self, block: Implicit, architecture: Architecture, layer: int) -> None:
        super().__init__(block, architecture, layer)
        self.settings = block
        self.widths = (block.sizes(architecture)[0], block.sizes(architecture)[1], architecture.heads)
        self.plain_steps: int | None = None  # so many with gradients, and no search, while a curriculum says so

    def forward(self, x_BLD: Tensor, context: Context) -> Tensor:
        injected, z, unrolled = self.injection(x_BLD), torch.zeros_like(x_BLD), self.plain_steps
        if unrolled is None:
            unrolled = self.settings.unrolled
            limit = self.settings.steps if torch.is_grad_enabled() else self.settings.test_steps
            with torch.no_grad():
                z = self._solve(z, injected, context.valid_BL, limit)
        for _ in range(unrolled):
            z = torch.lerp(z, self.step(z, injected), self.settings.damping)
        return z

    def _solve(self, z: Tensor, injected: Tensor, valid_BL: Tensor | None, limit: int) -> Tensor:
        """Iterates each row until its relative change is small."""
        moving_B11 = torch.ones(z.shape[0], 1, 1, dtype=torch.bool, device=z.device)
        for _ in range(limit):
            after = torch.lerp(z, self.step(z, injected), self.settings.damping)
            if self.settings.tolerance:
                seen = 1.0 if valid_BL is None else valid_BL[:, :, None]
                change, size = (
                    torch.linalg.vector_norm(wide(part * seen), dim=(1, 2), keepdim=True) for part in (after - z, z)
                )
                after = torch.where(moving_B11, after, z)
                moving_B11 = moving_B11 & (change > self.settings.tolerance * size)
            z = after
            if not moving_B11.any():
                break
        return z

    def step(self, z_BLD: Tensor, injected_BLP: Tensor) -> Tensor:
        """norm(z + SSM(norm(z), injected))."""
        dtype, heads = z_BLD.dtype, self.widths[2]
        gate, mixed, step = (self.inputs(self.step_norm(z_BLD)) + injected_BLP).split(self.widths, -1)
        mixed = functional.silu(short_convolution(mixed, self.short_taps, self.short_offset))
        x, B, C = mixed.split((self.widths[0], self.settings.states, self.settings.states), -1)
        x, step = x.unflatten(-1, (heads, -1)), functional.softplus(wide(step) + wide(self.step_offset))
        y = selective(x * step[..., None].to(dtype), -step * wide(self.log_rate).exp(), B, C).to(dtype)
        y = (y + x * self.skip_gain.to(dtype)[:, None]).flatten(-2)
        return self.last_norm(z_BLD + self.out(self.inner_norm(y * functional.silu(gate))))  # type: ignore[no-any-return]


def selective(x_BLHE: Tensor, log_decay_BLH: Tensor, B_BLN: Tensor, C_BLN: Tensor) -> Tensor:
    """y_t = h_t C_t of h_t = exp(log_decay_t) h_{t-1} + x_t B_t^T, exactly: within chunks as attention with decays,
    between them by their last states. Memory: a (K, K) matrix for each chunk and head."""
    length = x_BLHE.shape[1]
    size = min(length, SELECTIVE_CHUNK)
    fill = -length % size
    x, B, C = (wide(part) for part in (x_BLHE.flatten(-2), B_BLN, C_BLN))
    x, decay, B, C = (
        functional.pad(part, (0, 0, 0, fill)).unflatten(1, (-1, size)) for part in (x, log_decay_BLH, B, C)
    )
    x = x.unflatten(-1, (x_BLHE.shape[2], -1)).transpose(2, 3)  # (B, C, H, K, E)
    total = decay.cumsum(2).transpose(2, 3)  # (B, C, H, K)
    later = torch.ones(size, size, dtype=torch.bool, device=x.device).triu(1)
    share = (total[..., :, None] - total[..., None, :]).masked_fill(later, float("-inf")).exp()
    y = (share * (C @ B.transpose(-1, -2))[:, :, None]) @ x
    left = (total[..., -1:] - total).exp()[..., None]
    added = (x * left).transpose(-1, -2) @ B[:, :, None]  # (B, C, H, E, N)
    state, states = torch.zeros_like(added[:, 0]), []
    for chunk in range(added.shape[1]):
        states.append(state)
        state = torch.addcmul(added[:, chunk], state, total[:, chunk, :, -1, None, None].exp())
    y = y + total.exp()[..., None] * (C[:, :, None] @ torch.stack(states, 1).transpose(-1, -2))
    return y.transpose(2, 3).flatten(1, 2)[:, :length]
