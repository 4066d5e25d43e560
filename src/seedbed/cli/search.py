"""`seedbed search`: the best point of a space of configurations."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from .as_json import JsonOption, print_json
from .build import OverridesArgument, RunsOption

_SHOWN = 5


def search(
    file: Annotated[Path, typer.Argument(help="A search (YAML): recipe, space, metric, searcher, evaluations.")],
    overrides: OverridesArgument = None,
    evaluations: Annotated[int | None, typer.Option(help="How many points to evaluate.")] = None,
    seed: Annotated[int | None, typer.Option(help="Of the searcher's draws.")] = None,
    runs: RunsOption = Path("runs"),
    as_json: JsonOption = False,
) -> None:
    """Find the best point of a space of a recipe's settings; an interrupted search goes on."""
    from seedbed.core.files import storage_errors, write_bytes, write_json
    from seedbed.recipe.execute import Workspace, run_plan
    from seedbed.recipe.plan import make_plan
    from seedbed.search.file import load_search

    recipe, name = load_search(file, overrides or [], {"evaluations": evaluations, "seed": seed})
    place = Workspace(runs)
    made = run_plan(make_plan(recipe, place.store, [name]), say=lambda line: typer.echo(line, err=as_json))[name]
    result, folder = {**made.result(), "counts": made.counts}, runs / "searches"  # type: ignore[attr-defined]
    with storage_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)
        write_json(folder / f"{name}.json", result)
        if (made.path / "best.yaml").is_file():
            write_bytes(folder / f"{name}-best.yaml", (made.path / "best.yaml").read_bytes())
    if as_json:
        print_json(result)
        return
    _print(result)
    typer.echo(f"result: {folder / f'{name}.json'}")


def _print(result: dict[str, Any]) -> None:
    """The best points, and what was refused."""
    from rich.console import Console
    from rich.table import Table

    known = [row for row in result["points"] if row["value"] is not None]
    known.sort(key=lambda row: row["value"], reverse=result["goal"] == "most")
    paths = list(result["space"])
    table = Table("point", "value", "parameters", *(path.split(".")[-1] for path in paths), box=None)
    for row in known[:_SHOWN]:
        size = "" if row["parameters"] is None else f"{row['parameters']:,.0f}"
        values = [str(row["values"][path]) for path in paths]
        table.add_row(str(row["number"]), f"{row['value']:.4g}", size, *values)
    Console().print(table)
    counts = result["counts"]
    seconds = f", {counts['seconds']:.0f} s of training" if "seconds" in counts else ""
    typer.echo(
        f"{counts['evaluated']} points evaluated{seconds}; {counts['diverged']} diverged, {counts['refused']} refused"
    )
    if "confirmed" in counts:
        typer.echo(f"the best one with other seeds: {counts['confirmed']:.4g}")
