"""What objectives cost on this machine, beside the plain one for their kind of network."""

from __future__ import annotations

import statistics
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from seedbed.core.schema import parameters_of
from seedbed.models import backbones
from seedbed.objectives import objectives
from seedbed.optim import optimizers

_SIZES: dict[str, Any] = {"layers": 2, "width": 128, "heads": 2, "max_length": 512}
_TOKENS = 4096  # in the vocabulary
_SETTINGS: dict[str, Any] = {
    "precision": "auto",
    "device": "auto",
    "length": 128,
    "micro_tokens": 4096,
    "batch_tokens": 4096,
}
# of each kind of network: the backbone, and the objective that others are compared with
_KINDS: dict[str, tuple[str, dict[str, Any], str]] = {
    "bidirectional": ("encoder", {}, "mlm"),
    "causal": ("decoder", {}, "clm"),
    "prefix": ("decoder", {"attention": "prefix"}, "clm"),
    "encoder-decoder": ("encoder_decoder", {}, "clm"),
}


@dataclass(frozen=True)
class Cost:
    """Tokens a second of an objective, as it comes, and how many times those of the plain one that is."""

    objective: str
    network: str
    tokens_per_second: float
    reference: str
    ratio: float


def relative_costs(rounds: int = 3, say: Callable[[str], None] = lambda line: None) -> list[Cost]:
    """Every objective that needs nothing to be told, by real steps (forward, backward and update) of small networks: 2
    layers of width 128, 4,096 tokens in the vocabulary, rows of 128. All take turns, round after round, since a
    machine's speed drifts; ratios are taken within a round, and of them the median. Tokens are those of the text, so
    an encoder-decoder that reads and writes has two for one. A few seconds for each objective."""
    names = [entry.name for entry in objectives if not any(p.required for p in parameters_of(entry.target))]
    speeds: dict[str, list[float]] = {name: [] for name in names}
    for number in range(rounds):
        for name in names:
            speeds[name].append(_speed(name))
        say(f"round {number + 1} of {rounds}")
    found = []
    for name in names:
        kind = objectives.create(name).attention
        reference = _KINDS[kind][2]
        ratios = [mine / theirs for mine, theirs in zip(speeds[name], speeds[reference], strict=True)]
        found.append(Cost(name, kind, statistics.median(speeds[name]), reference, statistics.median(ratios)))
    return found


def _speed(name: str) -> float:
    """Tokens a second."""
    from seedbed.train.probe import seconds_per_token

    objective = objectives.create(name)
    backbone, settings, _ = _KINDS[objective.attention]
    network = backbones.create(backbone, **_SIZES, **settings)
    return 1 / seconds_per_token(network.architecture(_TOKENS), objective, optimizers.create("adamw"), **_SETTINGS)
