"""`seedbed regimes`: whether to raise or lower a training's temperature before pruning, and which model to prune."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from .as_json import JsonOption, print_json


def regimes(
    result: Annotated[Path, typer.Argument(help="A comparison's result: arms over a knob and a density, lmc and cka.")],
    hotter: Annotated[str | None, typer.Option(help="Whether a higher or a lower knob is hotter.")] = None,
    barrier: Annotated[float, typer.Option(min=0, help="Poorly connected: lmc below minus this.")] = 0.02,
    similar: Annotated[float | None, typer.Option(help="Similar: cka from this on; by default halfway.")] = None,
    as_json: JsonOption = False,
) -> None:
    """Sort a grid of pruned models into three regimes: raise, lower or keep the knob, and which model to prune."""
    from seedbed.compare.regimes import judge, read_grid
    from seedbed.core.errors import InputError

    if hotter not in (None, "higher", "lower"):
        raise InputError("--hotter", "is neither", value=hotter, allowed="higher, lower")
    found = judge(read_grid(result, hotter), barrier, similar)  # type: ignore[arg-type]
    if as_json:
        print_json(found)
    else:
        _print(found)


def _print(found: dict[str, Any]) -> None:
    from rich.console import Console
    from rich.table import Table

    console = Console()
    densities = [row["density"] for row in found["densities"]]
    table = Table(
        f"{found['knob'].rpartition('.')[2]}, from hot", *(f"density {density:g}" for density in densities), box=None
    )
    for value in reversed(found["values"]):
        cells = [cell for cell in found["cells"] if cell["value"] == value]
        table.add_row(str(value), *(f"{cell['loss']:.4g} {cell['regime']}" for cell in cells))
    console.print(table)
    typer.echo(
        f"loss and regime. I: lmc below -{found['barrier']:g}, poorly connected: raise the temperature; II-A: cka below"
        f" {found['similar']:.4g}: lower it; II-B: keep it\n"
    )
    table = Table("density", "raising the temperature", "change of the loss a step", "prune", "best", "lost", box=None)
    for row in found["densities"]:
        trend = row["trend"]
        span = f"{trend['mean']:+.4g} [{trend['low']:.3g}, {trend['high']:.3g}]"
        names = [str(row[name]) for name in ("chosen", "best")]
        table.add_row(f"{row['density']:g}", row["raising"], span, *names, f"{row['regret']:.4g}")
    console.print(table)
    told = [cell["right"] for cell in found["cells"] if cell["right"] is not None]
    typer.echo(f"the advice is right in {sum(told)} of the {len(told)} cells whose neighbors can tell")
