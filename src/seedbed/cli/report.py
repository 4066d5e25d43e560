"""`seedbed report`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def report(
    path: Annotated[
        Path,
        typer.Argument(help="A run's folder, such as runs/quickstart, or the JSON file of a comparison or search."),
    ],
    out: Annotated[Path | None, typer.Option(help="The file to write; by default RUN/report.html.")] = None,
    open_it: Annotated[bool, typer.Option("--open", help="Open it in the browser.")] = False,
) -> None:
    """Write one HTML file that explains a run, a comparison or a search; it needs no network."""
    from seedbed.report import write_report

    written = write_report(path, out)
    typer.echo(f"wrote {written}")
    if open_it:
        typer.launch(str(written.resolve()))
