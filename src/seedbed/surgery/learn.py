"""Learning a growth operator on the task's loss.

The operator's weights are put into the large network, whose gradients are then carried back through the operator: so
the network is an ordinary one, with its own kernels.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import torch

from seedbed.core.counters import key
from seedbed.core.errors import InputError

if TYPE_CHECKING:
    from seedbed.data.batch import Batch
    from seedbed.objectives.base import Objective
    from seedbed.surgery.method import Operator
    from seedbed.train.precision import Precision

CLIP = 1.0  # limit of the gradient's norm, as in training


@dataclass
class Learned:
    """What learning saw."""

    losses: list[float] = field(default_factory=list)  # nats a target, of each step before its update
    tokens: int = 0
    positions: int = 0  # with padding


def materialize(operator: Operator, network: Any) -> dict[str, torch.Tensor]:
    """Put the operator's weights into the network; they are returned with their graph."""
    weights = operator.weights()
    with torch.no_grad():
        for name, parameter in network.named_parameters():
            parameter.copy_(weights[name])
    return weights


def learn(
    operator: Operator,
    network: Any,
    batches: Iterator[Batch],
    objective: Objective,
    *,
    steps: int,
    lr: float,
    micro_rows: int,
    precision: Precision,
    seed: int,
    say: Callable[[str], None],
) -> Learned:
    """Learn the operator by AdamW at a constant rate. The network has the operator's last weights in the end."""
    optimizer = torch.optim.AdamW(operator.parameters(), lr=lr, weight_decay=0.0) if steps else None
    device = next(network.parameters()).device
    learned = Learned()
    network.train()
    for step in range(steps):
        assert optimizer is not None
        batch = next(batches)
        learned.tokens, learned.positions = learned.tokens + batch.num_tokens, learned.positions + batch.tokens_BL.size
        weights = materialize(operator, network)
        network.zero_grad(set_to_none=True)
        total, count = 0.0, 0
        for start in range(0, len(batch.rows_B), micro_rows):
            part = batch.select(slice(start, min(start + micro_rows, len(batch.rows_B))))
            examples = objective.corrupt(part, seed=key(seed, "growth"), progress=step / steps).to(device)
            with precision.autocast(device):
                loss = objective.loss(network, examples)
            loss.sum.backward()  # type: ignore[no-untyped-call]
            total, count = total + float(loss.sum.detach()), count + loss.count
        mean = total / max(count, 1)
        if not math.isfinite(mean):
            raise InputError("method", f"the loss of step {step + 1} is not finite", fix="a lower rate (lr)")
        learned.losses.append(mean)
        _carry_back(weights, network, 1 / max(count, 1))
        torch.nn.utils.clip_grad_norm_(operator.parameters(), CLIP)
        optimizer.step()
        optimizer.zero_grad()
        if (step + 1) % 20 == 0:
            say(f"operator: step {step + 1} of {steps}, loss {mean:.4f}")
    materialize(operator, network)
    return learned


def _carry_back(weights: dict[str, torch.Tensor], network: Any, scale: float) -> None:
    """The gradients of the network's weights, on to what they were made of."""
    pairs = [
        (weights[name], (parameter.grad * scale).to(weights[name].device))
        for name, parameter in network.named_parameters()
        if parameter.grad is not None and weights[name].requires_grad
    ]
    torch.autograd.backward([weight for weight, _ in pairs], [grad for _, grad in pairs])
