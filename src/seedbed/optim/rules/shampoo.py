"""Shampoo.

Shapes: M rows, N columns of a matrix; K either of them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from seedbed.core.checks import check_adam, check_counts, check_positive
from seedbed.optim import optimizers
from seedbed.optim.parameters import hidden_groups, matrix_parts

if TYPE_CHECKING:
    import torch

    from seedbed.optim.engine import Item


@optimizers.register("shampoo")
class Shampoo:
    """A preconditioner for each side of a matrix (Gupta et al., 2018), with moving averages and Adam's step size
    (Anil et al., 2020; Shi et al., 2023).

    With the gradient G of a matrix:
    L <- b2 L + (1 - b2) G G^T;  R <- b2 R + (1 - b2) G^T G;  M <- b1 M + (1 - b1) G
    U = (L + d |L| I)^-power M (R + d |R| I)^-power, where |L| is the largest eigenvalue and d is `damping`
    W <- W - lr (U |A| / |U| + weight_decay W), where A is Adam's direction for the same gradients (`eps` is its own)
    The inverse roots are computed anew every `every` updates, by eigendecomposition. `power` is 1/4 in the original;
    1/2 is the optimal Kronecker product's (Morwani et al., 2024), which is what SOAP starts from.

    The original sums L and R up instead of averaging and has no grafting (|A| / |U|). Not here: blocks of large
    matrices; a side longer than `max_side` has no preconditioner. Embeddings, output and vectors go to AdamW with
    the same settings; matrices that a layer holds one below the other are apart.
    """

    def __init__(
        self,
        *,
        lr: float = 3e-3,
        betas: tuple[float, float] = (0.95, 0.95),
        eps: float = 1e-8,
        weight_decay: float = 0.01,
        power: float = 0.25,
        every: int = 10,
        damping: float = 1e-6,
        max_side: int = 4096,
    ) -> None:
        check_adam(lr, betas, eps, weight_decay)
        check_positive(power=power, damping=damping)
        check_counts(every=every, max_side=max_side)
        self.lr, self.betas, self.eps, self.weight_decay = lr, betas, eps, weight_decay
        self.power, self.every, self.damping, self.max_side = power, every, damping, max_side

    def build(self, network: Any) -> Any:
        """The torch optimizer over the trainable parameters."""
        from seedbed.optim.engine import Engine

        groups = hidden_groups(network, self.weight_decay, rule="shampoo", betas=self.betas, eps=self.eps)
        return Engine(groups, {"shampoo": self.update}, lr=self.lr, parts=matrix_parts(network), whole=True)

    def update(self, group: dict[str, Any], items: list[Item]) -> None:
        """One step."""
        import torch

        from seedbed.optim.engine import adam_direction

        for item in items:
            updates = item.count_update()
            adam_MN = adam_direction(item, item.gradient, self.betas, self.eps, updates)
            update_MN = item.state["exp_avg"]
            for axis, side in enumerate(("left", "right")):
                if item.gradient.shape[axis] <= self.max_side:
                    root_KK = self._root(item, axis, side, updates)
                    update_MN = root_KK @ update_MN if axis == 0 else update_MN @ root_KK
            norm = torch.linalg.matrix_norm(update_MN)
            size = torch.where(norm > 0, torch.linalg.matrix_norm(adam_MN) / norm, 0.0)
            item.weights.mul_(1 - group["lr"] * group["weight_decay"]).sub_(update_MN * (group["lr"] * size))

    def _root(self, item: Item, axis: int, side: str, updates: int) -> torch.Tensor:
        """The inverse root of a side's average, after it has taken the gradient; as old as `every` allows."""
        import torch

        rows = item.gradient if axis == 0 else item.gradient.mT
        if side not in item.state:
            item.state[side] = rows.new_zeros(len(rows), len(rows))
        average_KK = item.state[side].addmm_(rows, rows.mT, beta=self.betas[1], alpha=1 - self.betas[1])
        if (updates - 1) % self.every == 0:
            values_K, vectors_KK = torch.linalg.eigh(average_KK)
            largest = values_K[-1].clamp(min=torch.finfo(values_K.dtype).tiny)
            roots_K = (values_K.clamp(min=0) / largest + self.damping) ** -self.power  # scale is Adam's in any case
            item.state[f"{side}_root"] = (vectors_KK * roots_K) @ vectors_KK.mT
        return item.state[f"{side}_root"]
