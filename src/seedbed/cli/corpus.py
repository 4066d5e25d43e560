"""`seedbed corpus`: questions to a finished corpus."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(help="Ask a finished corpus.", no_args_is_help=True)
Folder = Annotated[Path, typer.Argument(help="A finished corpus, such as runs/quickstart/corpus.")]


@app.callback()
def corpus() -> None:
    """Ask a finished corpus."""


@app.command()
def why(
    corpus: Folder,
    id1: Annotated[str, typer.Argument(help="The id of a document, kept or dropped.")],
    id2: Annotated[str, typer.Argument(help="The id of another one.")],
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Say whether two documents match, how similar they are, and what became of both."""
    import json
    from dataclasses import asdict

    from seedbed.core.step import steps
    from seedbed.corpus.artifact import Corpus
    from seedbed.corpus.why import compare, lines

    steps.load()  # the kinds of artifacts
    found = compare(Corpus.open(corpus), id1, id2)
    if as_json:
        typer.echo(json.dumps(asdict(found), ensure_ascii=False))
    else:
        for line in lines(found):
            typer.echo(line)


@app.command()
def explain(
    corpus: Folder,
    id: Annotated[str, typer.Argument(help="The id of a document, or FILE:LINE of a record, which may be unreadable.")],
    find: Annotated[bool, typer.Option("--find", help="Read the input again to tell file and line.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Tell one document's life: where it came from, what each step did with it, where it is now."""
    import json
    from dataclasses import asdict, replace

    from seedbed.core.step import steps
    from seedbed.corpus.artifact import Corpus
    from seedbed.corpus.explain import explain, lines, place_in

    steps.load()  # the kinds of artifacts
    opened = Corpus.open(corpus)
    life = explain(opened, id)
    if find and not life.place:
        life = replace(life, place=place_in(opened, life))
    if as_json:
        typer.echo(json.dumps(asdict(life), ensure_ascii=False))
    else:
        for line in lines(life):
            typer.echo(line)
