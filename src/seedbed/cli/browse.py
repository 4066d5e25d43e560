"""`seedbed list` and `seedbed show`: what there is to put into a recipe."""

from __future__ import annotations

from typing import Annotated

import typer


def list_methods(
    registry: Annotated[str | None, typer.Argument(help="One registry, such as objectives.")] = None,
) -> None:
    """List the methods of one registry, or the registries."""
    from rich.console import Console
    from rich.table import Table

    from seedbed import registries

    if registry is None:
        table = Table("registry", "methods", "about", box=None)
        for name in registries.names():
            found = registries.registry(name)
            table.add_row(name, ", ".join(found.names()), found.about)
    else:
        table = Table("name", "papers", "summary", box=None)
        for entry in registries.registry(registry):
            table.add_row(entry.name, " ".join(entry.papers), entry.summary)
    Console().print(table)


def show(
    registry: Annotated[str, typer.Argument(help="The registry, such as objective.")],
    name: Annotated[str, typer.Argument(help="The method, such as mlm.")],
) -> None:
    """Explain one method: what it does, its parameters with types and defaults, its papers, its file."""
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    from seedbed import registries
    from seedbed.core.schema import canonical_value, parameters_of, type_name

    entry = registries.registry(registry).get(name)
    console = Console()
    console.print(f"[bold]{entry.name}[/bold]  ({registries.registry(registry).role}, version {entry.version})\n")
    console.print(escape(entry.doc), highlight=False)
    table = Table("parameter", "type", "default", box=None)
    for parameter in parameters_of(entry.target):
        default = "required" if parameter.required else str(canonical_value(parameter.default))
        table.add_row(parameter.name, type_name(parameter.annotation), default)
    console.print()
    console.print(table)
    console.print(f"\npapers: {', '.join(entry.papers) or 'none'}", highlight=False)
    console.print(f"code:   {entry.target.__module__}", highlight=False)
    if entry.extra is not None:
        console.print(f"needs:  pip install 'seedbed\\[{entry.extra[1]}]'", highlight=False)
