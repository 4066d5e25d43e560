"""What a run's training costs: FLOPs for each token, and bytes of weights, gradients, optimizer and activations.

FLOPs count what a method computes, not what this machine did: an intervention has `flops_factor(rows, columns)` where
the three products of a linear layer (forward, gradients of input and weights) cost another share than 1 of the dense
ones, `added_flops()` for what it computes besides, for each token, and `passes` where a step takes more than one. Bytes
count what a method has to keep, in float32: a linear layer with `density` keeps gradients and optimizer states for that
share of its weights, and `weight_bits` for each weight, masks included.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from seedbed.models.architecture import Architecture
    from seedbed.objectives.base import Objective
    from seedbed.objectives.load import Load
    from seedbed.train.run import Run


def flops_per_token(
    architecture: Architecture,
    interventions: Iterable[Any],
    length: int,
    targets: float = 1.0,
    objective: Objective | None = None,
    load: Load | None = None,
) -> float:
    """Forward and backward, as the objective has it (or `Architecture.flops_per_token`), with what interventions save
    or add; where it gives the network other rows, by what that reads for each token of the batch."""
    interventions = list(interventions)
    factors = [item.flops_factor for item in interventions if hasattr(item, "flops_factor")]
    if objective is None:
        flops = architecture.flops_per_token(length, targets)
    elif load is None:
        flops = objective.flops_per_token(architecture, length, targets)
    else:
        flops = load.flops(architecture, objective)
    for name, shape in architecture.shapes().items():
        if name.startswith(("layers.", "decoder.layers.")) and len(shape) == 2:
            written = name.startswith("decoder.") and ".cross.memory." not in name
            passed = 1.0 if load is None else load.written if written else load.read
            flops += passed * 6.0 * math.prod(shape) * (math.prod(factor(*shape) for factor in factors) - 1)
    flops += sum(item.added_flops() for item in interventions if hasattr(item, "added_flops"))
    return flops * math.prod(getattr(item, "passes", 1) for item in interventions)


def memory(run: Run, length: int) -> dict[str, int]:
    """Bytes that training keeps: `weights`, `gradients`, `optimizer`, `activations` (for each token of a row of
    `length`), and the number of weights that get gradients."""
    shares, bits = _shares(run.network)
    parameters = list(run.network.parameters())
    trained = [p for p in parameters if p.requires_grad]
    states = {p: sum(_bytes(value) for value in state.values()) for p, state in run.optimizer.state.items()}
    return {
        "weights": round(sum(p.numel() * bits.get(p, 8.0 * p.element_size()) / 8 for p in parameters)),
        "gradients": round(sum(_bytes(p) * shares.get(p, 1.0) for p in trained)),
        "optimizer": round(sum(size * shares.get(p, 1.0) for p, size in states.items())),
        "activations": round(saved_bytes(run.network, length, run.device) / length),
        "trained_weights": round(sum(p.numel() * shares.get(p, 1.0) for p in trained)),
    }


def _shares(network: Any) -> tuple[dict[Any, float], dict[Any, float]]:
    """Of weights with a mask: the share that is kept, and the bits for each."""
    masked = [module for module in network.modules() if hasattr(module, "density")]
    return (
        {module.weight: module.density for module in masked},
        {module.weight: module.weight_bits for module in masked},
    )


def _bytes(value: Any) -> int:
    return value.numel() * value.element_size() if hasattr(value, "element_size") else 0


def saved_bytes(network: Any, length: int, device: Any) -> int:
    """Bytes that the blocks keep of one row for the backward pass, without autocast, as torch reports them; every
    storage once, parameters and buffers not at all."""
    import torch

    own = {tensor.untyped_storage().data_ptr() for tensor in [*network.parameters(), *network.buffers()]}
    kept: dict[int, int] = {}

    def keep(tensor: torch.Tensor) -> torch.Tensor:
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in own:
            kept[storage.data_ptr()] = storage.nbytes()
        return tensor

    tokens_BL = torch.arange(length, device=device).remainder(network.vocabulary_size)[None]
    with torch.enable_grad(), torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        hidden_BLD = network.hidden(tokens_BL)
    del hidden_BLD
    return sum(kept.values())
