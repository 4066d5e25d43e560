"""The step `predict_weights`: a new model, whose first weights a hypernetwork predicts; `pretrain` trains it on."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any

from seedbed.core.counters import key
from seedbed.core.errors import InputError
from seedbed.core.step import Estimate, StepContext, step
from seedbed.models import backbones
from seedbed.models.artifact import Model
from seedbed.surgery.hypernetwork.artifact import Hypernetwork

_COSTS = ("steps", "tokens", "flops", "seconds", "numerics")


@step("predict_weights", gives=Model, papers=["164"])
def predict_weights(
    context: StepContext,
    *,
    hypernetwork: Hypernetwork,
    to: Annotated[Any, backbones],
    noise: float = 1e-5,
    seed: int = 0,
) -> None:
    """Give a network its first weights.

    to: the network, of the kind that the hypernetwork was trained on, in any size up to its widest. noise: the
    deviation of what is added to every matrix, so that no two rows that came out alike stay so in training (as in the
    code of GHN-3). The counts of cost are those of the hypernetwork's training, which several models may share.
    """
    import torch

    from seedbed.models.save import save_model
    from seedbed.models.transformer import Transformer
    from seedbed.surgery.hypernetwork.network import Target
    from seedbed.surgery.hypernetwork.sampling import check_kind

    if noise < 0:
        raise InputError("noise", "must not be negative", value=noise)
    predictor, tokenizer = hypernetwork.network(), hypernetwork.tokenizer()
    architecture = to.architecture(predictor.vocabulary_size, tokenizer.vocabulary().pad)
    check_kind(predictor.like, architecture)
    network = Transformer(architecture, kernel=to.kernel)
    with torch.no_grad():
        weights = predictor.weights(Target(architecture))
        for name, parameter in network.named_parameters():
            parameter.copy_(weights[name])
            if parameter.ndim > 1 and noise:
                drawing = torch.Generator().manual_seed(key(seed, "predicted", name) >> 1)
                parameter.add_(torch.randn(parameter.shape, generator=drawing), alpha=noise)
    own = sum(parameter.numel() for parameter in predictor.parameters())
    context.counts.update(
        {"parameters": architecture.num_parameters(), "hypernetwork_parameters": own}
        | {name: hypernetwork.counts[name] for name in _COSTS if name in hypernetwork.counts}
    )
    details = {"weights predicted by": f"a hypernetwork of {own:,} parameters"}
    card = {"name": context.name, "description": "Not trained yet: weights predicted with Seedbed.", "details": details}
    save_model(network, tokenizer.path, context.folder, card)


@predict_weights.estimate
def estimate(parameters: dict[str, Any], counts_of: Callable[[Any], dict[str, Any]]) -> Estimate:
    """What the hypernetwork's training is expected to take."""
    known = counts_of(parameters["hypernetwork"])
    costs = {name: known.get(name) for name in ("tokens", "flops")}
    return Estimate(seconds=1.0, notes="its costs are those of the hypernetwork", counts=costs, **costs)
