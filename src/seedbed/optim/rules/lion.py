"""Lion."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from seedbed.core.checks import check_betas, check_decay, check_positive
from seedbed.optim import optimizers
from seedbed.optim.parameters import decay_groups

if TYPE_CHECKING:
    from seedbed.optim.engine import Item


@optimizers.register("lion")
class Lion:
    """The sign of a momentum (Chen et al., 2023, Symbolic Discovery of Optimization Algorithms, algorithm 2), with
    decoupled weight decay.

    w <- w - lr (sign(b1 m + (1 - b1) g) + weight_decay w);  m <- b2 m + (1 - b2) g

    One moment instead of two. Every coordinate moves by lr, so the rate is 3 to 10 times smaller than AdamW's and the
    decay as much larger (section 5). Decay spares vectors and embeddings, as in `adamw`. A gradient of zero moves a
    weight as long as its momentum is not zero: rows of rare tokens drift for longer than under AdamW.
    """

    elementwise: ClassVar[bool] = True

    def __init__(
        self, *, lr: float = 2e-4, betas: tuple[float, float] = (0.9, 0.99), weight_decay: float = 0.5
    ) -> None:
        check_positive(lr=lr)
        check_betas(betas)
        check_decay(weight_decay)
        self.lr, self.betas, self.weight_decay = lr, betas, weight_decay

    def build(self, network: Any) -> Any:
        """The torch optimizer over the trainable parameters."""
        from seedbed.optim.engine import Engine

        groups = decay_groups(network, self.weight_decay, decay_embeddings=False)
        return Engine(groups, {"lion": self.update}, lr=self.lr)

    def update(self, group: dict[str, Any], items: list[Item]) -> None:
        """One step."""
        import torch

        weights, gradients = [item.weights for item in items], [item.gradient for item in items]
        momenta = [item.zeros("exp_avg")[0] for item in items]
        directions = torch._foreach_lerp(momenta, gradients, 1 - self.betas[0])
        torch._foreach_sign_(directions)
        torch._foreach_mul_(weights, 1 - group["lr"] * group["weight_decay"])
        torch._foreach_add_(weights, directions, alpha=-group["lr"])
        torch._foreach_lerp_(momenta, gradients, 1 - self.betas[1])
