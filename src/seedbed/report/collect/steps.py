"""The steps of a run: those that are finished, what they came from, and those that are still to come."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from seedbed.core.artifact import MANIFEST, Artifact, open_any
from seedbed.core.errors import InputError
from seedbed.core.files import read_json
from seedbed.core.store import Store
from seedbed.recipe.plan import make_plan
from seedbed.recipe.recipe import Recipe, load_recipe

from .texts import ends

Status = Literal["done", "outside", "unfinished", "waiting", "missing"]


@dataclass(frozen=True)
class SourceFiles:
    """Files that did not come from a step: a path with the hash of its contents, or a reader of its own."""

    label: str
    digest: str


@dataclass
class StepFacts:
    """One step. `outside` is an artifact that a step was made from and that the recipe does not make."""

    name: str
    function: str
    kind: str
    fingerprint: str
    status: Status
    artifact: Artifact | None = None
    implicit: bool = False
    parameters: dict[str, Any] = field(default_factory=dict)
    inputs: list[str] = field(default_factory=list)  # fingerprints
    folder: Path | None = None  # of one in the making

    @property
    def manifest(self) -> dict[str, Any]:
        return (self.artifact.manifest or {}) if self.artifact is not None else {}

    @property
    def counts(self) -> dict[str, Any]:
        return dict(self.manifest.get("counts", {}))

    @property
    def times(self) -> dict[str, Any]:
        return dict(self.manifest.get("times", {}))

    @property
    def seconds(self) -> float | None:
        """Wall time. A training that was interrupted counts its own seconds over all sittings."""
        found = [self.times.get("seconds"), self.counts.get("seconds") if self.kind == "model" else None]
        return max((float(value) for value in found if value is not None), default=None)

    @property
    def resumed(self) -> bool:
        """Whether the training went on from a checkpoint: its own seconds are more than the last sitting's."""
        own, last = self.counts.get("seconds"), self.times.get("seconds")
        return self.kind == "model" and bool(own and last and own > 1.05 * last + 1)

    @property
    def sources(self) -> list[SourceFiles]:
        """What it read that is no artifact."""
        return list(dict.fromkeys(_sources(self.parameters)))


def read_steps(folder: Path) -> tuple[Recipe, list[StepFacts], list[str]]:
    """The recipe of a run's folder, its steps in an order in which each stands behind what it was made from, and
    notes on what could not be read."""
    from seedbed.core.step import steps as registry

    if not (folder / "recipe.yaml").is_file() or not (folder / "steps.json").is_file():
        raise InputError(
            str(folder),
            "is not the folder of a run: it has no recipe.yaml and steps.json",
            fix="name the folder that `seedbed run` prints at its end, such as runs/quickstart",
        )
    registry.load()  # the kinds of artifacts
    recipe = load_recipe(folder / "recipe.yaml")
    notes: list[str] = []
    rows = read_json(folder / "steps.json")
    steps: list[StepFacts] = []
    known = {row["fingerprint"] for row in rows.values()}
    for name, row in rows.items():
        step = _finished(name, folder / row["path"], row["fingerprint"], recipe, notes)
        for ancestor in _outside(step, known):
            known.add(ancestor.fingerprint)
            steps.append(ancestor)
        steps.append(step)
    there = {name: str(row["fingerprint"]) for name, row in rows.items()}
    steps += _coming(recipe, there, Store(folder.parent / "store"), notes)
    return recipe, steps, notes


def _finished(name: str, path: Path, fingerprint: str, recipe: Recipe, notes: list[str]) -> StepFacts:
    try:
        artifact = open_any(path)
        problems = artifact.problems()
    except InputError as error:
        notes.append(f"{name}: its result cannot be read ({error.problem}).")
        function = next(iter(recipe.steps.get(name, {"": {}})))
        return StepFacts(name, function, "", fingerprint, "missing")
    if problems:
        notes.append(f"{name}: its result is damaged ({'; '.join(problems[:3])}).")
    return _of_artifact(name, artifact, fingerprint, "done", implicit=name not in recipe.steps)


