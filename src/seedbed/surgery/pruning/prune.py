"""The step `prune`: a trained model without its smallest weights."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal

from seedbed.core.errors import InputError
from seedbed.core.step import Estimate, StepContext, step
from seedbed.models.artifact import Model
from seedbed.surgery.expected import expected_counts


@step("prune", gives=Model, papers=["167"])
def prune(
    context: StepContext,
    *,
    model: Model,
    density: float,
    scope: Literal["matrix", "global"] = "matrix",
) -> None:
    """Set the smallest weights of a trained model to zero (magnitude pruning).

    model: what to prune. density: the share of the weights that stays, of the matrices within the blocks; embeddings,
    norms, biases and the head stay whole. scope: whether the share is that of every matrix, or of all together, which
    then are pruned unevenly (the three projections of attention are one matrix, and so are the two inner ones of a
    gated feedforward). The counts give each matrix its density.

    The result is an ordinary model. To train it further as it is, with its zeros, continue it by `pretrain` with
    `interventions: [{static_sparsity: {sparsity: null}}]`; without that its zeros learn again. Pruning all at once,
    then training on, is what Zhou et al. (2023) do.
    """
    import torch

    from seedbed.models.replace import hidden_linears
    from seedbed.models.save import save_model
    from seedbed.surgery.pruning.magnitude import magnitude_masks

    if not 0 < density <= 1:
        raise InputError("density", "must lie in (0, 1]", value=density)
    network = model.network()
    linears = hidden_linears(network)
    masks = magnitude_masks({name: linear.weight.detach() for name, linear in linears.items()}, density, scope)
    with torch.no_grad():
        for name, linear in linears.items():
            linear.weight.masked_fill_(~masks[name], 0.0)
    kept, weights = sum(int(mask.sum()) for mask in masks.values()), sum(mask.numel() for mask in masks.values())
    context.counts.update(
        parameters=sum(parameter.numel() for parameter in network.parameters()),
        weights=weights,
        kept=kept,
        density=kept / weights,
        densities={name: round(float(mask.float().mean()), 6) for name, mask in masks.items()},
    )
    details = {"pruned": f"{kept:,} of {weights:,} weights within the blocks stay, the largest ({scope})"}
    card = {"name": context.name, "description": "Pruned with Seedbed.", "details": details}
    save_model(network, model.tokenizer().path, context.folder, card)


@prune.estimate
def estimate(parameters: dict[str, Any], counts_of: Callable[[Any], dict[str, Any]]) -> Estimate:
    """As many parameters as before: zeros are stored."""
    counts = expected_counts(counts_of(parameters["model"]))
    return Estimate(parameters=counts["parameters"], notes="nothing is trained", counts=counts)
