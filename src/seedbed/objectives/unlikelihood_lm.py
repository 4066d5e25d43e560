"""Language modeling that unlearns what it should not say.

Shapes: B rows, L tokens a row, T targets, D width, C rows of a chunk.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from seedbed.core.checks import check_rate
from seedbed.objectives import objectives
from seedbed.objectives.base import Examples, Loss, Objective
from seedbed.objectives.clm import CausalLanguageModeling
from seedbed.objectives.prediction import cross_entropy, target_states
from seedbed.objectives.rewards import Rewards

if TYPE_CHECKING:
    import torch

    from seedbed.data.batch import Batch

_CHUNK_VALUES = 1 << 22  # logits held at a time


@dataclass
class Judged(Examples):
    """With whether each target is of a text that is not wanted."""

    bad_T: Any = None


@objectives.register("unlikelihood_lm", papers=["038"])
class UnlikelihoodLanguageModeling(Objective):
    """Unlikelihood (Welleck et al., 2020) as in Korbak et al. (2023, section 2): causal language modeling on texts
    whose reward is at least `threshold`; on others the likelihood that a token is not said, log(1 - p), times `alpha`.

    `reward` as in `conditional_lm`. The loss is the sum of both over all targets; `good.loss` in the log is the
    cross-entropy of the wanted texts alone, `bad.loss` that of not saying the others. Like the authors' code, a chance
    of 1 - p below 1e-20 gives no gradient.
    """

    attention: ClassVar[str] = "causal"

    def __init__(self, reward: str = "metadata.reward", threshold: float = 0.0, alpha: float = 1.0) -> None:
        check_rate("alpha", alpha)
        self.rewards, self.threshold, self.alpha = Rewards(reward), threshold, alpha
        self._inner = CausalLanguageModeling()

    def corrupt(self, batch: Batch, *, seed: int, progress: float) -> Judged:
        """The next tokens, and whether they are wanted."""
        found = self._inner.corrupt(batch, seed=seed, progress=progress)
        bad_T = self.rewards.of_tokens(batch).ravel()[found.where_T + 1] < self.threshold
        given = found.tokens_BL, found.segments_BL, found.positions_BL, found.where_T, found.targets_T
        return Judged(*given, bad_T=bad_T)

    def loss(self, network: Any, examples: Judged) -> Loss:
        """Likelihood and unlikelihood."""
        hidden_TD = target_states(network, examples)
        good = cross_entropy(network, hidden_TD[~examples.bad_T], examples.targets_T[~examples.bad_T])
        bad_T = examples.targets_T[examples.bad_T]
        unlike = Loss(unlikelihood(network, hidden_TD[examples.bad_T], bad_T), len(bad_T))
        total = good.sum + self.alpha * unlike.sum
        return Loss(total, examples.num_targets, {}, {"good": good.detached(), "bad": unlike.detached()})


def unlikelihood(network: Any, hidden_TD: torch.Tensor, targets_T: torch.Tensor) -> torch.Tensor:
    """The sum of -log(1 - p) of the targets; logits are computed again for the gradient, a part of them at a time."""
    from torch.utils.checkpoint import checkpoint

    def nats(hidden_CD: torch.Tensor, targets_C: torch.Tensor) -> torch.Tensor:
        log_p_C = network.logits(hidden_CD).float().log_softmax(-1).gather(1, targets_C[:, None])
        return -(-log_p_C.expm1()).clamp(min=1e-20).log().sum()

    total = hidden_TD.float().sum() * 0.0
    size = max(1, _CHUNK_VALUES // network.vocabulary_size)
    for hidden_CD, targets_C in zip(hidden_TD.split(size), targets_T.split(size), strict=True):
        if len(targets_C):
            total = total + checkpoint(nats, hidden_CD, targets_C, use_reentrant=False)
    return total
