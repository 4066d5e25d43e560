"""The step `pretrain`: a model from tokens, an objective and a budget.

The working folder holds `checkpoints/` and `metrics.jsonl`; run again after a kill, the step goes on from the
newest whole checkpoint and ends with the same bytes. The finished artifact keeps the log and the last checkpoint,
from which a run can be branched. SIGTERM and Ctrl-C save first; the process then ends with code 143 or 130.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from seedbed.core.errors import InputError
from seedbed.core.step import StepContext, step
from seedbed.corpus.artifact import Corpus
from seedbed.data import samplers
from seedbed.data.artifact import Tokens
from seedbed.models import backbones
from seedbed.models.artifact import Model
from seedbed.objectives import Objective, objectives
from seedbed.optim import Optimizer, Schedule, optimizers, schedules
from seedbed.train import Intervention
from seedbed.train import interventions as registered_interventions
from seedbed.train.budget import Budget, Every
from seedbed.train.plan import estimate_pretraining, prepare_data
from seedbed.train.weighting import Weighting, weighed
from seedbed.vocabulary.artifact import Tokenizer


@step("pretrain", gives=Model, resumable=True, distributed=True)
def pretrain(
    context: StepContext,
    *,
    model: Model | Annotated[Any, backbones],
    data: dict[Tokens | Corpus, float | Weighting],
    tokenizer: Tokenizer | None = None,
    objective: Annotated[Objective, objectives] = "mlm",  # type: ignore[assignment]
    optimizer: Annotated[Optimizer, optimizers] = "adamw",  # type: ignore[assignment]
    schedule: Annotated[Schedule, schedules] = "wsd",  # type: ignore[assignment]
    budget: Budget = Budget(10_000_000, "tokens"),
    length: int = 128,
    batch_tokens: int = 16384,
    micro_tokens: int = 8192,
    sampler: Annotated[Any, samplers] = "packed",
    clip: float = 1.0,
    precision: Literal["auto", "bf16", "fp32"] = "auto",
    save_every: Every = Every(5, "minutes"),
    validate_every: Every = Every(500, "steps"),
    branch: int | Literal["last"] | None = None,
    trainable: list[str] = ["*"],  # noqa: B006
    allow_tokenizer: bool = False,
    interventions: list[Annotated[Intervention, registered_interventions]] = [],  # noqa: B006
    device: Literal["auto", "cpu", "cuda"] = "auto",
    compile: Literal["auto", "none", "layers", "graphs"] = "auto",
    sharding: Literal["none", "full"] = "none",
    seed: int = 0,
) -> None:
    """Pretrain a model, from nothing or from where another one ended.

    model: a backbone's settings, or a model to continue. data: sources and the weights they are mixed by (shares of
    tokens), numbers or for all of them a rule: `{alpha: 0.3}`, the size to this power, or `{unimax: 4 epochs}`, equal
    parts of the budget but no more epochs than this; a corpus is tokenized first. tokenizer: by default the continued
    model's own. budget: tokens (padding does not count), steps, or epochs. length: tokens a row. batch_tokens: of a
    step, in all processes together; micro_tokens: of one forward pass, which bounds memory and changes nothing else but
    the last bits. clip: limit of the gradient's norm, 0 for none. validate_every: loss on the split `validation`, where
    the data have one.
    branch: with a model that was trained here, begin at this step's checkpoint (of those it kept), with its optimizer's
    state, its rate and its place in the data; the schedule multiplies the rate that the run had there.
    trainable: patterns of parameters' names (`*` and `?`); the others keep their values. allow_tokenizer: train on
    tokens that another tokenizer has made, whose ids mean the same. sharding: with several processes each holds all
    weights, gradients and optimizer states (none) or its part of each (full); checkpoints are the same. compile: let
    torch's compiler take the layers (auto: on GPUs, where no intervention looks into the network), with CUDA graphs
    besides (graphs).
    """
    from seedbed.core import distributed
    from seedbed.train.allocator import keep_memory
    from seedbed.train.session import Session

    check_sizes(length=length, batch_tokens=batch_tokens, micro_tokens=micro_tokens, clip=clip)
    distributed.setup()
    distributed.barrier()  # the first process has made the folder
    keep_memory()
    with distributed.together():
        session = Session(
            context,
            model=model,
            tokenizer=tokenizer,
            # `prepare_data` has turned every corpus into tokens.
            data=weighed(data, budget, batch_tokens // length * length),  # type: ignore[arg-type]
            objective=objective,
            length=length,
            seed=seed,
            device=device,
            allow_tokenizer=allow_tokenizer,
        )
        session.intervene(interventions, validate_every)
        session.open_network(trainable, sharding)
        if branch is not None:
            session.find_trunk(branch)
        session.settle(precision, micro_tokens, compile)
        session.make_run(optimizer, schedule, budget, batch_tokens, sampler)
        session.begin()
        session.train(save_every, micro_tokens, clip)
        session.finish()


def check_sizes(*, length: int, batch_tokens: int, micro_tokens: int, clip: float) -> None:
    """Raises InputError for sizes that no run can have."""
    if length < 2:
        raise InputError("length", "must be at least 2", value=length)
    for name, value in (("batch_tokens", batch_tokens), ("micro_tokens", micro_tokens)):
        if value < length:
            raise InputError(name, f"must hold at least one row of {length} tokens", value=value)
    if not 0 <= clip < float("inf"):
        raise InputError("clip", "must not be negative", value=clip)


pretrain.prepare(prepare_data)
pretrain.estimate(estimate_pretraining)
