"""Running a plan: each step once, its artifact into the store; what is there already is taken from there."""

from __future__ import annotations

import datetime
import os
import time
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from seedbed.core import distributed, energy
from seedbed.core.artifact import Artifact, Reference
from seedbed.core.errors import InputError
from seedbed.core.files import storage_errors, write_bytes, write_json
from seedbed.core.machine import machine, versions
from seedbed.core.schema import build_value
from seedbed.core.step import StepContext
from seedbed.core.store import Store

from .plan import Plan, PlannedStep, make_plan, open_as
from .recipe import Recipe


@dataclass(frozen=True)
class Workspace:
    """Where results go: `root/store` holds artifacts, `root/<recipe>` one run's links to them."""

    root: Path = Path("runs")

    @property
    def store(self) -> Store:
        return Store(self.root / "store")

    def folder(self, recipe: Recipe) -> Path:
        return self.root / recipe.name


_current: ContextVar[Workspace | None] = ContextVar("workspace", default=None)


def current_workspace() -> Workspace:
    """The one entered, or the folder that SEEDBED_RUNS names, or `runs`."""
    return _current.get() or Workspace(Path(os.environ.get("SEEDBED_RUNS", "runs")))


@contextmanager
def workspace(root: Path | str) -> Iterator[Workspace]:
    """Within it, steps that are called from Python keep their results below `root`."""
    place = Workspace(Path(root))
    token = _current.set(place)
    try:
        yield place
    finally:
        _current.reset(token)


Say = Callable[[str], None]
EVERYTHING = "all"


def run_recipe(
    recipe: Recipe,
    place: Workspace | None = None,
    *,
    say: Say = print,
    rebuild: Collection[str] = (),
    only: Collection[str] | None = None,
) -> dict[str, Artifact]:
    """Run a recipe; returns the artifact of each step by its name. `rebuild` names steps to make anew; `only` those
    that are wanted, with all that they need."""
    place = place or current_workspace()
    plan = make_plan(recipe, place.store, only)
    return run_plan(plan, say=say, rebuild=rebuild, links=place.folder(recipe))


def run_plan(
    plan: Plan, *, say: Say = print, rebuild: Collection[str] = (), links: Path | None = None
) -> dict[str, Artifact]:
    """Run what the plan lacks, in order. What depends on a step that is made anew is made anew too.

    `links` is the run's folder, with a link to each step's result.
    """
    for name in set(rebuild) - {EVERYTHING}:
        plan[name]
    distributed.setup()
    distributed.barrier()  # all have made the same plan before the first result changes what is there
    made: dict[str, Artifact] = {}
    fresh: set[str] = set()
    for planned in plan:
        if EVERYTHING in rebuild or planned.name in rebuild or fresh & set(planned.inputs):
            fresh.add(planned.name)
        if planned.artifact is not None and planned.name not in fresh:
            say(f"{planned.name}: from the store{' (its code has changed since)' if planned.code_changed else ''}")
            made[planned.name] = planned.artifact
        else:
            made[planned.name] = _run_shared(planned, plan.store, made, say)
        if links is not None and distributed.rank() == 0:
            _link(plan, links, made)
    return made


def call_step(name: str, parameters: dict[str, Any]) -> Artifact:
    """Run one step as a function."""
    recipe = Recipe(name, {name: {name: parameters}})
    return run_plan(make_plan(recipe, current_workspace().store), say=lambda _: None)[name]


def run_step(plan: Plan, name: str, say: Say) -> Artifact:
    """Run one step of a plan, implicit ones too, whose inputs are there."""
    made = {planned.name: planned.artifact for planned in plan if planned.artifact is not None}
    return made[name] if name in made else _run_step(plan[name], plan.store, made, say)


