"""`seedbed ...`: the commands, and what their errors look like.

Exit codes: 0 done, 2 something that the user gave is wrong (one message, no traceback), 130 interrupted,
143 told to stop (a training run has saved before).
"""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from . import (
    branch,
    browse,
    build,
    compare,
    corpus,
    inspect,
    lexicon,
    machine,
    papers,
    regimes,
    report,
    results,
    search,
    suggest,
)

app = typer.Typer(
    name="seedbed",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
    help="From a folder of raw material to an evaluated pretrained model.",
)
app.command()(build.new)
app.command()(build.plan)
app.command()(build.run)
app.command()(branch.branch)
app.command()(compare.compare)
app.command()(compare.check)
app.command()(search.search)
app.command()(lexicon.lexicon)
app.command()(report.report)
app.command()(suggest.suggest)
app.command()(regimes.regimes)
app.add_typer(corpus.app, name="corpus")
app.add_typer(inspect.app, name="inspect")
app.add_typer(papers.app, name="papers")
app.command("list")(browse.list_methods)
app.command()(browse.show)
app.command()(results.export)
app.command()(machine.doctor)


@app.callback(invoke_without_command=True)
def about(
    version: Annotated[bool, typer.Option("--version", is_eager=True, help="Print the version and end.")] = False,
) -> None:
    if version:
        from seedbed import __version__

        typer.echo(f"seedbed {__version__}")
        raise typer.Exit


def main() -> None:
    """Run the command line; an error of the user's is one message and exit code 2."""
    from seedbed.core.errors import InputError

    try:
        app()
    except InputError as error:
        typer.secho(f"error: {error}", err=True, fg=typer.colors.RED)
        sys.exit(2)
    except KeyboardInterrupt:
        typer.echo("interrupted; the same command goes on from the last checkpoint", err=True)
        sys.exit(130)


if __name__ == "__main__":
    main()
