"""`seedbed compare` and `seedbed check`: which arm is better, and does a paper's claim hold."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from .build import OverridesArgument, RunsOption

if TYPE_CHECKING:
    from seedbed.compare.comparison import Comparison

JobsOption = Annotated[int, typer.Option(help="How many steps to run side by side, each on its part of the cores.")]
PlanOption = Annotated[bool, typer.Option("--plan", help="Only say what is to be made, and how long that takes here.")]


def compare(
    file: Annotated[Path, typer.Argument(help="A comparison, or with --arm and --metric a recipe (YAML).")],
    overrides: OverridesArgument = None,
    arm: Annotated[list[str] | None, typer.Option(help="An arm: 'NAME: PATH=VALUE; PATH=VALUE'.")] = None,
    metric: Annotated[str | None, typer.Option(help="STEP.TASK.METRIC, or STEP.COUNT.")] = None,
    equal: Annotated[str, typer.Option(help="What --arm's must have equal: tokens, steps, flops, seconds, none.")] = (
        "tokens"
    ),
    seeds: Annotated[int | None, typer.Option(help="How many paired seeds.")] = None,
    jobs: JobsOption = 1,
    plan: PlanOption = False,
    runs: RunsOption = Path("runs"),
) -> None:
    """Run arms of a recipe with paired seeds, and say how they differ, with intervals. An interrupted one goes on."""
    import dataclasses

    from seedbed.compare.comparison import load_comparison

    comparison = _from_options(file, arm, metric, equal) if arm else load_comparison(file)
    comparison = dataclasses.replace(
        comparison,
        recipe=comparison.recipe.overridden(overrides or []),
        seeds=seeds or comparison.seeds,
    )
    if plan:
        _print_plan(comparison, runs)
    else:
        _run(comparison, runs, jobs, None)


def check(
    studies: Annotated[
        list[str] | None,
        typer.Argument(help="Papers' numbers or studies' names; and changes of their recipes, as PATH=VALUE."),
    ] = None,
    quick: Annotated[bool, typer.Option("--quick", help="Only see that it works: small, on made-up data.")] = False,
    changed: Annotated[
        bool, typer.Option("--changed", help="List the studies whose code or recipe changed since their result.")
    ] = False,
    record: Annotated[bool, typer.Option("--record", help="Write the result into the package's own ledger.")] = False,
    jobs: JobsOption = 1,
    plan: PlanOption = False,
    runs: RunsOption = Path("runs"),
) -> None:
    """Run studies, papers' claims at small scale, and write the verdicts to the ledger."""
    from seedbed.core.errors import InputError
    from seedbed.papers.ledger import result_path, stale
    from seedbed.papers.study import LEDGER, load_study, study_files

    names = [text for text in studies or [] if "=" not in text]
    overrides = [text for text in studies or [] if "=" in text]
    files = study_files(names)
    if changed:
        for path in files:
            for reason in stale(path.stem):
                typer.echo(f"{path.stem}: {reason}")
        return
    if not names:
        raise InputError("", "name the studies to run", allowed=[path.stem for path in files])
    if quick and record:
        raise InputError("--record", "a quick run is no evidence", fix="leave out one of the two")
    for path in files:
        folder = LEDGER if record else runs / "ledger"
        target = runs / "ledger" / f"{path.stem}-quick.json" if quick else result_path(path.stem, folder)
        study = load_study(path, quick=quick, overrides=overrides)
        if plan:
            _print_plan(study, runs)
        else:
            _run(study, runs, jobs, target, quick=quick)


def _run(comparison: Comparison, runs: Path, jobs: int, path: Path | None, *, quick: bool = False) -> None:
    from seedbed.compare.run import compare as run_comparison
    from seedbed.recipe.execute import Workspace

    result = run_comparison(comparison, Workspace(runs), processes=jobs, say=typer.echo, path=path, quick=quick)
    print_result(result)
    typer.echo(f"result: {path or runs / 'comparisons' / f'{comparison.name}.json'}")


