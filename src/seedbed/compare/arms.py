"""From a comparison to plans: one for each arm and seed, at equal cost."""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from seedbed.core.errors import InputError
from seedbed.core.files import read_json, write_json
from seedbed.core.schema import parameters_of
from seedbed.core.step import steps
from seedbed.recipe.execute import Workspace, run_step
from seedbed.recipe.plan import Plan, PlannedStep, make_plan
from seedbed.recipe.recipe import Recipe

from .comparison import Comparison

COSTS = ("tokens", "steps", "flops", "seconds")
_TOLERANCE = 0.01  # by which arms may differ in what is said to be equal


@dataclass(frozen=True)
class ArmRun:
    """One arm with one seed."""

    arm: str
    seed: int
    recipe: Recipe
    targets: list[str]
    plan: Plan  # of the targets and what they need

    @property
    def training(self) -> list[PlannedStep]:
        return [planned for planned in self.plan if trains(planned.step.name)]

    @property
    def costly(self) -> list[PlannedStep]:
        """Those, and searches, which count what all of their points' trainings cost."""
        return [planned for planned in self.plan if trains(planned.step.name) or planned.step.name == "search"]


def trains(function: str) -> bool:
    """Whether a step makes a model by training: with a seed, which what only changes weights does not have."""
    seeded = any(parameter.name == "seed" for parameter in parameters_of(steps.get(function).target))
    return seeded and str(steps.step(function).gives.kind) == "model"


def arm_runs(
    comparison: Comparison, place: Workspace, say: Callable[[str], None], *, make: bool = True
) -> list[ArmRun]:
    """All runs, seed by seed, so that what is known after an interruption is paired.

    How many tokens hold equal bytes is known when the data are: they are made, or, without `make`, the budgets stay
    what they are.
    """
    recipes = {arm: comparison.recipe.overridden(overrides) for arm, overrides in comparison.arms.items()}
    equal = comparison.equal != "none"
    if comparison.equal == "bytes":
        equal = _data_are_made(comparison, recipes, place, say if make else None)
        if not equal:
            say("how many tokens hold equal bytes is not known before the data are made")
    if equal:
        recipes = _equalized(comparison, recipes, place, say)
    runs = []
    for index in range(comparison.seeds):
        for arm, recipe in recipes.items():
            own = seeded(recipe, index, comparison.seeded)
            runs.append(ArmRun(arm, recipe.seed + index, own, comparison.targets, _plan(comparison, arm, own, place)))
    return runs


def _plan(comparison: Comparison, arm: str, recipe: Recipe, place: Workspace) -> Plan:
    try:
        return make_plan(recipe, place.store, comparison.targets)
    except InputError as error:
        raise error.at(f"arms.{arm}") from None


def seeded(recipe: Recipe, index: int, names: Sequence[str] | None = None) -> Recipe:
    """The recipe of one repetition. The named steps, by default those that train, get a seed of their own; corpus,
    vocabulary and test sets stay, so that repetitions differ in training alone."""
    if names is None:
        names = [name for name, body in recipe.steps.items() if trains(next(iter(body)))]
    changes = {}
    for name in names:
        ((_, parameters),) = recipe.steps[name].items()
        changes[f"{name}.seed"] = parameters.get("seed", recipe.seed) + index
    return recipe.overridden(changes)


def _data_are_made(
    comparison: Comparison, recipes: dict[str, Recipe], place: Workspace, say: Callable[[str], None] | None
) -> bool:
    """Whether the tokens that the arms train on are there; with `say` they are made, and what they need."""
    for arm, recipe in recipes.items():
        plan = _plan(comparison, arm, recipe, place)
        needed = {reference.target for planned in plan if trains(planned.step.name) for reference in _data(planned)}
        for planned in reversed(list(plan)):
            if planned.name in needed:
                needed |= {reference.target for reference in planned.inputs.values()}
        for name in [planned.name for planned in plan if planned.name in needed and not planned.is_cached]:
            if say is None:
                return False
            run_step(plan, name, say)
            plan = _plan(comparison, arm, recipe, place)  # which knows what is made
    return True


def _data(planned: PlannedStep) -> dict[Any, Any]:
    """What a training step reads, and the weights."""
    found: dict[Any, Any] = planned.parameters.get("data") or {}
    return found


def _equalized(
    comparison: Comparison, recipes: dict[str, Recipe], place: Workspace, say: Callable[[str], None]
) -> dict[str, Recipe]:
    """The arms' recipes with the budget of `adjust` changed until each costs what the reference costs.

    The budgets are kept: what is estimated (FLOPs of what is not made yet) or measured (seconds) would come out a
    little different when an interrupted comparison goes on.
    """
    path = place.root / "comparisons" / f"{comparison.name}-budgets.json"
    known: dict[str, dict[str, str]] = read_json(path) if path.is_file() else {}
    if comparison.digest not in known:
        known[comparison.digest] = _budgets(comparison, recipes, place)
        path.parent.mkdir(parents=True, exist_ok=True)
        write_json(path, known)
    found = dict(recipes)
    for arm, budget in known[comparison.digest].items():
        say(f"{arm}: {comparison.adjust} trains for {budget}, so that the {comparison.equal} are equal")
        found[arm] = found[arm].overridden({f"{comparison.adjust}.budget": budget})
    return found


