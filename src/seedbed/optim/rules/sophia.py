"""Sophia."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from seedbed.core.checks import check_adam, check_counts, check_positive
from seedbed.optim import optimizers
from seedbed.optim.parameters import decay_groups

if TYPE_CHECKING:
    from seedbed.optim.engine import Item


@optimizers.register("sophia")
class Sophia:
    """Momentum over a diagonal of the curvature, clipped (Liu et al., 2023, Sophia, algorithm 3), with the
    Gauss-Newton-Bartlett estimator (algorithm 2): Sophia-G.

    m <- b1 m + (1 - b1) g;  w <- w - lr (clip(m / max(gamma h, eps), 1) + weight_decay w)
    and before every `every`-th update h <- b2 h + (1 - b2) B s^2, where s is the gradient of the mean loss of B
    targets that are drawn from the network's own prediction at the same inputs. Where h is small or not yet known,
    the update is the momentum's sign.

    The loop brings s (`wants_sampled_gradient`, `take_sampled_gradient` of the torch optimizer): one more forward and
    backward pass every so often. `gamma` (rho in the authors' code) says how much of the update is clipped: with a
    small one all of it, and Sophia is the sign of a momentum. Betas are those of the authors' code. Not here: the
    Hutchinson estimator (Sophia-H), which needs second derivatives.
    """

    def __init__(
        self,
        *,
        lr: float = 6e-4,
        betas: tuple[float, float] = (0.965, 0.99),
        eps: float = 1e-12,
        weight_decay: float = 0.1,
        gamma: float = 0.05,
        every: int = 10,
    ) -> None:
        check_adam(lr, betas, eps, weight_decay)
        check_positive(gamma=gamma)
        check_counts(every=every)
        self.lr, self.betas, self.eps, self.weight_decay = lr, betas, eps, weight_decay
        self.gamma, self.every = gamma, every

    def build(self, network: Any) -> Any:
        """The torch optimizer over the trainable parameters."""
        from seedbed.optim.engine import Engine

        groups = decay_groups(network, self.weight_decay, decay_embeddings=False)
        rules = {"sophia": self.update}
        return Engine(groups, rules, lr=self.lr, sampled=self.take_sampled, sample_every=self.every)

    def take_sampled(self, group: dict[str, Any], items: list[Item]) -> None:
        """The curvature, from the gradient of a loss with sampled targets."""
        for item in items:
            (curvature,) = item.zeros("curvature")
            value = (1 - self.betas[1]) * group["count"]
            curvature.mul_(self.betas[1]).addcmul_(item.gradient, item.gradient, value=value)

    def update(self, group: dict[str, Any], items: list[Item]) -> None:
        """One step."""
        for item in items:
            momentum, curvature = item.zeros("exp_avg", "curvature")
            momentum.lerp_(item.gradient, 1 - self.betas[0])
            ratio = momentum / (self.gamma * curvature).clamp_(min=self.eps)
            item.weights.mul_(1 - group["lr"] * group["weight_decay"])
            item.weights.add_(ratio.clamp_(-1, 1), alpha=-group["lr"])
