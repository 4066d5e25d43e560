"""Language modeling where texts weigh by their rewards.

Shapes: B rows, L tokens a row, T targets, D width.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from seedbed.core.checks import check_rate
from seedbed.objectives import objectives
from seedbed.objectives.base import Examples, Loss, Objective
from seedbed.objectives.clm import CausalLanguageModeling
from seedbed.objectives.prediction import target_states
from seedbed.objectives.rewards import Rewards

if TYPE_CHECKING:
    import torch

    from seedbed.data.batch import Batch

LARGEST = 1000.0  # factor, the authors' limit


@dataclass
class Rewarded(Examples):
    """With the reward of each target's text."""

    reward_T: Any = None


@objectives.register("reward_weighted_lm", papers=["038"])
class RewardWeightedLanguageModeling(Objective):
    """Reward-weighted regression (Peters and Schaal, 2007) as in Korbak et al. (2023, section 2): causal language
    modeling, where each token's loss is multiplied by exp(reward / beta), at most 1000.

    `reward` as in `conditional_lm`. The loss in the log is the weighted one; held-out texts say how well the network
    knows language (`bits_per_byte`).
    """

    attention: ClassVar[str] = "causal"

    def __init__(self, reward: str = "metadata.reward", beta: float = 1.0) -> None:
        check_rate("beta", beta)
        self.rewards, self.beta = Rewards(reward), beta
        self._inner = CausalLanguageModeling()

    def corrupt(self, batch: Batch, *, seed: int, progress: float) -> Rewarded:
        """The next tokens, and what they are worth."""
        found = self._inner.corrupt(batch, seed=seed, progress=progress)
        reward_T = self.rewards.of_tokens(batch).ravel()[found.where_T + 1]
        given = found.tokens_BL, found.segments_BL, found.positions_BL, found.where_T, found.targets_T
        return Rewarded(*given, reward_T=reward_T)

    def loss(self, network: Any, examples: Rewarded) -> Loss:
        """Weighted by reward."""
        return self.weighted(network, target_states(network, examples), examples, examples.reward_T)

    def weighted(self, network: Any, hidden_TD: torch.Tensor, examples: Rewarded, worth_T: torch.Tensor) -> Loss:
        """The cross-entropy with factors exp(worth / beta)."""
        from seedbed.models.cross_entropy import linear_cross_entropy

        factors_T = (worth_T / self.beta).exp().clamp(max=LARGEST)
        if not len(factors_T):
            nothing = hidden_TD.float().sum() * 0.0
            return Loss(nothing, 0, {"accuracy": nothing.detach(), "factor": nothing.detach()})
        weight_VD, bias_V = network.output()
        total, right = linear_cross_entropy(network.head(hidden_TD), weight_VD, bias_V, examples.targets_T, factors_T)
        return Loss(total, examples.num_targets, {"accuracy": right, "factor": factors_T.sum()})
