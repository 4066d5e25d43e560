"""The network of a run: built or continued, checked against objective, tokenizer and length, frozen in part."""

from __future__ import annotations

import fnmatch
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal

from seedbed.core.counters import key
from seedbed.core.errors import InputError
from seedbed.models.artifact import Model
from seedbed.objectives.base import check_network

if TYPE_CHECKING:
    from seedbed.objectives.base import Objective
    from seedbed.vocabulary.artifact import Vocabulary

Layout = Literal["none", "full"]  # each process has all of the network, or its part of every parameter


def open_network(
    model: Any, vocabulary: Vocabulary, objective: Objective, *, length: int, trainable: list[str], seed: int
) -> Any:
    """A network for a run, on the CPU. Raises InputError for what does not fit."""
    if isinstance(model, Model):
        network: Any = model.network()
    else:
        network = model.network(vocabulary.size, key(seed, "network") >> 1, pad=vocabulary.pad)
    check_network(objective, network, length)
    if network.vocabulary_size < vocabulary.size:
        raise InputError(
            "tokenizer",
            f"has {vocabulary.size} tokens, and the model only {network.vocabulary_size}",
            fix="continue a model with the tokenizer it was trained with",
        )
    freeze(network, trainable)
    return network


def freeze(network: Any, trainable: list[str]) -> None:
    """Let only parameters train whose name matches a pattern. A pattern that matches nothing is an error."""
    names = [name for name, _ in network.named_parameters()]
    for pattern in trainable:
        if not any(fnmatch.fnmatchcase(name, pattern) for name in names):
            raise InputError("trainable", "matches no parameter", value=pattern, allowed=_some(names))
    if not trainable:
        raise InputError("trainable", "leaves nothing to train", fix='trainable: ["*"]')
    for name, parameter in network.named_parameters():
        parameter.requires_grad_(any(fnmatch.fnmatchcase(name, pattern) for pattern in trainable))


def check_sharding(optimizer: Any, interventions: Sequence[Any]) -> None:
    """With `sharding: full` an update sees a part of each matrix. What treats every element alike says so by an
    attribute `elementwise`."""
    if not getattr(optimizer, "elementwise", False):
        raise InputError(
            "sharding",
            f"is not for the optimizer {type(optimizer).__name__} as configured: it looks at whole matrices",
            value="full",
            fix="sharding: none, or an optimizer that treats every element alike, such as adamw",
        )
    for item in interventions:
        if not getattr(item, "elementwise", False):
            raise InputError(
                "sharding",
                f"is not for the intervention {type(item).__name__}: it may look at whole weights or gradients",
                value="full",
                fix="sharding: none, or leave the intervention out",
            )


def _some(names: list[str], limit: int = 8) -> str:
    return ", ".join(names[:limit]) + (f" and {len(names) - limit} more" if len(names) > limit else "")
