"""AdamW."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from seedbed.core.checks import check_adam
from seedbed.optim import optimizers
from seedbed.optim.parameters import decay_groups

if TYPE_CHECKING:
    from seedbed.optim.engine import Item


@optimizers.register("adamw", version=2)
class AdamW:
    """Adam with decoupled weight decay (Loshchilov and Hutter, 2019, algorithm 2), by torch.

    m <- b1 m + (1 - b1) g;  v <- b2 v + (1 - b2) g^2;  w <- w - lr (m^ / (sqrt(v^) + eps) + weight_decay w)
    with m^, v^ corrected for their bias. As in torch, the decay is multiplied by the scheduled rate (lr), where
    the paper multiplies by the schedule alone. Vectors (norms, biases) do not decay, nor do embeddings unless
    `decay_embeddings`. `fused` updates in one pass over memory; it changes speed and the last bits only.
    The second moment's default of 0.98 suits runs of thousands of steps, as in RoBERTa (Liu et al., 2019).

    `state` is how m and v are kept: 8 bytes a parameter in fp32, 4 in bf16 (rounded at random, with numbers from
    counters), 2 in int8 (Dettmers et al., 2022; tensors below 4,096 elements stay in fp32). The two small ones
    compute in fp32, a parameter at a time, and not fused. Of Dettmers et al., the norm after the embedding is not here.
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
        state: Literal["fp32", "bf16", "int8"] = "fp32",
    ) -> None:
        check_adam(lr, betas, eps, weight_decay)
        self.lr, self.betas, self.eps, self.state = lr, betas, eps, state
        self.weight_decay, self.decay_embeddings, self.fused = weight_decay, decay_embeddings, fused
        self.elementwise = state == "fp32"

    def build(self, network: Any) -> Any:
        """The torch optimizer over the trainable parameters."""
        from seedbed.optim.engine import Engine, update_adamw

        groups = decay_groups(network, self.weight_decay, decay_embeddings=self.decay_embeddings)
        if self.state == "fp32":
            settings = {"betas": self.betas, "eps": self.eps, "fused": self.fused}
            return Engine([{**group, **settings} for group in groups], {"adamw": update_adamw}, lr=self.lr)
        return Engine(groups, {"adamw_lowbit": self.update}, lr=self.lr, whole=True)

    def update(self, group: dict[str, Any], items: list[Item]) -> None:
        """One step with moments in two bytes or one."""
        from seedbed.optim.engine import normalized
        from seedbed.optim.lowbit import random_bits, read, write

        for item in items:
            updates = item.count_update()
            gradient = item.gradient.float()
            first = read(item.state, "exp_avg", gradient, signed=True).lerp_(gradient, 1 - self.betas[0])
            second = read(item.state, "exp_avg_sq", gradient, signed=False)
            second.mul_(self.betas[1]).addcmul_(gradient, gradient, value=1 - self.betas[1])
            direction = normalized(first, second, self.betas, self.eps, updates)
            item.weights.mul_(1 - group["lr"] * group["weight_decay"]).add_(direction, alpha=-group["lr"])
            noise = random_bits(first, group["step"], item.number) if self.state == "bf16" else (None, None)
            write(item.state, "exp_avg", first, self.state, noise[0])
            write(item.state, "exp_avg_sq", second, self.state, noise[1])
