"""The step `search`: the best point of a space, found in so many evaluations."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any, Literal

from seedbed.core import distributed
from seedbed.core.errors import InputError
from seedbed.core.files import write_bytes, write_json
from seedbed.core.step import Estimate, StepContext, step

from . import searchers, surfaces
from .artifact import Search
from .searcher import Searcher
from .surface import Surface

FORMAT = 1


@step("search", gives=Search, papers=["135", "190"], resumable=True, distributed=True)
def search(
    context: StepContext,
    *,
    space: dict[str, Any],
    metric: str | list[str] | None = None,
    surface: Annotated[Surface, surfaces] | None = None,
    searcher: Annotated[Searcher, searchers] = "random",  # type: ignore[assignment]
    evaluations: int = 20,
    goal: Literal["least", "most"] | None = None,
    min_parameters: int | None = None,
    max_parameters: int | None = None,
    confirm: int = 0,
    recipe: dict[str, Any] | None = None,
    seed: int = 0,
) -> None:
    """Search a space of configurations for the point with the best metric.

    space: what of the recipe may differ, and how (docs/search.md). metric: STEP.TASK.METRIC or STEP.COUNT, as in a
    comparison; each evaluation makes what it needs, through the store. surface: what a point is worth, instead of a
    metric. searcher: which point is tried next. evaluations: how many. goal: whether the metric is to be small or
    large; by default as the metric says. min_parameters, max_parameters: points whose models have fewer or more are
    refused before they are trained. confirm: how often the best point is evaluated again, with other seeds of all that
    trains: the best of many is lucky, too. recipe: whose steps the space changes; by default the one that this step
    stands in, with the steps above. seed: of the searcher's draws, not of the training.

    The counts have `best`, `best_after`, `mean_best`, `confirmed` and what all trainings cost, those that were in the
    store included.
    """
    from seedbed.core.store import Store

    from .driver import Driver
    from .evaluation import Evaluation, RecipeEvaluation, SurfaceEvaluation, recipe_of
    from .space import Space

    _check(metric, surface, evaluations, confirm, min_parameters, max_parameters)
    inner, evaluation = None, Evaluation()
    if surface is not None:
        evaluation = SurfaceEvaluation(surface, seed)
    else:
        assert recipe is not None
        inner, store = recipe_of(recipe, f"{context.name}-best"), Store(context.folder.parents[1])
        evaluation = RecipeEvaluation(inner, _metric(metric), store, least=min_parameters, most=max_parameters)
        evaluation.prepare()
    driver = Driver(Space(space), searcher, evaluation, seed)
    facts = {"format": FORMAT, "name": context.name, "metric": metric, "space": space, "seed": seed}
    facts |= {name: context.parameters[name] for name in ("searcher", "surface")}

    def tell() -> None:
        row = driver.rows()[-1]
        context.say(f"{row['number']}/{evaluations}: {_short(row['value'])}, best {_short(row['best'])}")
        _write(context, "result.json", _result(facts, driver, []))

    driver.run(evaluations, None if goal is None else goal == "most", tell)
    assert driver.best is not None
    best = driver.outcomes[driver.best][0]
    again = [evaluation.outcome(best, repetition).value for repetition in range(1, confirm + 1)]
    confirmed = [value for value in again if value is not None]
    _write(context, "result.json", _result(facts, driver, confirmed))
    if inner is not None and distributed.rank() == 0:
        write_bytes(context.folder / "best.yaml", inner.overridden(best.values).as_yaml().encode())
    context.counts.update(driver.counts(confirmed))


def _check(
    metric: object, surface: object, evaluations: int, confirm: int, least: int | None, most: int | None
) -> None:
    if (metric is None) == (surface is None):
        raise InputError("metric", "a search has a metric, or a surface", fix="metric: STEP.TASK.METRIC")
    if surface is not None and (least, most) != (None, None):
        raise InputError("max_parameters", "is for models that a recipe trains", value=most)
    for name, value, lowest in (("evaluations", evaluations, 1), ("confirm", confirm, 0)):
        if value < lowest:
            raise InputError(name, f"must be at least {lowest}", value=value)


def _metric(metric: str | list[str] | None) -> Any:
    from seedbed.compare.metric import parse_metrics

    return parse_metrics(metric)[0]


def _result(facts: dict[str, Any], driver: Any, confirmed: list[float]) -> dict[str, Any]:
    rows = driver.rows()
    return {
        **facts,
        "goal": "most" if driver.higher else "least",
        "best": None if driver.best is None else rows[driver.best],
        "confirmed": confirmed,
        "points": rows,
        "refused": [{"values": point.values, "problem": problem} for point, problem in driver.refused.values()],
    }


def _write(context: StepContext, name: str, value: Any) -> None:
    if distributed.rank() == 0:
        write_json(context.folder / name, value)


def _short(value: float | None) -> str:
    return "diverged" if value is None else f"{value:.4g}"


@search.prepare
def prepare(parameters: dict[str, Any], kind_of: Callable[[Any], str]) -> dict[str, Any]:
    """The recipe as it stands above the step, with all that its results depend on: what the metric needs of it and what
    the space names, the fingerprints of that, and the versions of methods that the space names."""
    from seedbed.recipe.plan import make_plan, plan_under_way
    from seedbed.recipe.recipe import parse_recipe

    from .space import Space

    del kind_of
    Space(parameters["space"])  # raises what is wrong with it before anything runs
    if parameters["surface"] is not None or parameters["metric"] is None:
        return parameters
    outer = plan_under_way()
    inner = outer.recipe_above() if parameters["recipe"] is None else parse_recipe(parameters["recipe"])
    targets = _metric(parameters["metric"]).steps
    targets += [name for name in inner.steps if name in _words(parameters["space"]) and name not in targets]
    plan = make_plan(inner, outer.store, targets)
    named = [planned.name for planned in plan if not planned.implicit]
    recipe = {
        "seed": inner.seed,
        "methods": inner.methods,
        "variables": inner.variables,
        "steps": {name: body for name, body in inner.steps.items() if name in named},
        "fingerprints": {name: plan[name].fingerprint for name in targets},
        "versions": _versions(parameters["space"]),
    }
    for path in parameters["space"]:
        inner.overridden({path: inner.variables.get(path)})  # raises for a path that leads nowhere
    return {**parameters, "recipe": recipe}


def _words(space: Any) -> set[str]:
    """The texts in a space, and the parts of its paths."""
    from seedbed.core.schema import walk

    words = {word for word in walk(space) if isinstance(word, str)}
    return words | {part for word in words for part in word.split(".")}


def _versions(space: Any) -> dict[str, str]:
    """Of all methods whose names stand in the space, in whichever registry."""
    from seedbed import registries

    words = _words(space)
    found: dict[str, str] = {}
    for name in registries.names():
        registry = registries.registry(name)
        found |= {f"{registry.role} {e.name}": str(e.identity) for e in registry if e.name in words}
    return found


@search.estimate
def estimate(parameters: dict[str, Any], counts_of: Callable[[Any], dict[str, Any]]) -> Estimate:
    """Not known: what points cost differs."""
    del counts_of
    trained = "" if parameters["surface"] is not None else ", each of which trains what the metric needs"
    return Estimate(notes=f"at most {parameters['evaluations']} points{trained}")
