"""`seedbed lexicon`: how well two languages' word vectors translate words, by each way of aligning them."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from .as_json import JsonOption, print_json
from .build import RunsOption

_PLACE = "a file of vectors (word2vec, fastText, GloVe), or a step's result: word vectors, or a corpus to train them on"


def lexicon(
    source: Annotated[str, typer.Argument(help=f"The language that is translated: {_PLACE}.")],
    target: Annotated[str, typer.Argument(help="The language that it is translated into, likewise.")],
    dictionary: Annotated[str, typer.Argument(help="Lines of a word, a tab, a translation; or JSON lines.")],
    methods: Annotated[
        str, typer.Option(help="Of none, procrustes, refined; with commas.")
    ] = "none,procrustes,refined",
    pairs: Annotated[
        str | None, typer.Option(help="Sizes of the training dictionary, such as 100,1000,5000; by default all of it.")
    ] = None,
    words: Annotated[
        int | None,
        typer.Option(help="How many words of each side are read; by default 200,000 of a file, 30,000 of a corpus."),
    ] = None,
    fields: Annotated[str, typer.Option(help="Of JSON lines: a word's field, its translations'.")] = "source,target",
    reverse: Annotated[bool, typer.Option("--reverse", help="The dictionary's second language is the source.")] = False,
    test_share: Annotated[float, typer.Option(help="The share of the dictionary's words kept for the test.")] = 0.2,
    neighbors: Annotated[int, typer.Option(help="Of CSLS.")] = 10,
    candidates: Annotated[int, typer.Option(help="Only so many frequent target words are searched; 0: all.")] = 0,
    seed: Annotated[int, typer.Option(help="Of what is kept for the test, and of the bootstrap.")] = 0,
    runs: RunsOption = Path("runs"),
    as_json: JsonOption = False,
) -> None:
    """Align two languages' word vectors by a dictionary, and measure how many other words they translate rightly:
    precision at 1, 5 and 10 with 95% intervals, by the nearest neighbor and by CSLS."""
    from seedbed.core.errors import InputError
    from seedbed.recipe.execute import Workspace, run_plan
    from seedbed.recipe.plan import make_plan
    from seedbed.vectors.benchmark import Benchmark, recipe_of, result_of

    named = _split(fields)
    if len(named) != 2:
        raise InputError("--fields", "two names are wanted", value=fields, fix="--fields en,de")
    benchmark = Benchmark(
        (source, target),
        dictionary,
        methods=_split(methods),
        pairs=[_size(text) for text in _split(pairs or "")],
        words=words,
        fields=(named[0], named[1]),
        reverse=reverse,
        test_share=test_share,
        neighbors=neighbors,
        candidates=candidates,
        seed=seed,
    )
    place, recipe = Workspace(runs), recipe_of(benchmark)
    plan = make_plan(recipe, place.store)
    made = run_plan(plan, say=lambda line: typer.echo(line, err=True), links=place.folder(recipe))
    result = result_of(benchmark, made)
    if as_json:
        print_json(result)
        return
    _print(result)
    typer.echo(f"what was said instead: {place.folder(recipe)}/*-scores/items/lexicon.parquet")


def _split(text: str) -> list[str]:
    return [part.strip() for part in text.split(",") if part.strip()]


def _size(text: str) -> int:
    from seedbed.core.errors import InputError

    if not text.isdigit() or not int(text):
        raise InputError("--pairs", "is no size of a dictionary", value=text, allowed="such as 100,1000,5000")
    return int(text)


def _print(result: dict[str, Any]) -> None:
    """A row for each way of aligning, size of the dictionary and way of retrieval."""
    from rich.console import Console
    from rich.table import Table

    from seedbed.evaluate.summary import number, span

    ranks = [name for name in result["rows"][0] if name.startswith("precision_")]
    table = Table("alignment", "pairs", "retrieval", *(f"P@{name.rpartition('_')[2]}" for name in ranks), box=None)
    table.add_column("seconds", justify="right")
    for row in result["rows"]:
        cells = [f"{number(row[name]['mean'])} {span(row[name])}" for name in ranks]
        pairs = "" if row["pairs"] is None else f"{row['pairs']:,}"
        table.add_row(row["method"], pairs, row["retrieval"], *cells, f"{row['seconds']:.1f}")
    Console().print(table)
    sizes = [f"{result[name]:,}" for name in ("source_words", "target_words", "dimensions")]
    typer.echo(f"vectors: {sizes[0]} source words, {sizes[1]} target words, {sizes[2]} dimensions")
    share = f"{result['covered']:,} ({result['coverage']:.1%})"
    typer.echo(
        f"test: {result['test_words']:,} words; {share} have a vector, and a translation that has one:"
        " precision, with 95% intervals, is of these"
    )
    short = sorted({row["wanted_pairs"] for row in result["rows"] if (row["wanted_pairs"] or 0) > (row["pairs"] or 0)})
    if short:
        typer.echo(f"fewer pairs than asked for: {', '.join(map(str, short))}; no more have vectors on both sides")
