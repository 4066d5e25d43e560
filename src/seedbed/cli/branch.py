"""`seedbed branch`: a new run that begins at a step of a finished one."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from seedbed.core.artifact import Artifact
    from seedbed.recipe.recipe import Recipe


def branch(
    run: Annotated[str, typer.Argument(help="A trained model and a step of it, such as runs/quickstart/encoder@1200.")],
    schedule: Annotated[str, typer.Option(help='The schedule, as in a recipe: linear, or "{linear: {end: 0.1}}".')],
    budget: Annotated[str, typer.Option(help="How long the branch trains, such as 2M tokens.")],
    overrides: Annotated[
        list[str] | None, typer.Argument(help="Other changes: PARAMETER=VALUE", metavar="[PATH=VALUE]...")
    ] = None,
    name: Annotated[str | None, typer.Option(help="The branch's name; by default MODEL-branch-STEP.")] = None,
) -> None:
    """Train on from a step of a run with another schedule, such as a cooldown; all else stays as it was."""
    from seedbed.core.artifact import open_any
    from seedbed.core.step import steps
    from seedbed.recipe.execute import Workspace, run_recipe

    steps.load()  # the kinds of artifacts
    path, _, where = run.rpartition("@") if "@" in run else (run, "@", "last")
    trunk = open_any(Path(path))
    recipe = branch_recipe(trunk, Path(path).name, where, schedule, budget, name).overridden(
        [f"branch.{change}" for change in overrides or []]
    )
    place = Workspace(trunk.path.resolve().parent.parent)
    made = run_recipe(recipe, place, say=typer.echo)
    typer.echo(f"results: {place.folder(recipe)}  ({made['branch'].path})")


def branch_recipe(trunk: Artifact, called: str, where: str, schedule: str, budget: str, name: str | None) -> Recipe:
    """The trunk's own step, with its inputs and sources by their paths, a new schedule and budget."""
    import yaml

    from seedbed.core.errors import InputError
    from seedbed.recipe.recipe import Recipe

    manifest = trunk.manifest or {}
    if manifest.get("step") != "pretrain":
        raise InputError("RUN", "is not a model that was trained here", value=str(trunk.path))
    if where != "last" and not where.isdigit():
        raise InputError("STEP", "is a number, or last", value=where, fix="RUN@1200")
    paths = {f"artifact:{made.fingerprint}": str(made.path.resolve()) for made in trunk.inputs()}

    def placed(value: Any) -> Any:
        if isinstance(value, dict):
            if value.keys() == {"path", "contents"}:  # a `Source`, with the hash that its files had
                return value["path"]
            return {placed(key): placed(item) for key, item in value.items()}
        if isinstance(value, list):
            return [placed(item) for item in value]
        if isinstance(value, str) and value.startswith("artifact:"):
            if value not in paths:
                raise InputError(str(trunk.path), "an input of it is gone", value=value, fix="run its recipe again")
            return paths[value]
        return value

    parameters = placed(manifest["parameters"])
    parameters |= {
        "model": str(trunk.path.resolve()),
        "tokenizer": None,
        "branch": where if where == "last" else int(where),
        "schedule": yaml.safe_load(schedule),
        "budget": budget,
    }
    return Recipe(name or f"{called}-branch-{where}", {"branch": {"pretrain": parameters}}, seed=parameters["seed"])
