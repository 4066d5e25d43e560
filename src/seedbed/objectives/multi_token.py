"""Multi-token prediction.

Shapes: B rows, L tokens a row, T targets.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from seedbed.core.checks import check_rate
from seedbed.core.errors import InputError
from seedbed.objectives import objectives
from seedbed.objectives.base import Examples, Loss, Objective
from seedbed.objectives.clm import CausalLanguageModeling, followers
from seedbed.objectives.prediction import cross_entropy

if TYPE_CHECKING:
    from seedbed.data.batch import Batch


@dataclass
class Further:
    """Tokens so many places on, and the flat positions that they are predicted from."""

    where_T: Any
    targets_T: Any


@dataclass
class Followed(Examples):
    """With the targets of each further head, by its name."""

    further: dict[str, Further] = field(default_factory=dict)


@objectives.register("multi_token")
class MultiTokenPrediction(Objective):
    """Multi-token prediction: at each place the next `tokens` tokens, the first by the network itself, each other one
    by a layer of its own, all with the network's table over the vocabulary. Only the network is saved.

    form: `parallel` (Gloeckle et al., 2024): every layer, the network's last one among them, reads the trunk, which is
        all layers before; at equal parameters a network has `tokens` - 1 layers less. `sequential` (DeepSeek-V3, 2024,
        section 2.2): each layer reads the states of the head before it and the embedding of the token that this one
        had to predict, each through a norm and together through a matrix.
    weight: of the mean of the further heads' losses, for every further head: 1 for each in the first paper, a falling
        0.3 to 0.1 for their mean in the second (0.3 and one further token: `weight: 0.3`).

    The loss is the sum over heads, divided by the number of next tokens; `next.loss` in the log is that of the network
    itself, to be compared with other runs', `ahead_2.loss` and so on are the others', over their own targets. The last
    norm is shared by all heads. Not here: the first paper's order of backward passes, which keeps the logits of one
    head at a time; reading several tokens at once when text is written.
    """

    attention = "causal"

    def __init__(
        self, tokens: int = 4, form: Literal["parallel", "sequential"] = "parallel", weight: float = 1.0
    ) -> None:
        if tokens < 2:
            raise InputError("tokens", "must be at least 2", value=tokens, fix="objective clm predicts one")
        check_rate("weight", weight)
        self.tokens, self.form, self.weight = tokens, form, weight
        self._next = CausalLanguageModeling()

    def prepare(self, network: Any, seed: int) -> None:
        """The further layers."""
        from seedbed.models.ahead import Ahead

        network.extra["multi_token"] = Ahead(network, self.tokens - 1, self.form, seed)  # type: ignore[arg-type]

    def corrupt(self, batch: Batch, *, seed: int, progress: float) -> Followed:
        """The tokens as they are, with several targets for each."""
        found = self._next.corrupt(batch, seed=seed, progress=progress)
        further = {f"ahead_{distance}": Further(*followers(batch, distance)) for distance in range(2, self.tokens + 1)}
        given = found.tokens_BL, found.segments_BL, found.positions_BL, found.where_T, found.targets_T
        return Followed(*given, further=further)

    def loss(self, network: Any, examples: Followed) -> Loss:
        """Of all heads."""
        if examples.added_TK is not None:
            raise InputError("interventions", "add to predictions of the next token, and multi_token makes others")
        given = examples.tokens_BL, examples.segments_BL, examples.positions_BL
        states = network.extra["multi_token"].states(network, *given)
        heads = {"next": Further(examples.where_T, examples.targets_T), **examples.further}
        parts = {}
        for (name, wanted), state_BLD in zip(heads.items(), states, strict=True):
            hidden_TD = state_BLD.flatten(0, 1).index_select(0, wanted.where_T)
            parts[name] = cross_entropy(network, hidden_TD, wanted.targets_T)
        own = parts["next"]
        total = own.sum + self.weight * sum(parts[name].sum for name in examples.further)
        return Loss(total, own.count, own.sums, {name: loss.detached() for name, loss in parts.items()})

    def export(self, network: Any) -> None:
        """The network alone."""
        network.extra.pop("multi_token").remove()

    def flops_per_token(self, architecture: Any, length: int, targets: float) -> float:
        """Each further head is a layer and its logits."""
        whole = architecture.flops_per_token(length, targets)
        layers = architecture.flops_per_token(length, 0.0)
        joining = 12.0 * architecture.width**2 if self.form == "sequential" else 0.0
        head = layers / architecture.layers + whole - layers + joining
        return float(whole + (self.tokens - 1) * head)
