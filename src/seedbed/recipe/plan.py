"""A plan: every step of a recipe with its checked parameters, inputs and fingerprint, and what is there already."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from seedbed.core.artifact import MANIFEST, Artifact, Reference, kind_of_name, open_any
from seedbed.core.errors import InputError, PlacedError, unknown_key
from seedbed.core.extensions import load_methods
from seedbed.core.fingerprint import digest, source_digest
from seedbed.core.registry import Component
from seedbed.core.schema import canonical_value, parameters_of, replace_leaves, resolve, walk
from seedbed.core.source import remember_hashes, without_places
from seedbed.core.step import Call, Estimate, Step, steps
from seedbed.core.store import Store

from .recipe import Recipe


@dataclass
class PlannedStep:
    """One step that will run, or is there already."""

    name: str
    step: Step[Any, Any]
    parameters: dict[str, Any]  # resolved; references carry fingerprints
    fingerprint: str
    components: dict[str, int | str]  # "objective mlm" -> version
    source: str  # hash of the code of the step and its components
    inputs: dict[str, Reference] = field(default_factory=dict)
    artifact: Artifact | None = None  # of an earlier run
    implicit: bool = False  # made for another step; the recipe does not name it

    @property
    def canonical(self) -> dict[str, Any]:
        return {name: canonical_value(value) for name, value in self.parameters.items()}

    @property
    def is_cached(self) -> bool:
        return self.artifact is not None

    @property
    def code_changed(self) -> bool:
        """The artifact was made by other code under the same version."""
        return self.artifact is not None and (self.artifact.manifest or {}).get("source") != self.source


class Plan:
    """The steps of a recipe in order, those before that others need; what a step refers to is planned when it is
    met, so that a plan for some steps needs nothing (no data either) of the others."""

    def __init__(self, recipe: Recipe, store: Store) -> None:
        self.recipe, self.store = recipe, store
        self.steps: list[PlannedStep] = []
        self._by_fingerprint: dict[str, PlannedStep] = {}
        self._by_name: dict[str, PlannedStep] = {}
        self._estimates: dict[str, Estimate] = {}
        self._bodies = recipe.expanded_steps()
        self._order = list(self._bodies)
        self._adding: list[str] = []  # named steps that are being checked, each for the one before it

    def __iter__(self) -> Iterator[PlannedStep]:
        return iter(self.steps)

    def __getitem__(self, name: str) -> PlannedStep:
        if name not in self._by_name:
            raise unknown_key("", name, self._by_name, "step")
        return self._by_name[name]

    def estimate(self, planned: PlannedStep) -> Estimate:
        """What a step would cost. Steps that train probe the machine, so it takes seconds when first asked for."""
        if planned.fingerprint not in self._estimates:
            self._estimates[planned.fingerprint] = planned.step.estimated(planned.parameters, self.counts_of)
        return self._estimates[planned.fingerprint]

    def add_named(self, name: str) -> None:
        """Plan a step of the recipe, and before it those that it needs, unless it is planned."""
        if name not in self._bodies:
            raise unknown_key("", name, self._bodies, "step")
        if name not in self._by_name:
            ((function, given),) = self._bodies[name].items()
            self._adding.append(name)
            self.add(name, function, given)
            self._adding.pop()

    def add(self, name: str, function: str, given: dict[str, Any], *, implicit: bool = False) -> PlannedStep:
        """Check one step and place it; an implicit one that is there already is shared."""
        key = name if implicit else f"{name}.{function}"
        step = steps.step(function, name)
        target = steps.get(function).target
        if "seed" not in given and any(parameter.name == "seed" for parameter in parameters_of(target)):
            given = {**given, "seed": self.recipe.seed}
        with self._names():
            parameters = resolve(target, given, key)
            parameters = step.prepared(parameters, self._kind_of)
            parameters = self._with_calls(name, parameters)
        parameters = replace_leaves(parameters, self._known)
        return self._place(name, step, parameters, implicit=implicit)

    def _place(self, name: str, step: Step[Any, Any], parameters: dict[str, Any], *, implicit: bool) -> PlannedStep:
        used = [item for item in walk(parameters) if isinstance(item, Component)]
        entry = steps.get(step.name)
        components = {f"{item.registry.role} {item.name}": item.entry.identity for item in used}
        canonical = {key: canonical_value(value) for key, value in parameters.items()}
        facts = {"step": step.name, "version": entry.identity, "components": components}
        facts["parameters"] = without_places(canonical)
        fingerprint = digest(facts)
        if implicit and fingerprint in self._by_fingerprint:
            return self._by_fingerprint[fingerprint]
        planned = PlannedStep(
            name,
            step,
            parameters,
            fingerprint,
            components,
            source_digest([entry.target, *(item.entry.target for item in used)]),
            {item.target: item for item in walk(parameters) if isinstance(item, Reference)},
            self.store.find(step.name, fingerprint),
            implicit,
        )
        self.steps.append(planned)
        self._by_fingerprint[fingerprint] = planned
        self._by_name[name] = planned
        return planned

    def _with_calls(self, name: str, parameters: dict[str, Any]) -> dict[str, Any]:
        """Plan the steps that this one calls for, and refer to them."""

        def replacement(value: Any) -> Any:
            if not isinstance(value, Call):
                return value
            targets = [item.target for item in walk(value.parameters) if isinstance(item, Reference)]
            label = f"{value.step}({', '.join(Path(target).name for target in targets)})"
            planned = self.add(label, value.step, value.parameters, implicit=True)
            return Reference(planned.step.gives.kind, planned.name, planned.fingerprint)

        return dict(replace_leaves(parameters, replacement))

    def _known(self, value: Any) -> Any:
        """A reference with its fingerprint."""
        if not isinstance(value, Reference) or value.fingerprint:
            return value
        if value.target in self._by_name:
            return value.known(self._by_name[value.target].fingerprint)
        return value.known(open_as(value).fingerprint)

    def recipe_above(self) -> Recipe:
        """The recipe with the steps above the one that is being checked: for a step that runs others itself."""
        above = self._order[: self._order.index(self._adding[-1])]
        return replace(self.recipe, steps={name: self.recipe.steps[name] for name in above})

    @contextmanager
    def _names(self) -> Iterator[None]:
        """Within it, the types of artifacts know which names exist, and steps that prepare themselves know the plan."""
        token, own = kind_of_name.set(self._kind_of_name), _under_way.set(self)
        try:
            yield
        finally:
            kind_of_name.reset(token)
            _under_way.reset(own)

    def _kind_of_name(self, name: str) -> str | None:
        if name in self._bodies and self._order.index(name) < self._order.index(self._adding[-1]):
            try:
                self.add_named(name)
            except InputError as error:  # of that step, not of the one that refers to it
                raise PlacedError.of(error) from None
        if name in self._by_name:
            return str(self._by_name[name].step.gives.kind)
        folder = Path(name)
        if (folder / MANIFEST).is_file():
            return open_any(folder).kind
        if folder.is_dir():
            return None
        later = name in self._bodies
        problem = "stands later in the recipe" if later else "is neither an earlier step nor a folder"
        earlier = self._order[: self._order.index(self._adding[-1])]
        raise InputError("", f"'{name}' {problem}", allowed=earlier or None)

    def _kind_of(self, reference: Any) -> str:
        if isinstance(reference, Call):
            return str(steps.step(reference.step).gives.kind)
        return str(reference.kind)

    def counts_of(self, reference: Any) -> dict[str, Any]:
        """What is known of an artifact; while it is not made, what is expected."""
        planned = self._by_name.get(reference.target)
        if planned is None:
            return open_as(reference).known
        return planned.artifact.known if planned.artifact is not None else self.estimate(planned).counts


_under_way: ContextVar[Plan] = ContextVar("plan")


def plan_under_way() -> Plan:
    """The plan that a step is being checked for, within its `prepare`."""
    return _under_way.get()


def make_plan(recipe: Recipe, store: Store, only: Iterable[str] | None = None) -> Plan:
    """Check a recipe, or of it the steps `only` with all that they need, and find what is there already. Raises
    InputError at the first mistake."""
    load_methods(recipe.methods)
    plan = Plan(recipe, store)
    for name in recipe.steps if only is None else only:
        plan.add_named(name)
    remember_hashes()
    return plan


def open_as(reference: Reference) -> Artifact:
    """Open a path as the kind that the parameter wants."""
    return Artifact.kinds[reference.kind].open(reference.target)
