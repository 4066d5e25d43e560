"""SOAP.

Shapes: M rows, N columns of a matrix; K either of them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from seedbed.core.checks import check_adam, check_counts
from seedbed.optim import optimizers
from seedbed.optim.parameters import hidden_groups, matrix_parts

if TYPE_CHECKING:
    import torch

    from seedbed.optim.engine import Item

_SIDES = ("left", "right")


@optimizers.register("soap", papers=["188"])
class Soap:
    """Adam in the eigenbasis of Shampoo's preconditioner (Vyas et al., 2024, algorithms 3 and 4).

    With the gradient G of a matrix, the bases Q_L, Q_R, and ' for what stands in them (G' = Q_L^T G Q_R):
    M <- b1 M + (1 - b1) G;  V <- b2 V + (1 - b2) G'^2
    W <- W - lr (Q_L (M^' / (sqrt(V^) + eps)) Q_R^T + weight_decay W)
    L <- b2 L + (1 - b2) G G^T;  R <- b2 R + (1 - b2) G^T G
    and every `every` updates Q <- the orthogonal factor of L Q (one power iteration and QR) for each side, columns
    sorted by their estimated eigenvalues, V's rows and columns with them. At first Q is the eigenbasis of the first
    gradient's L and R; that gradient moves nothing, so that no gradient is seen in a basis made of it. M^ and V^ are
    corrected for their bias. Rate, betas, eps and frequency are those of the authors' code, as is the sorting.

    Costs: two more matrices a side beside Adam's moments, eight products an update, a QR every so often. A side
    longer than `max_side` keeps its own basis. Embeddings and output (which the paper rotates on their short side)
    and vectors go to AdamW with the same settings; matrices that a layer holds one below the other are apart.
    """

    def __init__(
        self,
        *,
        lr: float = 3e-3,
        betas: tuple[float, float] = (0.95, 0.95),
        eps: float = 1e-8,
        weight_decay: float = 0.01,
        every: int = 10,
        max_side: int = 4096,
    ) -> None:
        check_adam(lr, betas, eps, weight_decay)
        check_counts(every=every, max_side=max_side)
        self.lr, self.betas, self.eps, self.weight_decay = lr, betas, eps, weight_decay
        self.every, self.max_side = every, max_side

    def build(self, network: Any) -> Any:
        """The torch optimizer over the trainable parameters."""
        from seedbed.optim.engine import Engine

        groups = hidden_groups(network, self.weight_decay, rule="soap", betas=self.betas, eps=self.eps)
        return Engine(groups, {"soap": self.update}, lr=self.lr, parts=matrix_parts(network), whole=True)

    def update(self, group: dict[str, Any], items: list[Item]) -> None:
        """One step; the first only looks."""
        from seedbed.optim.engine import normalized

        for item in items:
            step = item.count_update() - 1
            first_MN, second_MN = item.zeros("exp_avg", "exp_avg_sq")
            gradient_MN = item.gradient
            if step > 0:
                first_MN.lerp_(gradient_MN, 1 - self.betas[0])
                rotated_MN = _rotate(gradient_MN, item)
                second_MN.mul_(self.betas[1]).addcmul_(rotated_MN, rotated_MN, value=1 - self.betas[1])
                direction_MN = normalized(_rotate(first_MN, item), second_MN, self.betas, self.eps, step)
                item.weights.mul_(1 - group["lr"] * group["weight_decay"])
                item.weights.add_(_rotate_back(direction_MN, item), alpha=-group["lr"])
            self._observe(gradient_MN, item, step)

    def _observe(self, gradient_MN: torch.Tensor, item: Item, step: int) -> None:
        """Take the gradient into L and R, and turn the bases when it is time."""
        import torch

        for axis, side in enumerate(_SIDES):
            if gradient_MN.shape[axis] > self.max_side:
                continue
            rows = gradient_MN if axis == 0 else gradient_MN.mT
            if step == 0:
                item.state[side] = (1 - self.betas[1]) * (rows @ rows.mT)
                # `eigh` sorts upwards
                item.state[f"{side}_basis"] = torch.linalg.eigh(item.state[side]).eigenvectors.flip(1).contiguous()
                continue
            product_KK = item.state[side]
            product_KK.addmm_(rows, rows.mT, beta=self.betas[1], alpha=1 - self.betas[1])
            if step % self.every == 0:
                basis_KK = item.state[f"{side}_basis"]
                power_KK = product_KK @ basis_KK
                order = (basis_KK * power_KK).sum(0).argsort(descending=True, stable=True)
                item.state[f"{side}_basis"] = torch.linalg.qr(power_KK[:, order]).Q.contiguous()
                item.state["exp_avg_sq"] = item.state["exp_avg_sq"].index_select(axis, order)


def _rotate(matrix_MN: torch.Tensor, item: Item) -> torch.Tensor:
    """Q_L^T X Q_R."""
    left, right = item.state.get("left_basis"), item.state.get("right_basis")
    rotated = matrix_MN if left is None else left.mT @ matrix_MN
    return rotated if right is None else rotated @ right


def _rotate_back(matrix_MN: torch.Tensor, item: Item) -> torch.Tensor:
    """Q_L X Q_R^T."""
    left, right = item.state.get("left_basis"), item.state.get("right_basis")
    rotated = matrix_MN if left is None else left @ matrix_MN
    return rotated if right is None else rotated @ right.mT
