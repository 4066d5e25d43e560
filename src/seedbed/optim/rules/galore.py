"""GaLore.

Shapes: M rows, N columns of a matrix, R the rank.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from seedbed.core.checks import check_adam, check_counts, check_positive
from seedbed.optim import optimizers
from seedbed.optim.parameters import hidden_groups, matrix_parts

if TYPE_CHECKING:
    import torch

    from seedbed.optim.engine import Item


@optimizers.register("galore", papers=["209"])
class GaLore:
    """Adam on gradients projected to a low rank (Zhao et al., 2024, GaLore, algorithm 2), for less memory.

    For a matrix with M <= N:  P (M, R) the first left singular vectors of the gradient G, anew every `every` updates
    g = P^T G;  m <- b1 m + (1 - b1) g;  v <- b2 v + (1 - b2) g^2
    W <- W - lr (scale P (m^ / (sqrt(v^) + eps)) + weight_decay W)
    With M > N the right ones: g = G P. Moments (R, N) and P (M, R) are all that is kept; as in the authors' code the
    moments stay as they are when P changes. Rank, period and scale are the authors' for small models.

    Embeddings, output and vectors go to AdamW with the same settings; matrices that a layer holds one below the other
    are projected one by one. Not here: 8-bit or quantized projections, and updates while the gradient is computed,
    which save the gradients' memory too. Of the benchmark of paper 209, this is one of the methods compared.
    """

    def __init__(
        self,
        *,
        lr: float = 3e-3,
        betas: tuple[float, float] = (0.9, 0.98),
        eps: float = 1e-8,
        weight_decay: float = 0.1,
        rank: int = 128,
        every: int = 200,
        scale: float = 0.25,
    ) -> None:
        check_adam(lr, betas, eps, weight_decay)
        check_positive(scale=scale)
        check_counts(rank=rank, every=every)
        self.lr, self.betas, self.eps, self.weight_decay = lr, betas, eps, weight_decay
        self.rank, self.every, self.scale = rank, every, scale

    def build(self, network: Any) -> Any:
        """The torch optimizer over the trainable parameters."""
        from seedbed.optim.engine import Engine

        groups = hidden_groups(network, self.weight_decay, rule="galore", betas=self.betas, eps=self.eps)
        return Engine(groups, {"galore": self.update}, lr=self.lr, parts=matrix_parts(network), whole=True)

    def update(self, group: dict[str, Any], items: list[Item]) -> None:
        """One step."""
        from seedbed.optim.engine import adam_direction

        for item in items:
            updates = item.count_update()
            on_left = item.weights.shape[0] <= item.weights.shape[1]
            if (updates - 1) % self.every == 0:
                item.state["projection"] = self._projection(item.gradient, on_left)
            projection = item.state["projection"]
            low = projection.mT @ item.gradient if on_left else item.gradient @ projection
            direction = adam_direction(item, low, self.betas, self.eps, updates)
            full_MN = projection @ direction if on_left else direction @ projection.mT
            item.weights.mul_(1 - group["lr"] * group["weight_decay"])
            item.weights.add_(full_MN, alpha=-group["lr"] * self.scale)

    def _projection(self, gradient_MN: torch.Tensor, on_left: bool) -> torch.Tensor:
        import torch

        left, _, right = torch.linalg.svd(gradient_MN, full_matrices=False)
        return (left[:, : self.rank] if on_left else right[: self.rank].mT).contiguous()
