"""Factorized pretraining: every weight is a product of two thin matrices."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from seedbed.core.checks import check_counts
from seedbed.train import Intervention, interventions
from seedbed.train.budget import Every, check_in_steps
from seedbed.train.optimizer_state import clear

if TYPE_CHECKING:
    from seedbed.train.run import Run


@interventions.register("low_rank", papers=["209"])
class LowRank(Intervention):
    """Trains W = B A in the place of each linear layer of the blocks (the low-rank method of Glentis et al., 2025).

    Spectral initialization from the layer's initial weights. Two of that paper's additions: weight refactorization,
    every so many steps (B, A) <- (U sqrt(S), sqrt(S) V^T) of the product's singular value decomposition, which leaves
    the product as it is and balances the factors; and momentum reset, the optimizer's state of the factors back to
    zero. Moments belong to the basis that refactorization changes, so both have one rhythm by default; the paper's own
    rhythm, and whether it resets the state of the other weights too, we could not verify. Not here: the sparse part
    of SLTrain.

    rank: of every layer. refactor, reset: every so many steps; "never" leaves it out.

    The saved model is dense: the factors are multiplied when the run ends. Continued with this intervention it is cut
    to the rank again. Counts of FLOPs and bytes are those of the factors.
    """

    def __init__(
        self, rank: int = 16, refactor: Every = Every(200, "steps"), reset: Every = Every(200, "steps")
    ) -> None:
        check_counts(rank=rank)
        check_in_steps(refactor=refactor, reset=reset)
        self.rank, self.refactor, self.reset = rank, refactor, reset
        self._layers: dict[str, Any] = {}

    def prepare(self, network: Any, seed: int) -> None:
        """Factors in the places of the ordinary layers."""
        from seedbed.models.lowrank import LowRankLinear
        from seedbed.models.replace import refuse_width_transfer, replace_linears

        refuse_width_transfer(network, "low_rank")
        self._layers = replace_linears(network, lambda name, linear: LowRankLinear(linear, self.rank, name))

    def flops_factor(self, rows: int, columns: int) -> float:
        """Two thin products in the place of each."""
        return self.rank * (rows + columns) / (rows * columns)

    def after_step(self, run: Run) -> None:
        """Balance the factors and forget their moments, if it is time."""
        if run.finished:
            return
        for layer in self._layers.values():
            if self.refactor.due(run.step, 0.0):
                layer.refactor()
            if self.reset.due(run.step, 0.0):
                clear(run.optimizer, [layer.up, layer.down])

    def on_end(self, run: Run) -> None:
        """Say what will be saved."""
        run.say("the factors are multiplied: the saved model is dense")

    def export(self, network: Any) -> None:
        """Ordinary layers with the product."""
        from seedbed.models.lowrank import LowRankLinear
        from seedbed.models.replace import put_back

        put_back(network, LowRankLinear, LowRankLinear.merged)
