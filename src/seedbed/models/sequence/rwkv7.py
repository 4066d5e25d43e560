"""What `mixing.rwkv7` and `feeding.rwkv7` compute.

Shapes: B rows, L tokens, D width, H heads of width N, C chunks of K tokens.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch.nn import functional

from seedbed.models.layers import activate
from seedbed.models.sequence.convolution import wide
from seedbed.models.sequence.part import Part
from seedbed.models.sequence.sizes import DELTA_CHUNK

if TYPE_CHECKING:
    from seedbed.models.layers import Linear
    from seedbed.models.segments import Context

Tensor = torch.Tensor
NORM_EPS = 64e-5


def shifted(x_BLD: Tensor) -> Tensor:
    """The token before each; zeros before the first."""
    return functional.pad(x_BLD, (0, 0, 1, -1))


class TimeMixing(Part):
    receptance: Linear
    key: Linear
    values: Linear
    decay_down: Linear
    decay_up: Linear
    rate_down: Linear
    rate_up: Linear
    value_down: Linear
    value_up: Linear
    gate_down: Linear
    gate_up: Linear
    out: Linear
    shifts: Tensor
    decay_base: Tensor
    rate_base: Tensor
    value_base: Tensor
    key_norming: Tensor
    key_rate: Tensor
    bonus: Tensor
    heads_gain: Tensor
    heads_shift: Tensor

    def forward(self, x_BLD: Tensor, context: Context) -> Tensor:
        heads, dtype = self.architecture.heads, x_BLD.dtype
        before = shifted(x_BLD) - x_BLD
        x_r, x_w, x_k, x_v, x_a, x_g = (torch.addcmul(x_BLD, before, share) for share in self.shifts.to(dtype))
        r, k, v = self.receptance(x_r), self.key(x_k), self.values(x_v)
        if self.layer == 0:
            context.carry["rwkv7"] = v
        elif "rwkv7" in context.carry:
            share = torch.sigmoid(self.value_base.to(dtype) + self.value_up(self.value_down(x_v)))
            v = torch.lerp(v, context.carry["rwkv7"], share)
        rate = torch.sigmoid(self.rate_base.to(dtype) + self.rate_up(self.rate_down(x_a)))
        gate = self.gate_up(torch.sigmoid(self.gate_down(x_g)))
        raw = wide(self.decay_base.to(dtype) + self.decay_up(torch.tanh(self.decay_down(x_w))))
        log_decay = -torch.exp(-functional.softplus(-raw) - 0.5)
        towards = functional.normalize((k * self.key_norming.to(dtype)).unflatten(-1, (heads, -1)), dim=-1)
        k = k * (1 + (rate - 1) * self.key_rate.to(dtype))
        r, log_decay, k, v, rate = (part.unflatten(-1, (heads, -1)) for part in (r, log_decay, k, v, rate))
        y = delta_rule(r, log_decay, k, v, -towards, towards * rate).to(dtype)
        normed = functional.layer_norm(y, y.shape[-1:], eps=NORM_EPS).flatten(-2)
        normed = torch.addcmul(self.heads_shift.to(dtype), normed, self.heads_gain.to(dtype))
        bonus = (r * k * self.bonus.to(dtype).view(heads, -1)).sum(-1, keepdim=True) * v
        return self.out((normed + bonus.flatten(-2)) * gate)  # type: ignore[no-any-return]


class ChannelMixing(Part):
    key: Linear
    out: Linear
    shifts: Tensor

    def forward(self, x_BLD: Tensor, context: Context) -> Tensor:
        mixed = torch.addcmul(x_BLD, shifted(x_BLD) - x_BLD, self.shifts.to(x_BLD.dtype))
        return self.out(activate(self.key(mixed), "relu2"))  # type: ignore[no-any-return]


def delta_rule(r: Tensor, log_w: Tensor, k: Tensor, v: Tensor, a: Tensor, b: Tensor) -> Tensor:
    """y_t = S_t r_t of S_t = S_{t-1} (diag(w_t) + a_t b_t^T) + v_t k_t^T, all (B, L, H, N), in float32 or wider.

    With W the product of decays since a chunk began, x_t = S_{t-1} a_t solves a triangular system within the chunk, of
    products of a_t W_{t-1} with b_s / W_s and k_s / W_s. Its solution is linear in the chunk's first state, and so is
    the next chunk's: S' = S P + Q, the only sum that goes from chunk to chunk. Memory: an (N, N) matrix for a chunk
    and head, three times, and six (K, K) ones.
    """
    length, size = r.shape[1], DELTA_CHUNK
    fill = -length % size
    r, log_w, k, v, a, b = (
        functional.pad(wide(x), (0, 0, 0, 0, 0, fill)).unflatten(1, (-1, size)).transpose(2, 3)
        for x in (r, log_w, k, v, a, b)
    )  # (B, C, H, K, N)
    total = log_w.cumsum(-2)
    grown, before = torch.exp(-total), torch.exp(total - log_w)
    a, r, b, k = a * before, r * total.exp(), b * grown, k * grown
    ab, ak, rb, rk = (
        (x @ y.transpose(-1, -2)).tril(edge) for x, y, edge in ((a, b, -1), (a, k, -1), (r, b, 0), (r, k, 0))
    )
    system = torch.eye(size, dtype=r.dtype, device=r.device) - ab
    # x^T = from_state S^T + from_values, of which the first is what `a` asks of the chunk's first state
    from_state, from_values = torch.linalg.solve_triangular(
        system, torch.cat((a, ak @ v), -1), upper=False, unitriangular=True
    ).chunk(2, -1)
    last = total[..., -1:, :].exp()
    step = (torch.eye(r.shape[-1], dtype=r.dtype, device=r.device) + from_state.transpose(-1, -2) @ b) * last
    added = (from_values.transpose(-1, -2) @ b + v.transpose(-1, -2) @ k) * last
    state, states = torch.zeros_like(added[:, 0]), []
    for chunk in range(step.shape[1]):
        states.append(state)
        state = torch.baddbmm(added[:, chunk].flatten(0, 1), state.flatten(0, 1), step[:, chunk].flatten(0, 1)).view_as(
            state
        )
    turned = torch.stack(states, 1).transpose(-1, -2)
    y = (r + rb @ from_state) @ turned + rb @ from_values + rk @ v
    return y.transpose(2, 3).flatten(1, 2)[:, :length]
