"""Language modeling where texts weigh by how much better they are than expected.

Shapes: T targets, D width.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from seedbed.core.checks import check_share
from seedbed.objectives import objectives
from seedbed.objectives.base import Loss
from seedbed.objectives.prediction import target_states
from seedbed.objectives.reward_weighted_lm import Rewarded, RewardWeightedLanguageModeling

if TYPE_CHECKING:
    import torch


@objectives.register("advantage_weighted_lm", papers=["038"])
class AdvantageWeightedLanguageModeling(RewardWeightedLanguageModeling):
    """Advantage-weighted regression (Peng et al., 2019) as in Korbak et al. (2023, section 2): as `reward_weighted_lm`,
    with exp((reward - value) / beta), where a linear head learns from each token's state what reward its text has.

    The loss is `alpha` times the weighted cross-entropy plus 1 - `alpha` times the squared error of the values, whose
    gradient goes into the network too (the authors' setting; no gradient goes through the factors). `text.loss` and
    `value.loss` in the log are the two. The head is not saved. Defaults are the authors' for personal data.
    """

    def __init__(self, reward: str = "metadata.reward", beta: float = 0.1, alpha: float = 0.5) -> None:
        super().__init__(reward, beta)
        check_share("alpha", alpha)
        self.alpha = alpha

    def prepare(self, network: Any, seed: int) -> None:
        """The head for values."""
        from seedbed.models.initialize import initialize
        from seedbed.models.layers import Linear

        head = Linear(network.width, 1, bias=True)
        for name, parameter in head.named_parameters():
            initialize(f"value.{name}", parameter, seed, network.architecture)
        network.extra["value"] = head

    def loss(self, network: Any, examples: Rewarded) -> Loss:
        """Of words and of values."""
        hidden_TD = target_states(network, examples)
        value_T: torch.Tensor = network.extra["value"](hidden_TD).float().squeeze(-1)
        reward_T = examples.reward_T.float()
        text = self.weighted(network, hidden_TD, examples, reward_T - value_T.detach())
        value = Loss((reward_T - value_T).square().sum(), examples.num_targets)
        total = self.alpha * text.sum + (1 - self.alpha) * value.sum
        return Loss(total, text.count, text.sums, {"text": text.detached(), "value": value.detached()})

    def export(self, network: Any) -> None:
        """The network alone."""
        network.extra.pop("value")
