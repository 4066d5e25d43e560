"""AdamW."""

from __future__ import annotations

from typing import Any

from seedbed.core.errors import InputError
from seedbed.optim import optimizers
from seedbed.optim.parameters import decay_groups


@optimizers.register("adamw")
class AdamW:
    """Adam with decoupled weight decay (Loshchilov and Hutter, 2019, algorithm 2), by torch.

    m <- b1 m + (1 - b1) g;  v <- b2 v + (1 - b2) g^2;  w <- w - lr (m^ / (sqrt(v^) + eps) + weight_decay w)
    with m^, v^ corrected for their bias. As in torch, the decay is multiplied by the scheduled rate (lr), where
    the paper multiplies by the schedule alone. Vectors (norms, biases) do not decay, nor do embeddings unless
    `decay_embeddings`. `fused` updates in one pass over memory; it changes speed and the last bits only.
    The second moment's default of 0.98 suits runs of thousands of steps, as in RoBERTa (Liu et al., 2019).
    """

    def __init__(
        self,
        *,
        lr: float = 1e-3,
        betas: tuple[float, float] = (0.9, 0.98),
        eps: float = 1e-8,
        weight_decay: float = 0.1,
        decay_embeddings: bool = False,
        fused: bool = True,
    ) -> None:
        for name, value in (("lr", lr), ("eps", eps)):
            if not 0 < value < float("inf"):
                raise InputError(name, "must be above 0", value=value)
        if not all(0 <= beta < 1 for beta in betas):
            raise InputError("betas", "must lie in [0, 1)", value=betas)
        if not 0 <= weight_decay < float("inf"):
            raise InputError("weight_decay", "must not be negative", value=weight_decay)
        self.lr, self.betas, self.eps = lr, betas, eps
        self.weight_decay, self.decay_embeddings, self.fused = weight_decay, decay_embeddings, fused

    def build(self, network: Any) -> Any:
        """The torch optimizer over the trainable parameters."""
        import torch

        groups = decay_groups(network, self.weight_decay, decay_embeddings=self.decay_embeddings)
        return torch.optim.AdamW(groups, lr=self.lr, betas=self.betas, eps=self.eps, fused=self.fused)
