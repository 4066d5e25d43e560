"""The step `replace_attention`: a trained decoder's attention becomes another mixer, taught by what it did before."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated, Any, Literal

from seedbed.core.counters import key
from seedbed.core.errors import InputError
from seedbed.core.step import Estimate, StepContext, step
from seedbed.corpus.artifact import Corpus
from seedbed.data import samplers
from seedbed.data.artifact import Tokens
from seedbed.models import mixers
from seedbed.models.artifact import Model
from seedbed.models.block import Block, described
from seedbed.surgery.expected import expected_counts
from seedbed.train.plan import prepare_data

if TYPE_CHECKING:
    from seedbed.models.architecture import Architecture


@step("replace_attention", gives=Model, papers=["058"])
def replace_attention(
    context: StepContext,
    *,
    model: Model,
    data: dict[Tokens | Corpus, float],
    mixer: Annotated[Block, mixers] = "rwkv7",  # type: ignore[assignment]
    matching_steps: int = 200,
    distilling_steps: int = 800,
    matching_lr: float = 2e-3,
    distilling_lr: float = 5e-4,
    length: int = 128,
    batch_tokens: int = 1024,
    sampler: Annotated[Any, samplers] = "packed",
    device: Literal["auto", "cpu", "cuda"] = "auto",
    allow_tokenizer: bool = False,
    seed: int = 0,
) -> None:
    """Replace a trained decoder's attention by a mixer, in two stages (ARWKV: Lin et al., 2025).

    Everything but attention is copied. Stage 1 (`matching_steps`): in every layer the new mixer reads what the trained
    network's attention reads there, and learns to give what it gives (squared error; divided by the size of what is
    to be given: ours), with all else fixed. Stage 2 (`distilling_steps`): the whole network learns the trained one's
    distribution of the next token (Kullback-Leibler divergence, for every token). AdamW, rates that fall linearly to
    zero, and gradients clipped at 1 are ours. In float32, one process; a step that is interrupted begins anew.

    Counts: `matching_error` (of each layer, in the last batch of stage 1), `divergence` (nats a token, before stage 2
    and at its end), tokens, FLOPs. Not here: the paper's third stage (longer rows and preferences), which `pretrain`
    can do on the result.
    """
    from seedbed.core.checks import check_positive
    from seedbed.models.save import save_model
    from seedbed.models.transformer import Transformer
    from seedbed.surgery.distilling import Teaching
    from seedbed.train.numerics import find_device
    from seedbed.train.pretrain import check_sizes
    from seedbed.train.sources import endless_batches

    check_sizes(length=length, batch_tokens=batch_tokens, micro_tokens=batch_tokens, clip=1.0)
    check_positive(matching_lr=matching_lr, distilling_lr=distilling_lr)
    for name, steps in (("matching_steps", matching_steps), ("distilling_steps", distilling_steps)):
        if steps < 0:
            raise InputError(name, "must not be negative", value=steps)
    teacher = model.network().to(find_device(device))
    architecture = with_mixer(teacher.architecture, mixer)
    student = Transformer(architecture, seed=key(seed, "replace_attention") >> 1, kernel=teacher.kernel)
    teaching = Teaching(teacher, student.to(find_device(device)))
    batches = endless_batches(
        data, model.tokenizer(), sampler, length, batch_tokens // length, allow_tokenizer=allow_tokenizer, seed=seed
    )
    matched = teaching.match(batches, matching_steps, matching_lr, context.say)
    divergences = teaching.distill(batches, distilling_steps, distilling_lr, context.say)
    both = teacher.architecture.flops_per_token(length) / 3 + architecture.flops_per_token(length)
    context.counts.update(
        parameters=architecture.num_parameters(),
        tokens=teaching.tokens,
        flops=both * teaching.positions,
        flops_per_token=architecture.flops_per_token(length),
        matching_error=matched,
        divergence=divergences,
    )
    details = {
        "attention replaced by": f"{context.parameters.get('mixer')}",
        "taught for": f"{teaching.tokens:,} tokens",
    }
    card = {"name": context.name, "description": "Taught by a model with attention.", "details": details}
    save_model(student, model.tokenizer().path, context.folder, card)


def with_mixer(architecture: Architecture, mixer: Block) -> Architecture:
    """The network with a mixer in every layer; raises InputError where it does not fit."""
    if architecture.attention != "causal" or architecture.composed or architecture.norm != "pre":
        raise InputError("model", "must be a causal network of attention and dense feedforwards with norm: pre")
    if mixer.alone or mixer.normed or mixer.packed:
        raise InputError("mixer", "must stand in the place of attention alone", allowed=["hyena", "rwkv7"])
    return replace(architecture, mixers=described(mixer, mixers))


@replace_attention.prepare
def prepare(parameters: dict[str, Any], kind_of: Callable[[Any], str]) -> dict[str, Any]:
    """Every corpus among the data becomes its tokens, by the model's tokenizer."""
    prepared = prepare_data({**parameters, "tokenizer": None}, kind_of)
    return {name: value for name, value in prepared.items() if name != "tokenizer"}


@replace_attention.estimate
def estimate(parameters: dict[str, Any], counts_of: Callable[[Any], dict[str, Any]]) -> Estimate:
    """Tokens, from the steps."""
    steps = parameters["matching_steps"] + parameters["distilling_steps"]
    tokens = float(steps * (parameters["batch_tokens"] // parameters["length"]) * parameters["length"])
    mixer = parameters["mixer"].build()
    counts = expected_counts(counts_of(parameters["model"]), lambda given: with_mixer(given, mixer))
    return Estimate(tokens=tokens, parameters=counts["parameters"], counts={"tokens": tokens, **counts})
