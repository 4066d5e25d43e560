"""The step `prune_modules`: a network of experts without those that a text hardly uses."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated, Any, Literal

from seedbed.core.errors import InputError
from seedbed.core.step import Estimate, StepContext, step
from seedbed.corpus.artifact import Corpus
from seedbed.data import samplers
from seedbed.data.artifact import Tokens
from seedbed.models.artifact import Model
from seedbed.train.plan import prepare_data

if TYPE_CHECKING:
    import numpy as np

    from seedbed.models.architecture import Architecture
    from seedbed.models.transformer import Transformer

Place = tuple[int, str]  # a layer, and "mixer" or "feedforward"
_ROLES = {"mixer": "mixers", "feedforward": "feedforwards"}
_BY_EXPERT = ("router.weight", "expert_in", "expert_out")  # parameters whose rows are the experts


@step("prune_modules", gives=Model, papers=["197"])
def prune_modules(
    context: StepContext,
    *,
    model: Model,
    data: dict[Tokens | Corpus, float],
    keep: float = 0.5,
    scope: Literal["router", "all"] = "router",
    tokens: int = 32768,
    length: int = 128,
    sampler: Annotated[Any, samplers] = "packed",
    allow_tokenizer: bool = False,
) -> None:
    """Take out the experts that are used least (ModuleFormer; Shen et al., 2023).

    model: a network with experts (mixers `stick_breaking`, feedforwards `experts`). data: what it is to serve: the
    share of its tokens that a router gives an expert is that expert's use. keep: the share of experts that stay. scope:
    of every `router`, or of `all` together, by use, where some then keep more than others. A router keeps as many as it
    gives a token at least. tokens: how many are read, in rows of `length`.

    The router's probabilities are spread over the experts that stay. The saved network is smaller; the counts have
    `parameters`, `experts` (before and after, by place) and `use`. What the paper prunes by, a threshold of use, is a
    number of experts here, so that sizes can be planned. Layers that share weights are refused.
    """
    import torch

    from seedbed.models.save import save_model
    from seedbed.train.sources import endless_batches

    if not 0 < keep <= 1:
        raise InputError("keep", "must lie in (0, 1]", value=keep)
    for name, value in (("tokens", tokens), ("length", length)):
        if value < 1:
            raise InputError(name, "must be at least 1", value=value)
    network, rows = model.network(), 16
    batches = endless_batches(data, model.tokenizer(), sampler, length, rows, allow_tokenizer=allow_tokenizer, seed=0)
    use = measure_use(network, batches, -(-tokens // (rows * length)))
    kept = chosen(use, tops(network), keep, scope)
    smaller = without(network, kept)
    context.counts.update(
        parameters=sum(parameter.numel() for parameter in smaller.parameters()),
        experts={_name(place): [len(use_X), len(kept[place])] for place, use_X in use.items()},
        use={_name(place): [round(float(share), 6) for share in use_X] for place, use_X in use.items()},
        dropped_use=round(sum(1 - float(u[kept[p]].sum()) for p, u in use.items()) / len(use), 6),
    )
    details = {"pruned": f"{sum(map(len, kept.values()))} of {sum(map(len, use.values()))} experts stay ({scope})"}
    card = {"name": context.name, "description": "Pruned with Seedbed.", "details": details}
    with torch.no_grad():
        save_model(smaller, model.tokenizer().path, context.folder, card)


def routers(network: Transformer) -> dict[Place, Any]:
    """All parts with experts. Raises InputError where there are none, or where layers share them."""
    from seedbed.models.sequence.experts import Routed

    if network.architecture.shared:
        raise InputError("model", "shares its layers' weights", fix="a network with experts of each layer's own")
    found: dict[Place, Any] = {}
    for number, layer in enumerate(network.layers):
        found |= {(number, role): part for role in _ROLES if isinstance(part := getattr(layer, role), Routed)}
    if not found:
        raise InputError("model", "has no experts", allowed="mixer: stick_breaking, feed: experts")
    return found


def tops(network: Transformer) -> dict[Place, int]:
    """How many experts each router gives a token."""
    return {place: part.top for place, part in routers(network).items()}


def measure_use(network: Transformer, batches: Any, number: int) -> dict[Place, np.ndarray]:
    """Of each router the shares of what it gives that its experts get (X), over so many batches."""
    import torch

    parts = routers(network)
    for part in parts.values():
        part.used_X = torch.zeros(len(part.router.weight), dtype=torch.long)
    with torch.no_grad():
        for _, batch in zip(range(number), batches, strict=False):
            tokens_BL, segments_BL, positions_BL = (
                torch.as_tensor(array).long() for array in (batch.tokens_BL, batch.segments_BL, batch.positions_BL)
            )
            network.hidden(tokens_BL, segments_BL, positions_BL)
    return {place: (part.used_X / part.used_X.sum().clamp(min=1)).numpy() for place, part in parts.items()}


def chosen(
    use: Mapping[Place, np.ndarray], top: Mapping[Place, int], keep: float, scope: Literal["router", "all"]
) -> dict[Place, list[int]]:
    """The experts that stay, in their order: the most used ones, among equals the first; of each router at least `top`,
    which `scope: all` counts among those that stay."""
    orders = {place: sorted(range(len(use_X)), key=lambda x: (-use_X[x], x)) for place, use_X in use.items()}
    if scope == "router":
        return {p: sorted(order[: max(top[p], round(keep * len(order)))]) for p, order in orders.items()}
    kept = {place: order[: top[place]] for place, order in orders.items()}
    rest = [(-use[place][x], place, x) for place, order in orders.items() for x in order[top[place] :]]
    free = round(keep * sum(map(len, orders.values()))) - sum(top.values())
    for _, place, x in sorted(rest)[: max(0, free)]:
        kept[place].append(x)
    return {place: sorted(experts) for place, experts in kept.items()}


def without(network: Transformer, kept: Mapping[Place, list[int]]) -> Transformer:
    """The network with these experts alone."""
    from seedbed.models.transformer import Transformer

    weights = dict(network.state_dict())
    for (layer, role), experts in kept.items():
        for name in _BY_EXPERT:
            whole = f"layers.{layer}.{role}.{name}"
            weights[whole] = weights[whole][experts]
    found = Transformer(_smaller(network.architecture, kept), kernel=network.kernel).to(
        weights["embedding.weight"].dtype
    )
    found.load_state_dict(weights)
    return found


def _smaller(architecture: Architecture, kept: Mapping[Place, list[int]]) -> Architecture:
    """Its mixers and feedforwards are written out for every layer, each with its own number of experts."""
    changes: dict[str, Any] = {}
    for role, field in _ROLES.items():
        given = getattr(architecture, field)
        layers = [given[layer % len(given)] for layer in range(architecture.layers)] if given else []
        for layer, block in enumerate(layers):
            if (layer, role) in kept:
                ((name, settings),) = block.items()
                layers[layer] = {name: {**settings, "experts": len(kept[layer, role])}}
        changes[field] = tuple(layers)
    return replace(architecture, **changes)


def _name(place: Place) -> str:
    return f"layers.{place[0]}.{place[1]}"


@prune_modules.prepare
def prepare(parameters: dict[str, Any], kind_of: Callable[[Any], str]) -> dict[str, Any]:
    """Every corpus among the data becomes its tokens, by the model's tokenizer."""
    prepared = prepare_data({**parameters, "tokenizer": None}, kind_of)
    return {name: value for name, value in prepared.items() if name != "tokenizer"}


@prune_modules.estimate
def estimate(parameters: dict[str, Any], counts_of: Callable[[Any], dict[str, Any]]) -> Estimate:
    """Not known before: sizes of experts stand in the model."""
    del counts_of
    return Estimate(notes=f"a pass over {parameters['tokens']:,} tokens, nothing is trained")
