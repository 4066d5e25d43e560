"""`seedbed papers`: what the papers claim, which of their methods run, and what the studies said."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from .as_json import JsonOption, print_json

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from rich.console import Console

    from seedbed.papers.catalogue import Paper

app = typer.Typer(help="Browse the catalogue of papers: claims, methods, evidence.")


@app.callback(invoke_without_command=True)
def papers(
    context: typer.Context,
    family: Annotated[str | None, typer.Option(help="List the papers of one family, such as objective.")] = None,
    modality: Annotated[str | None, typer.Option(help="List the papers of one modality, such as text.")] = None,
    status: Annotated[str | None, typer.Option(help="List the planned, runs, or checked ones.")] = None,
    as_json: JsonOption = False,
) -> None:
    """Count the papers by family, status and verdict; with an option, list them."""
    if context.invoked_subcommand is not None:
        return
    from seedbed.papers.catalogue import STATUSES, load_catalogue

    found = list(load_catalogue().values())
    wanted = {"family": family, "modality": modality, "status": status}
    for name, value in wanted.items():
        if value is not None:
            known = STATUSES if name == "status" else {getattr(paper, name) for paper in load_catalogue().values()}
            _check(name, value, known)
            found = [paper for paper in found if getattr(paper, name) == value]
    if not any(wanted.values()):
        _count(found, as_json)
    elif as_json:
        print_json([paper.row() for paper in found])
    else:
        _list(found)


@app.command()
def show(
    paper: Annotated[str, typer.Argument(help="The paper's number, such as 29.")],
    as_json: JsonOption = False,
) -> None:
    """Show one paper: its claim, how to run its method, and the evidence."""
    from rich.console import Console

    from seedbed.papers.catalogue import find_component, find_paper

    found = find_paper(paper)
    if as_json:
        from .browse import parameter_rows

        methods = {name: find_component(name) for name in found.implemented_by}
        parameters = {name: parameter_rows(entry) for name, entry in methods.items() if entry is not None}
        print_json({**found.row(), "parameters": parameters, "results": found.results})
        return
    console = Console(highlight=False)
    console.print(f"{found.id}  {found.title}", style="bold", markup=False)
    console.print(f"{found.kind}; family {found.family}; modality {found.modality}; {found.status}\n", markup=False)
    console.print(f"{found.summary}\n\nclaim: {found.claim}", markup=False)
    _print_methods(console, found)
    _print_evidence(console, found)


@app.command()
def search(
    query: Annotated[str, typer.Argument(help="What you have and what you want, in your own words.")],
    limit: Annotated[int, typer.Option(min=1, help="How many papers.")] = 10,
    as_json: JsonOption = False,
) -> None:
    """Find papers for a question; nothing leaves this machine."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    from seedbed.papers.search import search as search_papers

    hits = search_papers(query, limit)
    if as_json:
        print_json([{**hit.paper.row(), "score": round(hit.score, 3), "matched": hit.matched} for hit in hits])
        return
    table = Table.grid(padding=(0, 2))
    for hit in hits:
        why = "; ".join(f"{word} ({', '.join(fields)})" for word, fields in hit.matched.items())
        table.add_row(Text(hit.paper.id, "bold"), Text(hit.paper.title, "bold"))
        table.add_row("", Text(hit.paper.summary))
        table.add_row("", Text(f"{hit.paper.status}; matches {why}", "dim"))
    Console().print(table if hits else "no paper has any of these words")


def _count(papers: list[Paper], as_json: bool) -> None:
    from seedbed.papers.catalogue import STATUSES, VERDICTS

    def counts(of: list[Paper]) -> dict[str, int]:
        by_status: dict[str, int] = {status: sum(paper.status == status for paper in of) for status in STATUSES}
        by_verdict = {verdict: sum(verdict in paper.verdicts for paper in of) for verdict in VERDICTS}
        return {"papers": len(of), **by_status, **by_verdict}

    families = sorted({paper.family for paper in papers})
    rows = {family: counts([paper for paper in papers if paper.family == family]) for family in families}
    total = counts(papers)
    if as_json:
        print_json({**total, "families": rows})
        return
    from rich.console import Console
    from rich.table import Table

    shown = [name for name, number in total.items() if number or name in STATUSES]
    table = Table(box=None, padding=(0, 1, 0, 0))
    table.add_column("family", no_wrap=True)
    for name in shown:
        table.add_column(name, justify="right")
    for family, row in {**rows, "all": total}.items():
        table.add_row(family, *(str(row[name] or "") for name in shown))
    Console().print(table)


def _list(papers: Iterable[Paper]) -> None:
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    table = Table("id", "status", "verdict", "title", box=None)
    for paper in papers:
        table.add_row(paper.id, paper.status, ", ".join(paper.verdicts), escape(paper.title))
    Console().print(table)


def _print_methods(console: Console, paper: Paper) -> None:
    from rich.padding import Padding
    from rich.text import Text

    from seedbed.papers.catalogue import find_component

    from .browse import parameter_table

    for name in paper.implemented_by:
        entry = find_component(name)
        console.print(f"\n{name}", style="bold", markup=False)
        if name.startswith("study "):
            _print_study(console, paper, name.removeprefix("study "))
        elif entry is None:
            console.print(f"  recipes/{name.removeprefix('recipe ')}.yaml", markup=False)
        else:
            console.print(Padding(Text(entry.summary), (0, 2), expand=False))
            console.print(Padding(parameter_table(entry), (0, 1), expand=False))
    if not paper.implemented_by:
        console.print("\nmethod: nothing here runs it yet")


def _print_study(console: Console, paper: Paper, stem: str) -> None:
    """A paper whose method is a plan of steps that are here: the recipe to copy, and the arms that say what to vary."""
    import yaml

    (file,) = (study for study in paper.studies if study.stem == stem)
    study = yaml.safe_load(file.read_text(encoding="utf8"))
    for line in (
        f"{study['title']}: a recipe of steps that are here, to be run or copied",
        f"recipe: {file.parent / study['recipe']}",
        f"arms:   {', '.join(study['arms'])}",
        f"run it: seedbed check {stem}   (what it would do: --plan)",
    ):
        console.print(f"  {line}", markup=False, soft_wrap=True)


def _print_evidence(console: Console, paper: Paper) -> None:
    from .compare import print_result

    console.print()
    for study in paper.studies:
        console.print(f"study: {study} (seedbed check {study.stem})", markup=False, soft_wrap=True)
    if not paper.studies:
        console.print(f"planned check: {paper.check}", markup=False)
    if paper.hard:
        console.print(f"not to be shown at small scale: {paper.hard}", markup=False)
    for result in paper.results:
        console.print()
        print_result(result)
        console.print(f"rule: {result['rule']}", markup=False)
        console.print(f"command: {result['command']}, finished {result['finished']}", markup=False)


def _check(option: str, value: str, known: Collection[str]) -> None:
    from seedbed.core.errors import unknown_key

    if value not in known:
        raise unknown_key(f"--{option}", value, known, option)
