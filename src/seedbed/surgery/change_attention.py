"""The step `change_attention`: a trained decoder that sees a prefix whole, or no more."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any, Literal

from seedbed.core.errors import InputError
from seedbed.core.step import Estimate, StepContext, step
from seedbed.models.artifact import Model
from seedbed.surgery.expected import expected_counts

_KINDS = ("causal", "prefix")


@step("change_attention", gives=Model, papers=["124"])
def change_attention(context: StepContext, *, model: Model, attention: Literal["causal", "prefix"]) -> None:
    """Let a trained decoder see its input whole, or let it see no more than what stands before each token; to be
    adapted by `pretrain` with an objective for that (Wang et al., 2022, section 5: language model adaptation of a
    non-causal decoder, and non-causal adaptation of a causal one by masked language modeling).

    Weights are copied and none is new: without marks of a prefix both kinds compute the same. The paper changes the
    attention mask and goes on training. A causal model of Llama's class becomes one of Seedbed's own format, and back.
    """
    from seedbed.models.save import save_model
    from seedbed.models.transformer import Transformer

    given = model.network(say=context.say)
    if given.attention not in _KINDS:
        raise InputError("model", "is no decoder", value=given.attention, allowed=_KINDS)
    if given.attention == attention:
        raise InputError("attention", "is what the model has already", value=attention)
    network = Transformer(replace(given.architecture, attention=attention))
    network.load_state_dict(given.state_dict())
    context.counts.update(parameters=network.architecture.num_parameters())
    context.say(f"{given.attention} attention becomes {attention}")
    details = {"attention": attention, "weights": f"of {model.path.name}"}
    card = {"name": context.name, "description": "A decoder with another attention, by Seedbed.", "details": details}
    save_model(network, model.tokenizer().path, context.folder, card)


@change_attention.estimate
def estimate(parameters: dict[str, Any], counts_of: Callable[[Any], dict[str, Any]]) -> Estimate:
    """No more than reading and writing the weights."""
    attention = parameters["attention"]
    counts = expected_counts(counts_of(parameters["model"]), lambda given: replace(given, attention=attention))
    return Estimate(seconds=0.0, tokens=0.0, flops=0.0, parameters=counts["parameters"], counts=counts)
