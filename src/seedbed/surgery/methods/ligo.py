"""LiGO: a learned linear growth operator."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from seedbed.surgery import growth
from seedbed.surgery.checks import check_learning

if TYPE_CHECKING:
    from seedbed.surgery.method import Operator


@growth.register("ligo", papers=["103"])
class LiGO:
    """Learns the matrices that widen, and the mixtures of layers that deepen, for some steps on the task's loss (Wang
    et al., 2023): W2_l = B (sum over j of w_lj W1_j) A^T.

    As in the paper B of a kind of output (residual stream, queries, keys and values, inner width) is shared by all
    layers, and A is tied to the B of what it reads; w has a row of numbers for each layer and each parameter of a
    block. Here A is B with its columns divided by how often they are repeated, so that the operator begins as
    bert2BERT's function-preserving one with stacked layers, and a little noise that tells copies apart.

    steps, lr: of AdamW on the operator; each step costs what one of the large network costs, and is counted.
    """

    def __init__(self, steps: int = 100, lr: float = 2e-3, noise: float = 0.01) -> None:
        check_learning(steps, lr, noise)
        self.steps, self.lr, self.noise = steps, lr, noise

    def operator(self, small: dict[str, Any], before: Any, after: Any, seed: int) -> Operator:
        """The operator at its beginning."""
        from seedbed.surgery.operators import WidthDepth

        found = WidthDepth(small, before, after)
        found.learn(seed, self.noise)
        return found
