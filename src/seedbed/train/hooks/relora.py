"""ReLoRA: training by low-rank updates that are merged again and again."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from seedbed.core.checks import check_counts, check_positive, check_share
from seedbed.core.errors import InputError
from seedbed.train import Intervention, interventions, optimizer_state

if TYPE_CHECKING:
    from seedbed.train.run import Run


@interventions.register("relora", papers=["209"])
class ReLoRA(Intervention):
    """Freezes each linear layer's weights and trains low-rank adapters that are merged into them every so often, so
    that the sum of updates has a high rank (ReLoRA, Lialin et al., 2023, algorithm 1).

    W <- W + (alpha / rank) U D every `every` steps; D is drawn anew, U begins at zero; of the adapters' moments the
    `prune` share of smallest magnitude is set to zero; and the learning rate rises from zero to what the schedule says
    over `warmup` steps (with a cosine: the paper's jagged cosine). Embeddings, norms, biases and the head train as
    ever. The paper's warm start in full rank is a run of its own, which this one continues (`model: NAME`); without it
    results are poor, as the paper finds.

    The saved model is dense, with the adapters merged. FLOPs: the gradient of W is not computed, those of the adapters
    are.
    """

    def __init__(
        self, rank: int = 16, alpha: float = 32.0, every: int = 1000, warmup: int = 50, prune: float = 0.99
    ) -> None:
        check_counts(rank=rank, every=every)
        check_positive(alpha=alpha)
        check_share("prune", prune)
        if not 0 <= warmup <= every:
            raise InputError("warmup", f"must lie between 0 and every ({every})", value=warmup)
        self.rank, self.alpha, self.every, self.warmup, self.prune = rank, alpha, every, warmup, prune
        self._layers: dict[str, Any] = {}
        self._seed = 0

    def prepare(self, network: Any, seed: int) -> None:
        """Adapters beside the frozen weights."""
        from seedbed.models.lowrank import AdaptedLinear
        from seedbed.models.replace import refuse_width_transfer, replace_linears

        refuse_width_transfer(network, "relora")
        scale = self.alpha / self.rank
        self._layers = replace_linears(network, lambda name, linear: AdaptedLinear(linear, self.rank, scale, name))
        self._seed = seed
        self._begin(0)

    def _begin(self, step: int) -> None:
        for name, layer in self._layers.items():
            layer.begin(self._seed, name, step)

    def flops_factor(self, rows: int, columns: int) -> float:
        """Two of three dense products, and all three of both adapters."""
        return 2 / 3 + self.rank * (rows + columns) / (rows * columns)

    def before_step(self, run: Run) -> None:
        """The rate rises anew after each restart."""
        since = run.step % self.every
        if run.step >= self.every and since < self.warmup:
            for group in run.optimizer.param_groups:
                group["lr"] *= (since + 0.5) / self.warmup

    def after_step(self, run: Run) -> None:
        """Merge and begin again, if it is time."""
        import torch

        if run.step % self.every or run.finished:
            return
        for layer in self._layers.values():
            with torch.no_grad():
                layer.weight.copy_(layer.merged())
            optimizer_state.prune(run.optimizer, [layer.up, layer.down], self.prune)
        self._begin(run.step)
        run.count("restarts")

    def on_end(self, run: Run) -> None:
        """Say what will be saved."""
        run.say("the adapters are merged: the saved model is dense")

    def export(self, network: Any) -> None:
        """Ordinary layers with W + (alpha / rank) U D."""
        from seedbed.models.lowrank import AdaptedLinear
        from seedbed.models.replace import put_back

        put_back(network, AdaptedLinear, AdaptedLinear.merged)