def _print_plan(comparison: Comparison, runs: Path) -> None:
    from rich.console import Console
    from rich.table import Table

    from seedbed.compare.arms import arm_runs
    from seedbed.compare.forecast import forecast
    from seedbed.compare.run import foresight
    from seedbed.recipe.execute import Workspace

    from .build import duration_text

    rows = forecast(arm_runs(comparison, Workspace(runs), typer.echo, make=False))
    table = Table("step", "function", "to make", "time", box=None)
    for row in rows:
        part = f" ({row.estimated} of them)" if 0 < row.estimated < row.number else ""
        time = duration_text(row.seconds) + part if row.estimated else ""
        table.add_row(row.step, row.function, str(row.number), time)
    console = Console()
    console.print(comparison.title or comparison.name, markup=False, highlight=False)
    console.print(table)
    number, estimated = sum(row.number for row in rows), sum(row.estimated for row in rows)
    typer.echo(
        f"{number} steps to make"
        + (f", about {duration_text(sum(row.seconds for row in rows))}" if estimated else "")
        + (f" (no estimate for {number - estimated})" if estimated < number else "")
    )
    for line in foresight(comparison):
        typer.echo(line)


def _from_options(file: Path, arms: list[str], metric: str | None, equal: str) -> Comparison:
    from seedbed.compare.comparison import parse_comparison
    from seedbed.core.errors import InputError
    from seedbed.recipe.recipe import parsed_override

    if metric is None:
        raise InputError("--metric", "is required with --arm", fix="--metric STEP.TASK.METRIC")
    found: dict[str, Any] = {}
    for text in arms:
        name, _, changes = text.partition(":")
        pairs = [parsed_override(part.strip()) for part in changes.split(";") if part.strip()]
        found[name.strip()] = dict(pairs)
    return parse_comparison({"recipe": file.name, "arms": found, "metric": metric, "equal": equal}, file)


def print_result(result: dict[str, Any]) -> None:
    """Arms with intervals and cost, differences from the reference, and the verdict."""
    from rich.console import Console
    from rich.table import Table

    console = Console()
    metrics = list(result["metrics"])
    table = Table("arm", "metric", "mean and 95% interval", "tokens", "FLOPs", "seconds", box=None)
    for name, arm in result["arms"].items():
        cost = [_amount(arm["cost"][what]) for what in ("tokens", "flops", "seconds")]
        for metric in metrics:
            first = metric == metrics[0]
            table.add_row(name if first else "", metric, _span(arm["summary"][metric]), *(cost if first else []))
    console.print(result["title"] or result["name"], markup=False, highlight=False)
    console.print(table)
    table = Table("difference", "metric", "mean and 95% interval", "relative", "d_z", box=None)
    for row in result["differences"]:
        relative = "" if row["relative"] is None else f"{100 * row['relative']:+.1f}%"
        size = "" if row["effect_size"] is None else f"{row['effect_size']:+.2f}"
        table.add_row(f"{row['first']} - {row['second']}", row["metric"], _span(row["difference"]), relative, size)
    console.print(table)
    typer.echo(f"{len(result['seeds'])} paired seeds; intervals: Student's t over seeds; equal: {result['equal']}")
    for row in result["contrasts"]:
        typer.echo(f"{row['statement']}: {row['outcome']}, difference {_span(row['difference'])}")
    if result["verdict"]:
        typer.echo(f"verdict: {result['verdict']}{' (a quick run is no evidence)' if result['quick'] else ''}")


def _span(entry: dict[str, Any]) -> str:
    ends = "" if entry["low"] is None else f" [{entry['low']:.4g}, {entry['high']:.4g}]"
    return f"{entry['mean']:.4g}{ends}"


def _amount(value: float | None) -> str:
    return "" if value is None else f"{value:.3g}"
