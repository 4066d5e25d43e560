"""The step `train_hypernetwork`: something that gives networks their first weights, learned on many small ones."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any, Literal

from seedbed.core.errors import InputError
from seedbed.core.step import Estimate, StepContext, step
from seedbed.corpus.artifact import Corpus
from seedbed.data import samplers
from seedbed.data.artifact import Tokens
from seedbed.models import backbones
from seedbed.objectives import Objective, objectives
from seedbed.optim import Optimizer, Schedule, optimizers, schedules
from seedbed.surgery.hypernetwork.artifact import Hypernetwork
from seedbed.surgery.hypernetwork.sampling import sample
from seedbed.train.budget import Budget, Every
from seedbed.train.plan import VOCABULARY, budget_tokens, prepare_data
from seedbed.train.pretrain import check_sizes
from seedbed.vocabulary.artifact import Tokenizer


@step("train_hypernetwork", gives=Hypernetwork, papers=["164"], resumable=True, distributed=True)
def train_hypernetwork(
    context: StepContext,
    *,
    model: Annotated[Any, backbones],
    data: dict[Tokens | Corpus, float],
    tokenizer: Tokenizer,
    layers: tuple[int, int] = (1, 4),
    width: tuple[int, int] = (32, 128),
    configurations: int = 50,
    hidden: int = 64,
    blocks: int = 3,
    heads: int = 8,
    rank: int = 32,
    meta_batch: int = 1,
    penalty: float = 3e-5,
    objective: Annotated[Objective, objectives] = "clm",  # type: ignore[assignment]
    optimizer: Annotated[Optimizer, optimizers] = {"adamw": {"lr": 1e-3, "weight_decay": 0.01}},  # type: ignore[assignment]  # noqa: B006
    schedule: Annotated[Schedule, schedules] = "cosine",  # type: ignore[assignment]
    budget: Budget = Budget(10_000_000, "tokens"),
    length: int = 128,
    batch_tokens: int = 8192,
    micro_tokens: int = 8192,
    sampler: Annotated[Any, samplers] = "packed",
    clip: float = 5.0,
    precision: Literal["auto", "bf16", "fp32"] = "auto",
    save_every: Every = Every(5, "minutes"),
    validate_every: Every = Every(500, "steps"),
    allow_tokenizer: bool = False,
    device: Literal["auto", "cpu", "cuda"] = "auto",
    seed: int = 0,
) -> None:
    """Train a graph hypernetwork (LoGAH, Zhou et al., 2024): a Graphormer reads the computation graph of a network, and
    a low-rank decoder makes every parameter of it; trained end to end on the networks' own loss.

    model: the kind of networks; its sizes say only how wide a parameter may become that is to be predicted.
    layers, width, configurations: so many different small networks are drawn, from these ranges.
    hidden, blocks, heads, rank: of the hypernetwork; the defaults are LoGAH-Tiny. meta_batch: networks a step, all of
    which see its rows. penalty: on the norms of predicted weights. Data, optimizer, schedule, budget and the like are
    those of `pretrain`; the budget counts a row once, whatever the meta-batch, and `precision` is that of the networks,
    as the hypernetwork itself computes in fp32. The rate's default suits runs of thousands of steps; the paper's is
    3e-4 for 300 epochs. The counts have the cost of the networks' passes, and of predicting weights. Not implemented:
    the moving average of weights in the authors' code, vision transformers, convolutions.
    """
    from seedbed.core import distributed
    from seedbed.core.counters import key
    from seedbed.surgery.hypernetwork.meta import Family, MetaObjective, MetaSession
    from seedbed.train.allocator import keep_memory

    check_sizes(length=length, batch_tokens=batch_tokens, micro_tokens=micro_tokens, clip=clip)
    if meta_batch < 1:
        raise InputError("meta_batch", "must be at least 1", value=meta_batch)
    if penalty < 0:
        raise InputError("penalty", "must not be negative", value=penalty)
    distributed.setup()
    distributed.barrier()  # the first process has made the folder
    keep_memory()
    with distributed.together():
        session = MetaSession(
            context,
            model=Family(model, layers, width, configurations, hidden, blocks, heads, rank),
            tokenizer=tokenizer,
            data=data,  # type: ignore[arg-type]  # `prepare_data` has turned every corpus into tokens
            objective=MetaObjective(
                objective, configurations, meta_batch, batch_tokens // length, penalty, key(seed, "meta")
            ),  # type: ignore[arg-type]
            length=length,
            seed=seed,
            device=device,
            allow_tokenizer=allow_tokenizer,
        )
        session.intervene([], validate_every)
        session.open_network(["*"], "none")
        session.settle(precision, micro_tokens)
        session.make_run(optimizer, schedule, budget, batch_tokens, sampler)
        session.train(save_every, micro_tokens, clip)
        session.finish()


train_hypernetwork.prepare(prepare_data)


@train_hypernetwork.estimate
def estimate(parameters: dict[str, Any], counts_of: Callable[[Any], dict[str, Any]]) -> Estimate:
    """Tokens, and the FLOPs of a mean configuration on them; what predicting its weights costs is not foreseen."""
    size = counts_of(parameters["tokenizer"]).get("size", VOCABULARY)
    like = parameters["model"].build().architecture(size)
    small = sample(like, parameters["layers"], parameters["width"], parameters["configurations"], parameters["seed"])
    per_token = sum(one.flops_per_token(parameters["length"]) for one in small) / len(small)
    tokens = budget_tokens(parameters, counts_of)
    if tokens is None:
        return Estimate(notes="the budget counts epochs of data that are not made yet")
    flops = tokens * parameters["meta_batch"] * per_token
    counts = {"tokens": tokens, "flops": flops}
    return Estimate(tokens=tokens, flops=flops, notes="without the prediction of weights", counts=counts)
