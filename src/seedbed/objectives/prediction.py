"""The loss of objectives that predict tokens: cross-entropy at the positions that carry a target, and only there.

Shapes: B rows, L tokens a row, T targets, K embeddings added to each, D width, V vocabulary.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from seedbed.objectives.base import Examples, Loss

if TYPE_CHECKING:
    import torch

    from seedbed.models.network import Network


def target_states(network: Network, examples: Examples) -> torch.Tensor:
    """The hidden states (T, D) at the targets as the head takes them, with what is added to them."""
    hidden_BLD = network.hidden(examples.tokens_BL, examples.segments_BL, examples.positions_BL)
    hidden_TD = hidden_BLD.flatten(0, 1).index_select(0, examples.where_T)
    if examples.added_TK is None:
        return hidden_TD
    assert network.added_embedding is not None
    added_TD: torch.Tensor = network.added_embedding(examples.added_TK).sum(1)
    return hidden_TD + added_TD.to(hidden_TD.dtype)


def predict(network: Network, examples: Examples) -> Loss:
    """The summed cross-entropy in nats, and under "accuracy" the number of targets that were the best guess."""
    hidden_TD = target_states(network, examples)
    if examples.num_targets == 0:
        nothing = hidden_TD.float().sum() * 0.0  # a gradient of zeros, so that an empty batch is no special case
        return Loss(nothing, 0, {"accuracy": nothing.detach()})
    from seedbed.models.cross_entropy import linear_cross_entropy

    weight_VD, bias_V = network.output()
    total, correct = linear_cross_entropy(network.head(hidden_TD), weight_VD, bias_V, examples.targets_T)
    return Loss(total, examples.num_targets, {"accuracy": correct})
