"""Adafactor."""

from __future__ import annotations

from typing import Any

from seedbed.core.checks import check_decay, check_positive
from seedbed.core.errors import InputError
from seedbed.optim import optimizers
from seedbed.optim.parameters import decay_groups


@optimizers.register("adafactor")
class Adafactor:
    """Adam's second moment as a product of a column and a row, no first moment (Shazeer and Stern, 2018, algorithms 4
    and 5), by torch.

    For a matrix:  b = 1 - t^second_decay;  r <- b r + (1 - b) row means of g^2;  c likewise of columns
    v = r c / mean(r);  u = g / sqrt(v);  s = max(min_scale, RMS(w)) min(lr, 1 / sqrt(t))
    w <- w - s u / max(1, RMS(u) / clip)
    Vectors have a full v. `lr` is relative to the size of the weights: 0.01 moves them by about a hundredth. The
    decay is decoupled and multiplied by lr, and spares vectors and embeddings, as in `adamw`.

    As in torch, the paper's eps1 stands in the last division only, and in place of its constant 1e-30 in the averages;
    the paper has no weight decay in these algorithms. It keeps a few numbers a row and column.
    """

    def __init__(
        self,
        *,
        lr: float = 1e-2,
        second_decay: float = -0.8,
        min_scale: float = 1e-3,
        clip: float = 1.0,
        weight_decay: float = 0.0,
    ) -> None:
        check_positive(lr=lr, min_scale=min_scale)
        check_decay(weight_decay)
        if second_decay >= 0:
            raise InputError("second_decay", "must be below 0", value=second_decay)
        if not 1 <= clip < float("inf"):
            raise InputError("clip", "must be at least 1", value=clip)
        self.lr, self.second_decay, self.min_scale = lr, second_decay, min_scale
        self.clip, self.weight_decay = clip, weight_decay

    def build(self, network: Any) -> Any:
        """The torch optimizer over the trainable parameters."""
        import torch

        groups = decay_groups(network, self.weight_decay, decay_embeddings=False)
        eps = (None, self.min_scale)
        return torch.optim.Adafactor(groups, lr=self.lr, beta2_decay=self.second_decay, eps=eps, d=self.clip)
