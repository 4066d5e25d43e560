"""`seedbed inspect`: a look into what a run has done."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from seedbed.train.batchlog import Passage

app = typer.Typer(help="Look into what a run has done.", no_args_is_help=True)


@app.callback()
def inspect() -> None:
    """Look into what a run has done."""


@app.command()
def batch(
    run: Annotated[
        Path, typer.Argument(help="A trained model, such as runs/quickstart/encoder, or its working folder.")
    ],
    step: Annotated[int, typer.Argument(help="The step, from 1.")],
    row: Annotated[int | None, typer.Option(help="Only this row of the batch, from 0.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print a line of JSON for each piece.")] = False,
) -> None:
    """Print the texts that one step was trained on, and the documents they come from."""
    import json

    from seedbed.core.errors import InputError
    from seedbed.core.step import steps
    from seedbed.train.batchlog import passages

    steps.load()  # the kinds of artifacts
    found = passages(run, step)
    if row is not None:
        rows = found[-1].row + 1 if found else 0
        if not 0 <= row < rows:
            allowed = f"0 to {rows - 1}" if rows else "none: the step drew no document"
            raise InputError("--row", "the batch has no such row", value=row, allowed=allowed)
        found = [passage for passage in found if passage.row == row]
    if as_json:
        for passage in found:
            typer.echo(json.dumps(asdict(passage), ensure_ascii=False))
    else:
        _print(found)


def _print(passages: list[Passage]) -> None:
    for passage in passages:
        place = f"tokens {passage.first} to {passage.first + passage.tokens - 1}"
        typer.secho(f"row {passage.row} · {passage.source}: {passage.document} · {place}", fg=typer.colors.CYAN)
        typer.echo(f"{passage.text}\n")
