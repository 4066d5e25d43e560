"""The loss of objectives that predict tokens: cross-entropy at the positions that carry a target, and only there.

Shapes: B rows, L tokens a row, T targets, K embeddings added to each, D width, V vocabulary.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from seedbed.objectives.base import Examples, Loss, Objective

if TYPE_CHECKING:
    import torch

    from seedbed.models.network import Network


def target_states(network: Network, examples: Examples) -> torch.Tensor:
    """The hidden states (T, D) at the targets as the head takes them, with what is added to them."""
    given = examples.tokens_BL, examples.segments_BL, examples.positions_BL
    if examples.decoder is not None:
        hidden_BLD = network.decoded(*given, examples.decoder)
    elif examples.ranks is not None:
        hidden_BLD = network.hidden(*given, examples.ranks)
    else:
        hidden_BLD = network.hidden(*given)
    hidden_TD = hidden_BLD.flatten(0, 1).index_select(0, examples.where_T)
    if examples.added_TK is None:
        return hidden_TD
    assert network.added_embedding is not None
    added_TD: torch.Tensor = network.added_embedding(examples.added_TK).sum(1)
    return hidden_TD + added_TD.to(hidden_TD.dtype)


def cross_entropy(network: Network, hidden_TD: torch.Tensor, targets_T: torch.Tensor) -> Loss:
    """The summed cross-entropy in nats, and under "accuracy" the number of targets that were the best guess."""
    if not len(targets_T):
        nothing = hidden_TD.float().sum() * 0.0  # a gradient of zeros, so that an empty batch is no special case
        return Loss(nothing, 0, {"accuracy": nothing.detach()})
    from seedbed.models.cross_entropy import linear_cross_entropy

    weight_VD, bias_V = network.output()
    total, correct = linear_cross_entropy(network.head(hidden_TD), weight_VD, bias_V, targets_T)
    return Loss(total, len(targets_T), {"accuracy": correct})


def with_auxiliary(loss: Loss, network: Network, examples: Examples) -> Loss:
    """The loss with those of the network's mixers and feedforwards (`Context.add_loss`): in each row as often as it has
    targets. None of them are there where nothing is learned."""
    import torch

    found = network.auxiliary() if hasattr(network, "auxiliary") else {}
    if found:
        rows, length = examples.tokens_BL.shape
        targets_B = torch.bincount(examples.where_T // length, minlength=rows)
        for name, value_B in found.items():
            added = (value_B.float() * targets_B).sum()
            loss.sum, loss.sums[name] = loss.sum + added, added.detach()
    return loss


class TokenPrediction(Objective):
    """Base of objectives whose examples are `Examples` and whose loss is the cross-entropy of their targets."""

    def loss(self, network: Network, examples: Examples) -> Loss:
        """Cross-entropy at every target."""
        loss = cross_entropy(network, target_states(network, examples), examples.targets_T)
        return with_auxiliary(loss, network, examples)
