"""Mango: a learned operator over all weights at once, as a ring of tensors."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from seedbed.core.checks import check_counts
from seedbed.surgery import growth
from seedbed.surgery.checks import check_learning

if TYPE_CHECKING:
    from seedbed.surgery.method import Operator


@growth.register("mango", papers=["103"])
class Mango:
    """Maps all matrices of the small network to all of the large one by a ring of four tensors that is learned for some
    steps on the task's loss (Pan et al., 2023).

    The blocks' matrices, cut into squares of the network's width, are one tensor M1 (B squares a layer, O outputs, I
    inputs, L layers), and
    M2[b', o', l', i'] = sum of S_B[p, b, b', q] S_O[q, o, o', r] S_L[r, l, l', s] S_I[s, i, i', p] M1[b, o, l, i]
    with ring indices p, q, r, s up to `rank`: every weight of the large network depends on all of the small one's.
    LiGO's matrices tie neurons and layers within a matrix's type, S_B mixes the types as well.

    Tables, norms and biases grow as in `ligo`, with learned matrices. The ring begins as bert2BERT's copies, which
    preserve the function, with stacked layers in its first indices, and noise everywhere. That there are four tensors
    in a ring, and which dimension each maps, is the paper's; the order of the ring is from memory; the beginning, and
    what becomes of tables and norms, is ours. The inner width must be the same multiple of the width before and after,
    and heads must have keys of their own.

    steps, lr: of AdamW on the operator; each step costs what one of the large network costs, and is counted.
    """

    def __init__(self, rank: int = 1, steps: int = 100, lr: float = 2e-3, noise: float = 0.01) -> None:
        check_counts(rank=rank)
        check_learning(steps, lr, noise)
        self.rank, self.steps, self.lr, self.noise = rank, steps, lr, noise

    def operator(self, small: dict[str, Any], before: Any, after: Any, seed: int) -> Operator:
        """The operator at its beginning."""
        from seedbed.surgery.ring import Ring

        return Ring(small, before, after, self.rank, seed, self.noise)