def _budgets(comparison: Comparison, recipes: dict[str, Recipe], place: Workspace) -> dict[str, str]:
    """The budgets that must change, by arm."""
    costs = {arm: _cost(comparison, recipe, arm, place) for arm, recipe in recipes.items()}
    goal = costs[comparison.reference].total
    budgets = {}
    for arm, cost in costs.items():
        if abs(cost.total - goal) <= _TOLERANCE * goal:
            continue
        if comparison.adjust is None:
            listed = ", ".join(f"{name} {other.total:.4g}" for name, other in costs.items())
            raise InputError(
                "equal",
                f"the arms do not cost the same {comparison.equal}: {listed}",
                fix="`adjust: STEP` changes that step's budget; `equal: none` compares them as they are",
            )
        wanted = cost.amount + (goal - cost.total) / cost.rate
        if wanted <= 0:
            raise InputError(
                "adjust",
                f"even without {comparison.adjust} the arm {arm} costs more than {comparison.reference}",
                value=cost.total,
            )
        budgets[arm] = f"{math.ceil(wanted)} {cost.unit}"
    return budgets


@dataclass(frozen=True)
class _Cost:
    """What an arm costs, in what is kept equal; and the step whose budget can change that."""

    total: float
    rate: float = 0.0  # of the step, for each unit of its budget
    amount: float = 0.0  # its budget
    unit: str = ""


def _cost(comparison: Comparison, recipe: Recipe, arm: str, place: Workspace) -> _Cost:
    plan = _plan(comparison, arm, recipe, place)
    training = [planned for planned in plan if trains(planned.step.name)]
    if not training:
        raise InputError("equal", f"the arm {arm} trains nothing", value=comparison.equal, fix="equal: none")
    amounts: dict[str, float] = {}
    for planned in training:
        amount = _expected(plan, planned, comparison.equal)
        if amount is None:
            raise InputError("equal", f"the {comparison.equal} of {planned.name} are not known before it runs")
        amounts[planned.name] = amount
    name, total = comparison.adjust, sum(amounts.values())
    if name is None:
        return _Cost(total)
    if name not in amounts or "budget" not in plan[name].parameters:
        allowed = [planned.name for planned in training if "budget" in planned.parameters]
        raise InputError(
            "adjust", f"the arm {arm} trains no step of this name with a budget", value=name, allowed=allowed
        )
    budget = plan[name].parameters["budget"]
    return _Cost(total, amounts[name] / budget.amount, budget.amount, budget.unit)


def _expected(plan: Plan, planned: PlannedStep, what: str) -> float | None:
    """Tokens, bytes of text, steps, FLOPs or seconds of a training step: the last two are estimated."""
    if what == "seconds":
        return plan.estimate(planned).duration()
    if what == "flops":
        return plan.estimate(planned).flops
    if what == "bytes":
        tokens = _expected(plan, planned, "tokens")
        size = _bytes_per_token(plan, planned) if tokens else 0.0
        return None if tokens is None or size is None else tokens * size
    if "batch_tokens" not in planned.parameters:  # weights that are put together, not trained
        return 0.0
    budget = planned.parameters.get("budget")  # growing has none: its method says for how long it learns
    row = planned.parameters["batch_tokens"] // planned.parameters["length"] * planned.parameters["length"]
    if budget is not None and budget.unit == "steps":
        return float(budget.amount * (row if what == "tokens" else 1))
    tokens = budget.amount if budget is not None and budget.unit == "tokens" else plan.estimate(planned).tokens
    if tokens is None or what == "tokens":
        return None if tokens is None else float(tokens)
    return float(math.ceil(tokens / row))


def _bytes_per_token(plan: Plan, planned: PlannedStep) -> float | None:
    """Of the text that a training step reads, by weights, which are shares of tokens; None where it is not known."""
    sizes, weights = [], []
    for reference, weight in _data(planned).items():
        counts = plan.counts_of(reference)
        counts = counts.get("splits", {}).get("train", counts)
        if not counts.get("tokens") or "bytes" not in counts or getattr(weight, "rule", "alpha") != "alpha":
            return None
        sizes.append(counts["bytes"] / counts["tokens"])
        weights.append(counts["tokens"] ** weight.amount if hasattr(weight, "rule") else weight)
    return sum(map(operator.mul, sizes, weights)) / sum(weights)


def costs_of(counts: dict[str, Any]) -> dict[str, float | None]:
    """What a finished training step cost, from its manifest's counts; None for what these do not tell. Weights that
    were put together, not trained, have no count of tokens, and cost their seconds alone, where these are counted."""
    if counts.get("tokens") is None:
        counts = {"tokens": 0, "steps": 0, "flops": 0.0, "seconds": counts.get("seconds", 0.0)}
    return {name: None if counts.get(name) is None else float(counts[name]) for name in COSTS}
