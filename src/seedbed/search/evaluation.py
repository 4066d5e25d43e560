"""What a point is worth: by running a recipe that it changes, or by a surface."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from seedbed.compare.arms import COSTS, costs_of, seeded, trains
from seedbed.core.errors import BusyError, InputError
from seedbed.recipe.execute import run_plan
from seedbed.recipe.plan import Plan, make_plan

from .space import Point
from .surface import Surface

if TYPE_CHECKING:
    from seedbed.compare.metric import Metric
    from seedbed.core.artifact import Artifact
    from seedbed.core.store import Store
    from seedbed.recipe.recipe import Recipe

_PATIENCE = 2.0  # seconds between looks at what another process is making


@dataclass(frozen=True)
class Outcome:
    """Of one evaluation; `value` in the metric's own units, None where the training diverged, and why."""

    value: float | None
    parameters: float | None = None
    cost: Mapping[str, float | None] = field(default_factory=dict)
    problem: str = ""


class Evaluation:
    """Base of the two kinds. `higher` says whether more is better; None: not known before the first outcome."""

    higher: bool | None = False

    def problem(self, point: Point) -> str | None:
        """Why a point may not be tried, known before it costs anything; None if it may."""
        return None

    def outcome(self, point: Point, repetition: int = 0) -> Outcome:
        """Evaluate; a repetition above 0 does so with other seeds."""
        raise NotImplementedError


class SurfaceEvaluation(Evaluation):
    """By a function of the point."""

    def __init__(self, surface: Surface, seed: int) -> None:
        self.surface, self.seed = surface, seed

    def outcome(self, point: Point, repetition: int = 0) -> Outcome:
        return Outcome(self.surface.value(point, self.seed, repetition))


class RecipeEvaluation(Evaluation):
    """By a plan of the recipe with the point put in, through the store: what is there is taken, what was interrupted
    goes on, as an arm of a comparison.

    least, most: bounds of the parameters of every model that a point trains; other points are refused.
    """

    def __init__(
        self, recipe: Recipe, metric: Metric, store: Store, *, least: float | None = None, most: float | None = None
    ) -> None:
        self.recipe, self.metric, self.store = recipe, metric, store
        self.least, self.most = least, most
        self.higher = None
        self._problems: dict[tuple[int, ...], str | None] = {}

    def prepare(self) -> None:
        """Make what stands before all training, so that sizes of vocabularies are known to every plan alike."""
        plan = make_plan(self.recipe, self.store, self.metric.steps)
        behind: set[str] = set()
        for planned in plan:
            if trains(planned.step.name) or behind & set(planned.inputs):
                behind.add(planned.name)
        first = [planned.name for planned in plan if not planned.implicit and planned.name not in behind]
        self._run(lambda: make_plan(self.recipe, self.store, first))

    def problem(self, point: Point) -> str | None:
        if point.key not in self._problems:
            self._problems[point.key] = self._problem(self._recipe(point, 0))
        return self._problems[point.key]

    def _recipe(self, point: Point, repetition: int) -> Recipe:
        return seeded(self.recipe.overridden(point.values), repetition)

    def _problem(self, recipe: Recipe) -> str | None:
        try:
            sizes = self._sizes(self._plan(recipe))
        except InputError as error:
            return str(error)
        for size in sizes:
            if self.most is not None and size > self.most:
                return f"{size:.0f} parameters are more than max_parameters ({self.most:.0f})"
            if self.least is not None and size < self.least:
                return f"{size:.0f} parameters are fewer than min_parameters ({self.least:.0f})"
        return None

    def _plan(self, recipe: Recipe) -> Plan:
        return make_plan(recipe, self.store, self.metric.steps)

    def _sizes(self, plan: Plan) -> list[float]:
        """Parameters of every model that is trained; raises InputError for settings that do not fit together."""
        found = [plan.estimate(planned).parameters for planned in plan if trains(planned.step.name)]
        return [size for size in found if size is not None]

    def outcome(self, point: Point, repetition: int = 0) -> Outcome:
        from seedbed.train.hooks.non_finite import NonFiniteError

        recipe = self._recipe(point, repetition)
        plan = self._plan(recipe)
        size = max(self._sizes(plan), default=None)
        try:
            made = self._run(lambda: self._plan(recipe))
        except NonFiniteError as error:
            return Outcome(None, size, problem=str(error))
        if self.higher is None:
            self.higher = self.metric.higher_is_better(made)
        counts = [made[planned.name].counts for planned in plan if trains(planned.step.name)]
        rows = [costs_of(row) for row in counts]
        cost = {name: sum(row[name] or 0.0 for row in rows) for name in COSTS}
        exact = [float(row["parameters"]) for row in counts if row.get("parameters") is not None]
        return Outcome(self.metric.value(made), max(exact, default=size), cost)

    def _run(self, plan: Callable[[], Plan]) -> dict[str, Artifact]:
        """Run a plan; what another process (another search of the same comparison) is making is waited for."""
        while True:
            try:
                return run_plan(plan(), say=lambda line: None)
            except BusyError:
                time.sleep(_PATIENCE)


def recipe_of(content: dict[str, Any], name: str) -> Recipe:
    """The recipe that a step holds."""
    from seedbed.recipe.recipe import parse_recipe

    return parse_recipe(
        {key: content[key] for key in ("seed", "methods", "variables", "steps") if key in content}, name
    )