def _run_shared(planned: PlannedStep, store: Store, made: dict[str, Artifact], say: Say) -> Artifact:
    """One step under torchrun: all processes run a distributed step; the first one alone the others, and commits."""
    if distributed.rank() == 0:
        artifact = _run_step(planned, store, made, say)
        distributed.barrier()
        return artifact
    if planned.step.distributed:
        context = _context(
            planned, store.root / "unfinished" / store.path(planned.step.name, planned.fingerprint).name, say
        )
        planned.step.function(context, **_built(planned, made))
    distributed.barrier()
    artifact_or_none = store.find(planned.step.name, planned.fingerprint)
    assert artifact_or_none is not None, f"{planned.name}: the first process left no artifact"
    return artifact_or_none


def _run_step(planned: PlannedStep, store: Store, made: dict[str, Artifact], say: Say) -> Artifact:
    """Run one step in its working folder and commit the artifact."""
    say(f"{planned.name}: {planned.step.name} ...")
    started, clock, processor = datetime.datetime.now(datetime.UTC), time.monotonic(), time.process_time()
    joules = energy.joules()
    with store.work(planned.step.name, planned.fingerprint, resumable=planned.step.resumable) as folder:
        context = _context(planned, folder, say)
        with storage_errors(folder):
            planned.step.function(context, **_built(planned, made))
        seconds = time.monotonic() - clock
        consumed = energy.used(joules, energy.joules())
        manifest = {
            "step": planned.step.name,
            "name": planned.name,
            "kind": planned.step.gives.kind,
            "fingerprint": planned.fingerprint,
            "parameters": planned.canonical,
            "inputs": {
                name: {
                    "fingerprint": reference.fingerprint,
                    "kind": reference.kind,
                    "path": os.path.relpath(_path(reference, made), store.path(planned.step.name, planned.fingerprint)),
                }
                for name, reference in planned.inputs.items()
            },
            "components": planned.components,
            "source": planned.source,
            "versions": versions(),
            "machine": machine(),
            "counts": context.counts,
            "times": {
                "started": started.isoformat(timespec="seconds"),
                "seconds": round(seconds, 3),
                "processor_seconds": round(time.process_time() - processor, 3),
                **({} if consumed is None else {"energy_joules": round(consumed, 1)}),
            },
        }
        artifact = store.commit(folder, manifest)
    say(f"{planned.name}: done in {seconds:.1f} s")
    return artifact


def _context(planned: PlannedStep, folder: Path, say: Say) -> StepContext:
    return StepContext(
        folder=folder,
        name=planned.name,
        parameters=planned.canonical,
        inputs={name: reference.fingerprint for name, reference in planned.inputs.items()},
        say=lambda line: say(f"{planned.name}: {line}"),
        fingerprint=planned.fingerprint,
    )


def _built(planned: PlannedStep, made: dict[str, Artifact]) -> dict[str, Any]:
    def open_reference(reference: Reference) -> Artifact:
        artifact = made[reference.target] if reference.target in made else open_as(reference)
        if artifact.fingerprint != reference.fingerprint:
            raise InputError(
                f"{planned.name}",
                f"its input {reference.target} has changed since the plan was made",
                fix="plan and run again, or run with --rebuild",
            )
        if artifact.kind != reference.kind:  # a model's own tokenizer lies in the model's folder
            return Artifact.kinds[reference.kind].open(artifact.path)
        return artifact

    return {name: build_value(value, open_reference) for name, value in planned.parameters.items()}


def _path(reference: Reference, made: dict[str, Artifact]) -> Path:
    return made[reference.target].path if reference.target in made else Path(reference.target)


def _link(plan: Plan, folder: Path, made: dict[str, Artifact]) -> None:
    """The run's folder: the recipe as it was run, and a link for each artifact."""
    with storage_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)
        write_bytes(folder / "recipe.yaml", plan.recipe.as_yaml().encode())
        rows = {
            name: {"path": os.path.relpath(a.path, folder), "fingerprint": a.fingerprint} for name, a in made.items()
        }
        write_json(folder / "steps.json", rows)
        for planned in plan:
            if planned.implicit or planned.name not in made:
                continue
            link = folder / planned.name
            if link.is_symlink():
                link.unlink()
            elif link.exists():
                raise InputError(str(link), "stands where the link to this step's result goes", fix="move it away")
            link.symlink_to(os.path.relpath(made[planned.name].path, folder))
