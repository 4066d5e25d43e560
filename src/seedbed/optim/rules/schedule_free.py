"""Schedule-free AdamW."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, ClassVar

from seedbed.core.checks import check_adam
from seedbed.core.errors import InputError
from seedbed.optim import optimizers
from seedbed.optim.parameters import decay_groups

if TYPE_CHECKING:
    import torch

    from seedbed.optim.engine import Item


@optimizers.register("schedule_free")
class ScheduleFree:
    """AdamW with averaging in place of a schedule (Defazio et al., 2024, The Road Less Scheduled, algorithm 1).

    Gradients g are taken at y, a point between the iterate z and the weighted average x that is the result:
    v <- b2 v + (1 - b2) g^2;  r = lr sqrt(1 - b2^t);  z <- z - r (g / (sqrt(v) + eps) + weight_decay y)
    c = r^2 / (sum of r^2 so far);  x <- (1 - c) x + c z;  y <- (1 - b1) z + b1 x

    The network holds y while it trains; `eval()` of the torch optimizer puts x in its place, for validation and for
    what is saved, and `train()` brings y back bit for bit. Kept are z - y and v, from which x follows. The rate should
    stay constant after a warmup (`schedule: {constant: {warmup: 0.05}}`): a falling schedule works too, and lets its
    last steps count for little in the average. Decay spares vectors and embeddings, as in `adamw`. Rate and betas are
    those of the authors' code.
    """

    elementwise: ClassVar[bool] = True

    def __init__(
        self,
        *,
        lr: float = 2.5e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0.1,
    ) -> None:
        check_adam(lr, betas, eps, weight_decay)
        if betas[0] == 0:
            raise InputError("betas", "the first one must be above 0: it is the share of the average", value=betas)
        self.lr, self.betas, self.eps, self.weight_decay = lr, betas, eps, weight_decay

    def build(self, network: Any) -> Any:
        """The torch optimizer over the trainable parameters."""
        from seedbed.optim.engine import Engine

        groups = decay_groups(network, self.weight_decay, decay_embeddings=False)
        return Engine(groups, {"schedule_free": self.update}, lr=self.lr, judged_at=self.average)

    def update(self, group: dict[str, Any], items: list[Item]) -> None:
        """One step."""
        for item in items:
            rate = group["lr"] * math.sqrt(1 - self.betas[1] ** item.count_update())
            weight_sum = item.add("weight_sum", rate**2)
            share = rate**2 / weight_sum if weight_sum else 0.0
            (offset, second), y, gradient = item.zeros("offset", "exp_avg_sq"), item.weights, item.gradient
            second.mul_(self.betas[1]).addcmul_(gradient, gradient, value=1 - self.betas[1])
            direction = (gradient / second.sqrt().add_(self.eps)).add_(y, alpha=group["weight_decay"])
            # the new y and z - y, with the new x and z written out
            y.add_(offset, alpha=share).add_(direction, alpha=-rate * (1 - self.betas[0] * (1 - share)))
            offset.add_(direction, alpha=-rate * self.betas[0]).mul_(1 - share)

    def average(self, item: Item) -> torch.Tensor:
        """x, from y and z - y."""
        return item.weights.add(item.state["offset"], alpha=1 - 1 / self.betas[0])
