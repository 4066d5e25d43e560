"""The step `change_vocabulary`: a trained model with another vocabulary, to be trained on by `pretrain`.

Shapes: V tokens of the old vocabulary, N of the new one, D width.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated, Any

from seedbed.core.errors import InputError
from seedbed.core.step import Estimate, StepContext, step
from seedbed.models.artifact import Model
from seedbed.surgery.expected import expected_counts
from seedbed.surgery.initializer import Change, Initializer, initializers, kept_primitives
from seedbed.vocabulary.artifact import Tokenizer
from seedbed.vocabulary.roles import ROLES

if TYPE_CHECKING:
    import torch

    from seedbed.models.transformer import Transformer
    from seedbed.vocabulary.artifact import Vocabulary

TABLES = {"input": "embedding.weight", "output": "output_embedding.weight"}


@step("change_vocabulary", gives=Model, papers=["362", "372"])
def change_vocabulary(
    context: StepContext,
    *,
    model: Model,
    tokenizer: Tokenizer,
    method: Annotated[Initializer, initializers] = "overlap",  # type: ignore[assignment]
    seed: int = 0,
) -> None:
    """Give a model another tokenizer.

    model: with its tokenizer, also a plain Hugging Face folder. tokenizer: the new one; any will do. method: where the
    rows of the new vocabulary's embeddings come from, input and output, which are one table where they are tied.
    Everything else stays as it is.

    Special tokens take over the rows of those with their role, whatever the method; those without a counterpart are
    drawn from the distribution of the old embeddings. The logits' bias is that of the old token with the same surface,
    and the mean of all for others. Rows of the old table beyond its tokenizer (which some models have, to make the
    number of rows a multiple) are left out. Where the model's tables are coordinates over primitives (`ofa` can leave
    such), all this is true of coordinates, and primitives stay. The counts: `tokens` of both, and how many are the
    `same`.
    """
    from seedbed.models.save import save_model
    from seedbed.surgery.vocabulary.factors import factors_of
    from seedbed.surgery.vocabulary.match import check_special, same_tokens

    started = time.monotonic()
    old, before, after = model.tokenizer(), model.tokenizer().vocabulary(), tokenizer.vocabulary()
    network = model.network(say=context.say)
    model.check_fit(network)
    check_special(old, "model")
    check_special(tokenizer, "tokenizer")
    if network.vocabulary_size > before.size:
        context.say(f"{network.vocabulary_size - before.size} rows of the embedding have no token, and are left out")
    same_N = same_tokens(old, tokenizer)
    count = kept_primitives(method, network.architecture.primitives)
    embeddings, primitives = factors_of(network, before.size, count)
    change = Change(model, old, tokenizer, embeddings, same_N, seed, context.say, primitives)
    new_tables = method.initialize(change)
    _check_rows(new_tables, change)
    _put_special(new_tables, change)
    special = _special_ids(network.architecture.special, before, after)
    changed = _resized(network, {"special": special, "primitives": count}, new_tables, change)
    plain = ~after.special_V
    context.counts.update(
        {
            "old_tokens": before.size,
            "new_tokens": after.size,
            "same": int((same_N[plain] >= 0).sum()),
            "special": int((same_N[~plain] >= 0).sum()),
            "parameters": sum(parameter.numel() for parameter in changed.parameters()),
            "seconds": round(time.monotonic() - started, 2),
        }
    )
    taken = f"{int((same_N >= 0).sum()):,}"
    context.say(f"{after.size:,} tokens, of which {taken} are the old vocabulary's")
    method_name = f"{context.parameters.get('method')}"
    details = {"vocabulary changed by": method_name, "tokens taken over": f"{taken} of {after.size:,}"}
    card = {"name": context.name, "description": "A model with another vocabulary, by Seedbed.", "details": details}
    save_model(changed, tokenizer.path, context.folder, card)


@change_vocabulary.estimate
def _estimate(parameters: dict[str, Any], counts_of: Callable[[Any], dict[str, Any]]) -> Estimate:
    """The network, where the new size is known."""
    size = int(counts_of(parameters["tokenizer"]).get("size", 0))
    known = counts_of(parameters["model"]) if size else {}
    method = parameters["method"].build(build_artifact=lambda reference: reference)  # what it is given is not made yet
    counts = expected_counts(
        known,
        lambda given: replace(given, vocabulary_size=size, primitives=kept_primitives(method, given.primitives)),
    )
    return Estimate(parameters=counts["parameters"], counts=counts, notes="what the method learns is not foreseen")


def tables_of(network: Transformer, size: int) -> dict[str, torch.Tensor]:
    """The rows of the first `size` tokens in the embeddings, "input" and, where it is another table, "output"; the
    network's own numbers, without gradients. Of factored tables that is coordinates."""
    weights = dict(network.named_parameters())
    return {name: weights[path].detach()[:size] for name, path in TABLES.items() if path in weights}


def _check_rows(tables: dict[str, torch.Tensor], change: Change) -> None:
    """What a method gives must have the right shapes, and be numbers."""
    import torch

    assert tables.keys() == change.embeddings.keys()
    for name, new_ND in tables.items():
        assert new_ND.shape == (len(change.same_N), change.embeddings[name].shape[1]), name
        if not bool(torch.isfinite(new_ND).all()):
            row = int((~torch.isfinite(new_ND)).any(1).nonzero()[0])
            raise InputError("method", f"gives no finite {name} embedding to '{change.new.vocabulary().tokens[row]}'")


def _put_special(tables: dict[str, torch.Tensor], change: Change) -> None:
    """Rows of special tokens: their counterparts', or drawn from the old ones' distribution."""
    import torch

    from seedbed.surgery.initializers.gaussian import draw

    special_N = torch.from_numpy(change.new.vocabulary().special_V.copy())
    same_N = torch.from_numpy(change.same_N)
    for name, old_VD in change.embeddings.items():
        new_ND = tables[name] = tables[name].float().clone()
        found_N, alone_N = special_N & (same_N >= 0), special_N & (same_N < 0)
        new_ND[found_N] = old_VD[same_N[found_N]]
        if bool(alone_N.any()):
            new_ND[alone_N] = draw(old_VD, int(alone_N.sum()), change.seed, f"special {name}")


def _special_ids(given: dict[str, int | None], before: Vocabulary, after: Vocabulary) -> dict[str, int | None]:
    """The new ids of the roles; what a decoder begins with keeps its role, or is the padding."""
    found = {role: getattr(after, role) for role in ROLES if role != "unk"}
    if given.get("decoder_start") is not None:
        same = [found[role] for role in found if getattr(before, role) == given["decoder_start"]]
        found["decoder_start"] = next((index for index in same if index is not None), after.pad)
    return found


def _resized(
    network: Transformer, changes: dict[str, Any], tables: dict[str, torch.Tensor], change: Change
) -> Transformer:
    """The network with other tables and such changes of its architecture; the bias of the logits is the same token's,
    or the mean."""
    import torch

    from seedbed.surgery.vocabulary.factors import rebuilt

    architecture, others = replace(network.architecture, vocabulary_size=len(change.same_N), **changes), {}
    if network.output_bias is not None:
        bias_V = network.output_bias.detach()[: len(change.embeddings["input"])]
        same_N = torch.from_numpy(change.same_N)
        others["output_bias"] = torch.where(same_N >= 0, bias_V[same_N.clamp(min=0)], bias_V.mean())
    return rebuilt(network, architecture, tables, change.primitives, **others)
