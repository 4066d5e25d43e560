"""`seedbed new`, `plan`, `run`."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from .as_json import JsonOption, print_json

if TYPE_CHECKING:
    from seedbed.recipe.execute import Workspace
    from seedbed.recipe.plan import Plan, PlannedStep

RecipeArgument = Annotated[Path, typer.Argument(help="The recipe, a YAML file.")]
OverridesArgument = Annotated[
    list[str] | None, typer.Argument(help="Changes: STEP.FUNCTION.PARAMETER=VALUE", metavar="[PATH=VALUE]...")
]
RunsOption = Annotated[Path, typer.Option(help="The folder for results.", envvar="SEEDBED_RUNS")]


def new(
    folder: Annotated[Path, typer.Argument(help="The folder with your material.")],
    goal: Annotated[str, typer.Option(help="What to make: encoder or decoder.")] = "encoder",
    out: Annotated[Path | None, typer.Option(help="The recipe to write; by default FOLDER-GOAL.yaml.")] = None,
    size: Annotated[str, typer.Option(help="tiny, small or base; the default follows the amount of text.")] = "auto",
    force: Annotated[bool, typer.Option("--force", help="Write over an existing file.")] = False,
) -> None:
    """Write a commented recipe for a folder; it runs as it is."""
    from seedbed.core.errors import InputError
    from seedbed.recipe.template import write_recipe

    target = out or Path(f"{folder.resolve().name}-{goal}.yaml")
    if target.exists() and not force:
        raise InputError(str(target), "exists already", fix="--out another name, or --force")
    for line in write_recipe(folder, goal, size, target):
        typer.echo(line)
    typer.echo(f"wrote {target}\nnext: seedbed plan {target}; seedbed run {target}")


def plan(
    recipe: RecipeArgument,
    overrides: OverridesArgument = None,
    runs: RunsOption = Path("runs"),
    as_json: JsonOption = False,
) -> None:
    """Show what would run, what is there already, and what it would cost on this machine."""
    made, _ = _planned(recipe, overrides, runs)
    rows = [_row(made, planned) for planned in made]
    if as_json:
        print_json(rows)
        return
    from rich.console import Console
    from rich.table import Table

    table = Table("step", "function", "status", "tokens", "parameters", "FLOPs", "time", box=None)
    for row in rows:
        table.add_row(
            row["name"],
            row["function"],
            row["status"],
            _count(row["tokens"]),
            _count(row["parameters"]),
            f"{row['flops']:.1e}" if row["flops"] else "",
            duration_text(row["seconds"]),
        )
    Console().print(table)
    for row in rows:
        if row["notes"]:
            typer.echo(f"{row['name']}: {row['notes']}")
    waiting = [row["seconds"] for row in rows if row["status"] == "to run"]
    known = [seconds for seconds in waiting if seconds is not None]
    typer.echo(
        f"{len(waiting)} of {len(rows)} steps to run"
        + (f", about {duration_text(sum(known))}" if known else "")
        + (f" (no estimate for {len(waiting) - len(known)})" if len(known) < len(waiting) else "")
    )


def run(
    recipe: RecipeArgument,
    overrides: OverridesArgument = None,
    runs: RunsOption = Path("runs"),
    rebuild: Annotated[list[str] | None, typer.Option(help="Make this step anew ('all': every step).")] = None,
    only: Annotated[list[str] | None, typer.Option(help="Run this step, and what it needs, and no other.")] = None,
    engine: Annotated[
        str, typer.Option(help="Where corpora are made: native or ray.", envvar="SEEDBED_ENGINE")
    ] = "native",
) -> None:
    """Run a recipe: what is there already is taken, what was interrupted goes on."""
    from seedbed.recipe.execute import run_plan

    os.environ["SEEDBED_ENGINE"] = engine  # before Daft is imported, which takes its runner once in a process
    made, place = _planned(recipe, overrides, runs, only)
    artifacts = run_plan(made, say=typer.echo, rebuild=rebuild or (), links=place.folder(made.recipe))
    from .results import print_scores

    for planned in made:
        if planned.step.gives.kind == "scores":
            print_scores(planned.name, artifacts[planned.name])
    typer.echo(f"results: {place.folder(made.recipe)}")


def _planned(
    recipe: Path, overrides: list[str] | None, runs: Path, only: list[str] | None = None
) -> tuple[Plan, Workspace]:
    from seedbed.recipe.execute import Workspace
    from seedbed.recipe.plan import make_plan
    from seedbed.recipe.recipe import load_recipe

    place = Workspace(runs)
    return make_plan(load_recipe(recipe).overridden(overrides or []), place.store, only or None), place


def _row(made: Plan, planned: PlannedStep) -> dict[str, Any]:
    from seedbed.core.step import Estimate

    row: dict[str, Any] = {
        "name": planned.name,
        "function": planned.step.name,
        "status": "there" if planned.is_cached else "to run",
        "fingerprint": planned.fingerprint,
    }
    changed = f"its code has changed since; --rebuild {planned.name} makes it anew" if planned.code_changed else ""
    estimate = Estimate(notes=changed) if planned.is_cached else made.estimate(planned)
    costs = {name: getattr(estimate, name) for name in ("tokens", "parameters", "flops")}
    return {**row, **costs, "seconds": estimate.duration(), "notes": estimate.notes}


def _count(value: float | None) -> str:
    if value is None:
        return ""
    for limit, unit in ((1e9, "B"), (1e6, "M"), (1e3, "k")):
        if value >= limit:
            return f"{value / limit:.1f}{unit}"
    return f"{value:.0f}"


def duration_text(seconds: float | None) -> str:
    if seconds is None:
        return ""
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
