"""The size and the tokens of a training step in a recipe, as laws count them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from seedbed.core.errors import InputError, unknown_key

if TYPE_CHECKING:
    from seedbed.recipe.plan import Plan, PlannedStep
    from seedbed.recipe.recipe import Recipe


@dataclass(frozen=True)
class Training:
    """One step that trains a new model."""

    step: str
    parameters: int  # without embeddings
    tokens: float
    length: int
    batch_tokens: int
    optimizer: str
    lr: float
    attention: str


def read_training(path: Path, step: str | None, overrides: Iterable[str], runs: Path) -> Training:
    """From a recipe's file; the step may be left out where there is only one. Raises InputError."""
    from seedbed.recipe.execute import Workspace
    from seedbed.recipe.plan import make_plan
    from seedbed.recipe.recipe import load_recipe

    recipe = load_recipe(path).overridden(overrides)
    name = _step(recipe, step)
    plan = make_plan(recipe, Workspace(runs).store, [name])
    given = plan[name].parameters
    if getattr(given["model"], "is_reference", False):
        raise InputError(f"{name}.model", "continues a model, and the laws are of training from nothing")
    backbone, optimizer = given["model"].build(), given["optimizer"]
    if not hasattr(backbone, "architecture"):
        raise InputError(f"{name}.model", "has no architecture whose parameters could be counted", value=given["model"])
    return Training(
        name,
        backbone.architecture(1).num_parameters(embeddings=False),
        _tokens(plan, plan[name]),
        given["length"],
        given["batch_tokens"],
        optimizer.name,
        optimizer.build().lr,
        backbone.architecture(1).attention,
    )


def _step(recipe: Recipe, step: str | None) -> str:
    from seedbed.compare.arms import trains

    training = [name for name, body in recipe.steps.items() if trains(next(iter(body)))]
    if step is not None and step not in training:
        raise unknown_key("", step, training, "training step")
    if step is None and len(training) != 1:
        raise InputError("", "which of the steps that train?", allowed=training or "none does", fix="name it")
    return step or training[0]


def _tokens(plan: Plan, planned: PlannedStep) -> float:
    from seedbed.train.plan import budget_tokens

    tokens = budget_tokens(planned.parameters, plan.counts_of)
    if tokens is None:
        raise InputError(
            f"{planned.name}.budget", "counts epochs of data that are not made yet", fix="a budget in tokens"
        )
    return float(tokens)
