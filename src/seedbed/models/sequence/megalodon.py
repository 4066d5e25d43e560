"""What `mixing.megalodon` computes.

Shapes: B rows, L tokens, D width, N states, P groups of channels, C chunks of K tokens, H heads of width E (queries)
and F (values).
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import torch
from torch.nn import functional

from seedbed.models.attention import rope_table
from seedbed.models.sequence.convolution import causal_convolution, decaying_waves, wide
from seedbed.models.sequence.part import Part

if TYPE_CHECKING:
    from seedbed.models.architecture import Architecture
    from seedbed.models.layers import Linear
    from seedbed.models.mixing.megalodon import Megalodon
    from seedbed.models.segments import Context

Tensor = torch.Tensor


class MegalodonModule(Part):
    shared: Linear
    value: Linear
    gate: Linear
    direct: Linear
    out: Linear
    timestep_gain: Tensor
    timestep_shift: Tensor
    cema_alpha: Tensor
    cema_delta: Tensor
    cema_theta: Tensor
    cema_eta: Tensor
    cema_omega: Tensor
    middle_gain: Tensor
    query_gain: Tensor
    query_shift: Tensor

    def __init__(self, block: Megalodon, architecture: Architecture, layer: int) -> None:
        super().__init__(block, architecture, layer)
        self.settings, self.groups = block, block.sizes(architecture)[2]

    def forward(self, x_BLD: Tensor, context: Context) -> Tensor:
        normed = self._norm(x_BLD)
        middle = self.cema_omega.to(x_BLD.dtype) * normed
        if self.settings.cema:
            middle = middle + causal_convolution(normed, self.kernel(x_BLD.shape[1]))
        middle = self._scaled(middle) * (self.middle_gain.to(x_BLD.dtype) + 1)
        z = self._scaled(self.shared(middle).unflatten(-1, (self.settings.heads, -1)))
        gain = (self.query_gain.to(z.dtype) + 1) / math.sqrt(z.shape[-1])
        q, k = ((z.flatten(-2) * gain[i] + self.query_shift[i].to(z.dtype)).view(z.shape) for i in (0, 1))
        v = functional.silu(self.value(normed)).unflatten(-1, (self.settings.heads, -1))
        mixed = self._attend(q, k, v) * functional.silu(self.gate(middle))
        return self.direct(middle) + self.out(mixed)  # type: ignore[no-any-return]

    def kernel(self, length: int) -> Tensor:
        """Re(sum over n of eta_n p_n q_n^l) / sqrt(N), (L, D)."""
        alpha, delta, theta, eta = map(wide, (self.cema_alpha, self.cema_delta, self.cema_theta, self.cema_eta))
        states = alpha.shape[1]
        p_DN = alpha.sigmoid()
        turn_N = torch.arange(1, states + 1, device=theta.device, dtype=theta.dtype) * (2 * math.pi / states)
        log_q_DN = torch.complex(torch.log1p(-p_DN * delta.sigmoid()), theta.sigmoid()[:, None] * turn_N)
        weight_DN = torch.view_as_complex(eta) * p_DN / math.sqrt(states)
        return decaying_waves(weight_DN, log_q_DN, length)

    def _norm(self, x_BLD: Tensor) -> Tensor:
        """Of groups of channels by mean and variance of all tokens up to each (sums in float64)."""
        x_BLPG = wide(x_BLD).unflatten(-1, (self.groups, -1))
        if self.settings.timestep:
            count_L1 = torch.arange(1, x_BLD.shape[1] + 1, device=x_BLD.device)[:, None] * x_BLPG.shape[-1]
            mean, square = (part.double().cumsum(1) / count_L1 for part in (x_BLPG.sum(-1), x_BLPG.square().sum(-1)))
            scale = (square - mean.square()).clamp(min=0).add(self.architecture.norm_eps).rsqrt()
            mean, scale = mean[..., None].to(x_BLPG.dtype), scale[..., None].to(x_BLPG.dtype)
            normed = ((x_BLPG - mean) * scale).flatten(-2).to(x_BLD.dtype)
        else:
            normed = self._scaled(x_BLPG).flatten(-2).to(x_BLD.dtype)
        return torch.addcmul(self.timestep_shift.to(x_BLD.dtype), normed, self.timestep_gain.to(x_BLD.dtype) + 1)

    def _scaled(self, x: Tensor) -> Tensor:
        return functional.rms_norm(x, x.shape[-1:], eps=self.architecture.norm_eps)

    def _attend(self, q_BLHE: Tensor, k_BLHE: Tensor, v_BLHF: Tensor) -> Tensor:
        """Causal attention within chunks, (B, L, H * F)."""
        length, width = q_BLHE.shape[1], q_BLHE.shape[-1]
        size = min(self.settings.chunk, length)
        fill = -length % size
        q, k, v = (
            functional.pad(x, (0, 0, 0, 0, 0, fill)).unflatten(1, (-1, size)).transpose(2, 3)
            for x in (q_BLHE, k_BLHE, v_BLHF)
        )
        cosine, sine = (table.to(q.dtype) for table in rope_table(size, width, self.architecture.rope_theta, q.device))
        q, k = (x * cosine + x.roll(width // 2, -1) * sine for x in (q, k))
        scores_BCHKK = q @ k.transpose(-1, -2)
        hidden = torch.ones(size, size, dtype=torch.bool, device=q.device).triu(1)
        mixed = scores_BCHKK.masked_fill(hidden, float("-inf")).softmax(-1) @ v
        return mixed.transpose(2, 3).flatten(1, 2)[:, :length].flatten(2)