def _of_artifact(
    name: str, artifact: Artifact, fingerprint: str, status: Status, *, implicit: bool = False
) -> StepFacts:
    manifest = artifact.manifest or {}
    return StepFacts(
        name,
        str(manifest.get("step", "")),
        artifact.kind,
        fingerprint,
        status,
        artifact,
        implicit,
        dict(manifest.get("parameters", {})),
        [parent.fingerprint for parent in _parents(artifact)],
    )


def _parents(artifact: Artifact) -> Iterator[StepFacts]:
    """What an artifact was made from. A model whose tokenizer was used counts as the model; what is no longer there
    is known by its fingerprint."""
    for name, row in (artifact.manifest or {}).get("inputs", {}).items():
        folder = (artifact.path.resolve() / row["path"]).resolve()
        try:
            if (folder / MANIFEST).is_file():
                parent = open_any(folder)
                assert parent.manifest is not None
                label = str(parent.manifest.get("name", name))
                yield _of_artifact(label, parent, parent.manifest["fingerprint"], "outside")
                continue
        except InputError:
            pass  # a broken manifest: as good as gone
        there = Artifact.kinds[row["kind"]](folder) if folder.is_dir() and row["kind"] in Artifact.kinds else None
        status: Status = "outside" if there is not None else "missing"
        yield StepFacts(ends(name), "", row["kind"], row["fingerprint"], status, there)


def _outside(step: StepFacts, known: set[str]) -> list[StepFacts]:
    """What a step was made from and the run has not, farthest first; each once."""
    found: dict[str, StepFacts] = {}
    waiting = [step]
    while waiting:
        current = waiting.pop(0)
        for parent in _parents(current.artifact) if current.artifact is not None else ():
            if parent.fingerprint not in known:
                found.pop(parent.fingerprint, None)  # seen from farther away: it moves to the front
                found[parent.fingerprint] = parent
                waiting.append(parent)
    return list(reversed(found.values()))


def _coming(recipe: Recipe, there: dict[str, str], store: Store, notes: list[str]) -> list[StepFacts]:
    """Steps of the recipe without a result: in the making where the store has a working folder, else waiting."""
    if set(recipe.steps) <= set(there):
        return []
    try:
        plan = make_plan(recipe, store)
        changed = [p.name for p in plan if there.get(p.name, p.fingerprint) != p.fingerprint]
        problem = f"the sources or methods of {changed[0]} are others here than they were" if changed else ""
    except InputError as error:
        problem = str(error).splitlines()[0]
    if problem:
        notes.append(f"What is in the making cannot be told: {problem}.")
        left = {name: next(iter(body)) for name, body in recipe.steps.items() if name not in there}
        return [StepFacts(name, function, "", "", "waiting") for name, function in left.items()]
    found = []
    for planned in plan:
        if planned.name in there:
            continue
        folder = store.root / "unfinished" / store.path(planned.step.name, planned.fingerprint).name
        found.append(
            StepFacts(
                planned.name,
                planned.step.name,
                planned.step.gives.kind,
                planned.fingerprint,
                "unfinished" if folder.is_dir() else "waiting",
                implicit=planned.implicit,
                parameters=planned.canonical,
                inputs=[reference.fingerprint for reference in planned.inputs.values()],
                folder=folder if folder.is_dir() else None,
            )
        )
    return found


def _sources(value: Any, name: str = "") -> Iterator[SourceFiles]:
    """Paths with the hash of their contents, wherever they stand, and readers that say what they have read."""
    if isinstance(value, list):
        for item in value:
            yield from _sources(item, name)
    elif isinstance(value, dict):
        if set(value) == {"path", "contents"}:
            yield SourceFiles(ends(str(value["path"])), str(value["contents"]))
        elif isinstance(value.get("inputs"), str):
            yield SourceFiles(name, value["inputs"])
        else:
            for key, item in value.items():
                yield from _sources(item, str(key))
