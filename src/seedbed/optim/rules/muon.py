"""Muon.

Shapes: N matrices of one shape, R rows, C columns, with R <= C.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Literal

from seedbed.core.checks import check_adam, check_counts, check_positive, check_share
from seedbed.optim import optimizers
from seedbed.optim.parameters import hidden_groups, matrix_parts

if TYPE_CHECKING:
    import torch

    from seedbed.optim.engine import Item

_COEFFICIENTS = (3.4445, -4.7750, 2.0315)


@optimizers.register("muon")
class Muon:
    """Momentum, orthogonalized (Jordan et al., 2024, "Muon: An optimizer for hidden layers in neural networks").

    m <- momentum m + (1 - momentum) g;  u = momentum m + (1 - momentum) g  (Nesterov)
    w <- w - lr (s NS(u) + weight_decay w)

    NS brings all singular values of u near 1 by `iterations` steps of Newton and Schulz with a quintic polynomial,
    X <- a X + (b A + c A^2) X with A = X X^T, from X = u / |u|. Those above 0.003 |u| come to between 0.68 and 1.21.
    `scale` is s, for a matrix of R rows (outputs) and C columns: "adamw" is 0.2 sqrt(max(R, C)), with which the update
    is as large as AdamW's usually is, so that its rate and decay can be kept (Liu et al., 2025, Muon is Scalable for
    LLM Training, section 2.2); "spectral" is sqrt(max(1, R / C)) as in Jordan's code, for rates such as 0.02.

    Meant for hidden matrices; embeddings, output and vectors go to AdamW with `betas`, `eps` and the rate `adamw_lr`
    (by default `lr`, which suits the scale "adamw" only). Matrices that a layer holds one below the other, such as
    queries, keys and values, are orthogonalized one by one, as Jordan's first training script does. `products` is the
    arithmetic of NS: that of the weights, or bfloat16 as in Jordan's code, faster where the processor has units for it
    and good to two digits. Matrices of one shape are taken together.
    """

    def __init__(
        self,
        *,
        lr: float = 1e-3,
        momentum: float = 0.95,
        iterations: int = 5,
        weight_decay: float = 0.1,
        scale: Literal["adamw", "spectral"] = "adamw",
        adamw_lr: float | None = None,
        betas: tuple[float, float] = (0.9, 0.95),
        eps: float = 1e-8,
        products: Literal["fp32", "bf16"] = "fp32",
    ) -> None:
        check_adam(lr, betas, eps, weight_decay)
        check_positive(adamw_lr=lr if adamw_lr is None else adamw_lr)
        check_share("momentum", momentum)
        check_counts(iterations=iterations)
        self.lr, self.momentum, self.iterations, self.weight_decay = lr, momentum, iterations, weight_decay
        self.scale, self.adamw_lr, self.betas, self.eps = scale, adamw_lr, betas, eps
        self.products = products

    def build(self, network: Any) -> Any:
        """The torch optimizer over the trainable parameters."""
        from seedbed.optim.engine import Engine

        rest = {"betas": self.betas, "eps": self.eps, "lr": self.adamw_lr or self.lr}
        groups = hidden_groups(network, self.weight_decay, rule="muon", **rest)
        return Engine(groups, {"muon": self.update}, lr=self.lr, parts=matrix_parts(network), whole=True)

    def update(self, group: dict[str, Any], items: list[Item]) -> None:
        """One step."""
        import torch

        gradients, momenta = [item.gradient for item in items], [item.zeros("exp_avg")[0] for item in items]
        torch._foreach_lerp_(momenta, gradients, 1 - self.momentum)
        directions = torch._foreach_lerp(gradients, momenta, self.momentum)
        torch._foreach_mul_([item.weights for item in items], 1 - group["lr"] * group["weight_decay"])
        by_shape: dict[tuple[int, ...], list[tuple[torch.Tensor, torch.Tensor]]] = {}
        for item, direction in zip(items, directions, strict=True):
            wide = _wide(direction)
            by_shape.setdefault(tuple(wide.shape), []).append((item.weights, wide))
        for pairs in by_shape.values():
            stacked_NRC = torch.stack([matrix for _, matrix in pairs])
            factors_NRC = stacked_NRC.bfloat16() if self.products == "bf16" else stacked_NRC
            matrices_NRC = orthogonalize(factors_NRC, self.iterations).to(stacked_NRC.dtype)
            for (weights, _), matrix_RC in zip(pairs, matrices_NRC, strict=True):
                _wide(weights).add_(matrix_RC, alpha=-group["lr"] * self._scale(*weights.shape))

    def _scale(self, rows: int, columns: int) -> float:
        if self.scale == "adamw":
            return 0.2 * math.sqrt(max(rows, columns))
        return math.sqrt(max(1.0, rows / columns))


def _wide(matrix: torch.Tensor) -> torch.Tensor:
    """The matrix, or its transpose, with no more rows than columns."""
    return matrix if matrix.shape[0] <= matrix.shape[1] else matrix.mT


def orthogonalize(matrices_NRC: torch.Tensor, iterations: int) -> torch.Tensor:
    """Matrices with the same singular vectors and singular values near 1; those that are zero stay zero."""
    import torch

    a, b, c = _COEFFICIENTS
    x_NRC = matrices_NRC / torch.linalg.matrix_norm(matrices_NRC, keepdim=True).clamp(min=1e-30)
    for _ in range(iterations):
        gram_NRR = x_NRC @ x_NRC.mT
        x_NRC = torch.baddbmm(x_NRC, torch.baddbmm(gram_NRR, gram_NRR, gram_NRR, beta=b, alpha=c), x_NRC, beta=a)
    return x_NRC
