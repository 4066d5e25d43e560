"""`seedbed doctor`: what this machine has and can do, and whether the store is whole."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def doctor(
    runs: Annotated[Path, typer.Option(help="The folder for results.", envvar="SEEDBED_RUNS")] = Path("runs"),
    verify: Annotated[bool, typer.Option("--verify", help="Also read every artifact and compare its hashes.")] = False,
) -> None:
    """Print versions, processor, numerics, disk and extras, and check the artifacts in the store."""
    import importlib.util
    import shutil

    from seedbed.core.machine import machine, versions

    for package, version in versions().items():
        typer.echo(f"{package:14} {version}")
    facts = machine()
    typer.echo(f"{'processor':14} {facts.get('processor')} ({facts['cores']} usable cores, {facts['architecture']})")
    typer.echo(f"{'vector units':14} {' '.join(facts.get('flags', [])) or 'none known'}")
    typer.echo(f"{'memory':14} {facts.get('memory_gib', '?')} GiB")
    place = next(folder for folder in (runs, *runs.resolve().parents) if folder.exists())
    typer.echo(f"{'disk':14} {shutil.disk_usage(place).free / 2**30:.0f} GiB free for {runs}")
    import torch

    from seedbed.train.precision import choose

    torch.set_num_threads(facts["cores"])
    typer.echo(f"{'numerics':14} {choose('auto', torch.device('cuda' if torch.cuda.is_available() else 'cpu'))}")
    for extra, package in (("hf", "transformers"), ("html", "resiliparse")):
        there = importlib.util.find_spec(package) is not None
        typer.echo(f"{'extra ' + extra:14} {'there' if there else f'missing: pip install seedbed[{extra}]'}")
    _check_store(runs, verify)


def _check_store(runs: Path, verify: bool) -> None:
    from seedbed.core.artifact import MANIFEST, open_any
    from seedbed.core.errors import InputError
    from seedbed.core.step import steps

    steps.load()
    folders = sorted(path.parent for path in (runs / "store").glob(f"*/{MANIFEST}"))
    damaged = 0
    for folder in folders:
        try:
            problems = open_any(folder).problems(contents=verify)
        except InputError as error:
            problems = [str(error)]
        for problem in problems:
            typer.echo(f"damaged: {folder}: {problem}")
        damaged += bool(problems)
    typer.echo(f"{'store':14} {len(folders)} artifacts, {damaged} damaged{'' if verify else ' (sizes only; --verify)'}")
    if damaged:
        raise typer.Exit(1)
