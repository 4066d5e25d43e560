"""The step `grow`: a larger model out of a smaller one's weights, to be trained on by `pretrain`."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated, Any, Literal

from seedbed.core.errors import InputError
from seedbed.core.step import Estimate, StepContext, step
from seedbed.corpus.artifact import Corpus
from seedbed.data import samplers
from seedbed.data.artifact import Tokens
from seedbed.models import backbones
from seedbed.models.artifact import Model
from seedbed.objectives import Objective, objectives
from seedbed.objectives.base import check_network
from seedbed.surgery import growth
from seedbed.surgery.method import GrowthMethod
from seedbed.train.plan import VOCABULARY, prepare_data

if TYPE_CHECKING:
    from seedbed.surgery.learn import Learned


@step("grow", gives=Model, distributed=True, papers=["103"])
def grow(
    context: StepContext,
    *,
    model: Model,
    to: Annotated[Any, backbones],
    method: Annotated[GrowthMethod, growth] = "bert2bert",  # type: ignore[assignment]
    data: dict[Tokens | Corpus, float] = {},  # noqa: B006
    objective: Annotated[Objective, objectives] = "clm",  # type: ignore[assignment]
    length: int = 128,
    batch_tokens: int = 8192,
    micro_tokens: int = 8192,
    sampler: Annotated[Any, samplers] = "packed",
    precision: Literal["auto", "bf16", "fp32"] = "auto",
    device: Literal["auto", "cpu", "cuda"] = "auto",
    allow_tokenizer: bool = False,
    seed: int = 0,
) -> None:
    """Grow a trained model.

    model: the small one. to: the large one's backbone, of the same kind, which may have more layers, a larger width
    (with as many more heads) and inner width; for the method `pairs` more pairs in its lookups. method: how its weights
    follow from the small one's. data, objective, length, batch_tokens, micro_tokens, sampler: what a learned method
    learns its operator on; a method that is fixed looks at none of them. The counts say what learning took: `steps`,
    `tokens`, `flops`, `seconds`.
    """
    from seedbed.core import distributed
    from seedbed.models.save import save_model
    from seedbed.surgery.learn import CLIP, learn
    from seedbed.train.numerics import find_device, settle
    from seedbed.train.precision import Precision
    from seedbed.train.pretrain import check_sizes
    from seedbed.train.sources import endless_batches

    check_sizes(length=length, batch_tokens=batch_tokens, micro_tokens=micro_tokens, clip=CLIP)
    tokenizer = model.tokenizer()
    small = model.network()
    after = to.architecture(small.vocabulary_size, tokenizer.vocabulary().pad)
    place, rows = find_device(device), micro_tokens // length
    network = to.network(small.vocabulary_size, seed, pad=tokenizer.vocabulary().pad).to(place)
    numerics = settle(network, place, precision, length=length, rows=rows, saved=None)
    if distributed.rank() > 0:
        return  # all processes settle the arithmetic together; the rest is the first one's
    weights = {name: parameter.detach() for name, parameter in small.named_parameters()}
    operator = method.operator(weights, small.architecture, after, seed)
    if method.steps:
        check_network(objective, network, length)
        objective.bind(tokenizer.vocabulary())
    arithmetic, clock = Precision.from_dict(numerics.precision), time.monotonic()
    batches = endless_batches(
        data, tokenizer, sampler, length, batch_tokens // length, allow_tokenizer=allow_tokenizer, seed=seed
    )
    with arithmetic.applied():
        learned = learn(
            operator,
            network,
            batches,
            objective,
            steps=method.steps,
            lr=method.lr,
            micro_rows=rows,
            precision=arithmetic,
            seed=seed,
            say=context.say,
        )
    context.counts.update(
        _counts(network, operator, learned, length)
        | {"seconds": round(time.monotonic() - clock, 2), "numerics": numerics.as_dict()}
    )
    details = {"grown by": f"{context.parameters.get('method')}", "operator learned for": f"{learned.tokens:,} tokens"}
    card = {"name": context.name, "description": "Grown from a smaller model with Seedbed.", "details": details}
    save_model(network, tokenizer.path, context.folder, card)


def _counts(network: Any, operator: Any, learned: Learned, length: int) -> dict[str, Any]:
    """What was grown, and what its operator's learning cost."""
    flops_per_token = network.architecture.flops_per_token(length)
    return {
        "parameters": sum(parameter.numel() for parameter in network.parameters()),
        "operator_parameters": sum(parameter.numel() for parameter in operator.parameters()),
        "steps": len(learned.losses),
        "tokens": learned.tokens,
        "flops": flops_per_token * learned.positions,
        "flops_per_token": flops_per_token,
        "losses": [round(loss, 6) for loss in learned.losses],
    }


@grow.prepare
def prepare(parameters: dict[str, Any], kind_of: Callable[[Any], str]) -> dict[str, Any]:
    """Every corpus among the data becomes its tokens, by the small model's tokenizer; a fixed method needs none."""
    if not parameters["method"].build().steps:
        return {**parameters, "data": {}}
    if not parameters["data"]:
        raise InputError("data", "is required by a method that learns its operator", value=parameters["method"].name)
    prepared = prepare_data({**parameters, "tokenizer": None}, kind_of)
    return {name: value for name, value in prepared.items() if name != "tokenizer"}


@grow.estimate
def estimate(parameters: dict[str, Any], counts_of: Callable[[Any], dict[str, Any]]) -> Estimate:
    """Tokens and FLOPs of the operator's steps, with the vocabulary that a plan assumes where it knows none."""
    small = counts_of(parameters["model"]).get("architecture")
    architecture = parameters["to"].build().architecture(small.vocabulary_size if small else VOCABULARY)
    length, count = parameters["length"], architecture.num_parameters()
    tokens = float(parameters["method"].build().steps * (parameters["batch_tokens"] // length) * length)
    flops = tokens * architecture.flops_per_token(length)
    counts = {"parameters": count, "tokens": tokens, "flops": flops, "architecture": architecture}
    notes = "" if small else f"assuming a vocabulary of {VOCABULARY:,}"
    return Estimate(tokens=tokens, parameters=count, flops=flops, notes=notes, counts=counts)
