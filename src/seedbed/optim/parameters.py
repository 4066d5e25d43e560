"""Which parameters a rule is meant for, and which weights an optimizer wants to be judged by."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch


def decay_groups(network: Any, weight_decay: float, *, decay_embeddings: bool) -> list[dict[str, Any]]:
    """Two groups of trainable parameters: matrices, which decay, and the rest, which do not.

    The rest are vectors (norms' gains, biases) and, unless `decay_embeddings`, the rows of embeddings: a rare
    token's row would shrink at every step although it hardly ever gets a gradient. (So it would if primitives decayed
    that all rows are made of.)
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


def hidden_groups(network: Any, weight_decay: float, *, rule: str, **others: Any) -> list[dict[str, Any]]:
    """Groups for a rule that is meant for hidden matrices: those are `rule`'s; embeddings, output, vectors and whatever
    has more than two dimensions are AdamW's, with the settings `others`. Decay is as in `decay_groups`."""
    embeddings = {id(parameter) for parameter in _embeddings(network)}
    groups = []
    for group in decay_groups(network, weight_decay, decay_embeddings=False):
        hidden = [p for p in group["params"] if p.ndim == 2 and id(p) not in embeddings]
        rest = [p for p in group["params"] if p.ndim != 2 or id(p) in embeddings]
        groups.append({**group, "params": hidden, "rule": rule})
        groups.append({**group, "params": rest, "rule": "adamw", **others})
    return [group for group in groups if group["params"]]


def matrix_parts(network: Any) -> dict[Any, tuple[int, ...]]:
    """Weights that hold several matrices, one below the other, and the rows of each.

    A module says so by an attribute `parts`: a layer that computes queries, keys and values in one product has
    three, and what is true of a matrix (its singular values, its row space) is meant of each of them.
    """
    found = {}
    for module in network.modules():
        parts = getattr(module, "parts", None)
        if parts:
            assert sum(parts) == module.weight.shape[0], f"{parts} are not the {module.weight.shape[0]} rows"
            found[module.weight] = tuple(parts)
    return found


@contextlib.contextmanager
def evaluation_weights(optimizer: Any) -> Iterator[None]:
    """Within it, the network has the weights that its optimizer wants to be judged by; afterwards, bit for bit, those
    that it trains. Only a few optimizers (with `eval` and `train`) tell the two apart."""
    if not hasattr(optimizer, "eval"):
        yield
        return
    optimizer.eval()
    try:
        yield
    finally:
        optimizer.train()


def _embeddings(network: Any) -> list[torch.Tensor]:
    import torch

    tables = [module for module in network.modules() if isinstance(module, torch.nn.Embedding)]
    found: list[torch.Tensor] = [part for table in tables for part in table.parameters(recurse=False)]
    if hasattr(network, "output"):
        found.append(network.output()[0])
    return found
