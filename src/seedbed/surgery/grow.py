"""The step `grow`: a larger model out of a smaller one's weights, to be trained on by `pretrain`."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Annotated, Any, Literal

from seedbed.core.errors import InputError
from seedbed.core.step import Estimate, StepContext, step
from seedbed.corpus.artifact import Corpus
from seedbed.data import samplers
from seedbed.data.artifact import Tokens
from seedbed.models import backbones
from seedbed.models.artifact import Model
from seedbed.objectives import Objective, objectives
from seedbed.surgery import growth
from seedbed.surgery.method import GrowthMethod
from seedbed.train.plan import prepare_data

if TYPE_CHECKING:
    from seedbed.data.batch import Batch

VOCABULARY = 16384  # of a plan whose tokenizer is not made yet


@step("grow", gives=Model, papers=["103"])
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
    (with as many more heads) and inner width. method: how its weights follow from the small one's. data, objective,
    length, batch_tokens, micro_tokens, sampler: what a learned method learns its operator on; a method that is fixed
    looks at none of them. The counts say what learning took: `steps`, `tokens`, `flops`, `seconds`.
    """
    from seedbed.models.save import save_model
    from seedbed.surgery.learn import learn
    from seedbed.surgery.sizes import check_growth
    from seedbed.train.numerics import find_device, settle
    from seedbed.train.precision import Precision

    tokenizer = model.tokenizer()
    small = model.network()
    after = to.architecture(small.vocabulary_size, tokenizer.vocabulary().pad)
    check_growth(small.architecture, after)
    place, rows = find_device(device), max(1, micro_tokens // length)
    network = to.network(small.vocabulary_size, seed, pad=tokenizer.vocabulary().pad).to(place)
    numerics = settle(network, place, precision, length=length, rows=rows, saved=None)
    weights = {name: parameter.detach() for name, parameter in small.named_parameters()}
    operator = method.operator(weights, small.architecture, after, seed)
    if method.steps:
        _check_objective(objective, network)
        objective.bind(tokenizer.vocabulary())
    arithmetic, clock, seen = Precision.from_dict(numerics.precision), time.monotonic(), [0, 0]
    batches = _batches(data, tokenizer, sampler, length, batch_tokens, allow_tokenizer, seed, seen)
    with arithmetic.applied():
        losses = learn(
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
        _counts(network, operator, losses, seen, length)
        | {"seconds": round(time.monotonic() - clock, 2), "numerics": numerics.as_dict()}
    )
    details = {"grown by": f"{context.parameters.get('method')}", "operator learned for": f"{seen[0]:,} tokens"}
    card = {"name": context.name, "description": "Grown from a smaller model with Seedbed.", "details": details}
    save_model(network, tokenizer.path, context.folder, card)


def _counts(network: Any, operator: Any, losses: list[float], seen: list[int], length: int) -> dict[str, Any]:
    """What was grown, and what its operator's learning cost; `seen` are tokens, and positions with padding."""
    flops_per_token = network.architecture.flops_per_token(length)
    return {
        "parameters": sum(parameter.numel() for parameter in network.parameters()),
        "operator_parameters": sum(parameter.numel() for parameter in operator.parameters()),
        "steps": len(losses),
        "tokens": seen[0],
        "flops": flops_per_token * seen[1],
        "flops_per_token": flops_per_token,
        "losses": [round(loss, 6) for loss in losses],
    }


def _check_objective(objective: Any, network: Any) -> None:
    if objective.attention != network.attention:
        raise InputError(
            "objective",
            f"trains networks with {objective.attention} attention, and the model's is {network.attention}",
            fix="objective mlm for an encoder, clm for a decoder",
        )


def _batches(
    data: Any,
    tokenizer: Any,
    sampler: Any,
    length: int,
    batch_tokens: int,
    allow_tokenizer: bool,
    seed: int,
    seen: list[int],
) -> Iterator[Batch]:
    """Batches without end; tokens and positions drawn are added to `seen`."""
    from seedbed.train.sources import Sources

    if not data:
        return
    sources = Sources.open(data, tokenizer, allow_tokenizer=allow_tokenizer)
    stream = sampler.stream(sources.files, sources.weights, length, tokenizer.vocabulary().pad or 0, seed)
    while True:
        batch = stream.next(max(1, batch_tokens // length))
        seen[0] += batch.num_tokens
        seen[1] += batch.tokens_BL.size
        yield batch


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
    del counts_of
    length, backbone = parameters["length"], parameters["to"].build()
    tokens = float(parameters["method"].build().steps * (parameters["batch_tokens"] // length) * length)
    flops, count = tokens * backbone.flops_per_token(VOCABULARY, length), backbone.num_parameters(VOCABULARY)
    counts = {"parameters": count, "tokens": tokens, "flops": flops}
    notes = f"assuming a vocabulary of {VOCABULARY:,}"
    return Estimate(tokens=tokens, parameters=count, flops=flops, notes=notes, counts=counts)
