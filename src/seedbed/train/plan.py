"""What a plan knows of `pretrain` before it runs: the tokens it needs, and what it would cost."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

from seedbed.core.artifact import Reference
from seedbed.core.errors import InputError
from seedbed.core.schema import parameters_of, walk
from seedbed.core.step import Call, Estimate
from seedbed.objectives.load import Load
from seedbed.train import accounting

if TYPE_CHECKING:
    from seedbed.models.architecture import Architecture

VOCABULARY = 16384  # assumed where the tokenizer is not made yet and its step does not say
_speeds: dict[str, float] = {}
_loads: dict[str, Load | None] = {}


def prepare_data(parameters: dict[str, Any], kind_of: Callable[[Any], str]) -> dict[str, Any]:
    """Every corpus among the data becomes its tokens, made by the run's tokenizer (or the continued model's own)."""
    data = {}
    for reference, weight in parameters["data"].items():
        is_corpus = kind_of(reference) == "corpus"
        tokens = (
            Call("tokenize", {"corpus": reference, "tokenizer": _tokenizer(parameters)}) if is_corpus else reference
        )
        data[tokens] = weight
    return {**parameters, "data": data}


def _tokenizer(parameters: dict[str, Any]) -> Any:
    if parameters["tokenizer"] is not None:
        return parameters["tokenizer"]
    model = parameters["model"]
    if not getattr(model, "is_reference", False):
        raise InputError("tokenizer", "is required for a new model", fix="tokenizer: NAME OF ITS STEP")
    return Reference("tokenizer", model.target)


def estimate_pretraining(parameters: dict[str, Any], counts_of: Callable[[Any], dict[str, Any]]) -> Estimate:
    """Tokens from the budget, parameters and FLOPs from the network, seconds from a few real steps, if they are asked
    for. Where the network that it continues is not known yet, by what that model's training was (or is expected to
    be)."""
    model = parameters["model"]
    tokens = budget_tokens(parameters, counts_of)
    notes = [] if tokens is not None else ["the budget counts epochs of data that are not made yet"]
    if getattr(model, "is_reference", False):
        known = counts_of(model)
        notes.append("continues a model")
    else:
        size, note = _vocabulary_size(parameters["tokenizer"], counts_of)
        known = {"architecture": model.build().architecture(size)}
        notes += note
    architecture, count = known.get("architecture"), known.get("parameters")
    speed: Any = known.get("tokens_per_second")
    flops_per_token = _flops_per_token(known)
    if architecture is not None:
        count = count or architecture.num_parameters()
        flops_per_token = _expected_flops(parameters, architecture)
        speed = partial(_tokens_per_second, parameters, architecture)
    flops = tokens * flops_per_token if tokens is not None and flops_per_token else None

    def seconds() -> float | None:
        known = speed() if callable(speed) else speed
        return tokens / known if tokens is not None and known else None

    counts = {"parameters": count, "tokens_per_second": speed, "tokens": tokens, "flops": flops}
    return Estimate(
        seconds=seconds,
        tokens=tokens,
        parameters=count,
        flops=flops,
        notes="; ".join(notes),
        counts=counts if architecture is None else {**counts, "architecture": architecture},
    )


def _expected_flops(parameters: dict[str, Any], architecture: Architecture) -> float:
    """Forward and backward for a token of the data."""
    # What they are given of other steps is not made yet, and only training looks at it.
    chosen = [item.build(build_artifact=lambda reference: reference) for item in parameters["interventions"]]
    load = _expected_load(parameters, architecture.vocabulary_size)
    share = _share_of_targets(parameters["objective"]) if load is None else load.targets
    objective = parameters["objective"].build(build_artifact=lambda reference: reference)
    return accounting.flops_per_token(architecture, chosen, parameters["length"], share, objective, load)


def _flops_per_token(counts: dict[str, Any]) -> float | None:
    """Forward and backward, as the model's training before had it; for a foreign model 6 a parameter (Kaplan et al.,
    2020)."""
    if counts.get("flops_per_token"):
        return float(counts["flops_per_token"])
    if counts.get("flops") and counts.get("tokens"):
        return float(counts["flops"] / counts["tokens"])
    return 6.0 * counts["parameters"] if counts.get("parameters") else None


def budget_tokens(parameters: dict[str, Any], counts_of: Callable[[Any], dict[str, Any]]) -> float | None:
    budget, length = parameters["budget"], parameters["length"]
    if budget.unit == "steps":
        return float(budget.amount * (parameters["batch_tokens"] // length * length))
    if budget.unit == "epochs":
        known = [_train_tokens(counts_of(reference)) for reference in parameters["data"]]
        return budget.amount * sum(count for count in known if count) if all(known) else None
    return float(budget.amount)


def _train_tokens(counts: dict[str, Any]) -> float | None:
    """Tokens of the training split; of all splits where nothing more is known yet."""
    found = counts.get("splits", {}).get("train", {}).get("tokens", counts.get("tokens"))
    return None if found is None else float(found)


def _vocabulary_size(tokenizer: Any, counts_of: Callable[[Any], dict[str, Any]]) -> tuple[int, list[str]]:
    counts = counts_of(tokenizer) if tokenizer is not None else {}
    if "size" in counts:
        return int(counts["size"]), []
    return VOCABULARY, [f"assuming a vocabulary of {VOCABULARY:,}"]


def _share_of_targets(objective: Any) -> float:
    """The share of positions that get logits; the rate where an objective has one, else all."""
    rate = objective.parameters.get("rate", 1.0)
    if hasattr(rate, "build"):
        schedule = rate.build()
        return sum(schedule((i + 0.5) / 16) for i in range(16)) / 16
    return float(rate) if isinstance(rate, int | float) else 1.0


def _expected_load(parameters: dict[str, Any], size: int) -> Load | None:
    """What the network will read for a token of the data, as the objective makes it of made-up texts; None where it
    reads the data's own rows, or where that cannot be told yet."""
    from seedbed.train.probe import expected_load

    component, length = _without_artifacts(parameters["objective"]), parameters["length"]
    if component is None:
        return None
    rows = max(1, min(parameters["micro_tokens"], parameters["batch_tokens"]) // length)
    known = json.dumps([component.canonical(), size, rows, length], sort_keys=True)
    if known not in _loads:
        _loads[known] = expected_load(component.build(), size=size, rows=rows, length=length)
    return _loads[known]


def _without_artifacts(component: Any) -> Any:
    """The component with its defaults where it is given what other steps have not made yet; None where it has none."""
    kept = {
        name: value
        for name, value in component.parameters.items()
        if not any(getattr(item, "is_reference", False) for item in walk(value))
    }
    if len(kept) == len(component.parameters):
        return component
    needed = {p.name for p in parameters_of(component.entry.target) if p.required}
    return component.registry.parse({component.name: kept}) if needed <= set(kept) else None


def _tokens_per_second(parameters: dict[str, Any], architecture: Architecture) -> float | None:
    """By a probe of about two seconds, remembered for the process; None where it would want what is not made yet, or
    more memory than there is."""
    from seedbed.train.probe import fits, seconds_per_token

    settings = {name: parameters[name] for name in ("precision", "device", "length", "micro_tokens", "batch_tokens")}
    components = [_without_artifacts(parameters[name]) for name in ("objective", "optimizer")]
    if None in components or not fits(architecture.num_parameters(), parameters["device"]):
        return None
    kernel = "auto" if getattr(parameters["model"], "is_reference", False) else parameters["model"].build().kernel
    described = [[component.canonical() for component in components], settings, repr(architecture), kernel]
    known = json.dumps(described, sort_keys=True)
    if known not in _speeds:
        built = [component.build() for component in components]
        _speeds[known] = 1 / seconds_per_token(architecture, *built, kernel=kernel, **settings)
    return _speeds[known]
