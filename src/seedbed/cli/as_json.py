"""The option `--json`, and what it prints."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from seedbed.core.files import finite

JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON.")]


def print_json(value: Any) -> None:
    """A value as JSON; numbers that are not finite, which JSON does not have, as null."""
    import json

    typer.echo(json.dumps(finite(value), indent=2, ensure_ascii=False, allow_nan=False))
