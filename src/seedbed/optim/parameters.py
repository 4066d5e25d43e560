"""Which parameters weight decay is meant for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch


def decay_groups(network: Any, weight_decay: float, *, decay_embeddings: bool) -> list[dict[str, Any]]:
    """Two groups of trainable parameters: matrices, which decay, and the rest, which do not.

    The rest are vectors (norms' gains, biases) and, unless `decay_embeddings`, the rows of embeddings: a rare
    token's row would shrink at every step although it hardly ever gets a gradient.
    """
    embeddings = set() if decay_embeddings else {id(parameter) for parameter in _embeddings(network)}
    decayed: list[torch.nn.Parameter] = []
    kept: list[torch.nn.Parameter] = []
    for parameter in network.parameters():
        if parameter.requires_grad:
            is_kept = parameter.ndim < 2 or id(parameter) in embeddings
            (kept if is_kept else decayed).append(parameter)
    groups = [{"params": decayed, "weight_decay": weight_decay}, {"params": kept, "weight_decay": 0.0}]
    return [group for group in groups if group["params"]]


def _embeddings(network: Any) -> list[torch.Tensor]:
    import torch

    found = [module.weight for module in network.modules() if isinstance(module, torch.nn.Embedding)]
    if hasattr(network, "output"):
        found.append(network.output()[0])
    return found
