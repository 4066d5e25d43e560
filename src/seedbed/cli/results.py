"""`seedbed export`, and how scores look in a terminal."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from seedbed.core.artifact import Artifact

_INTERNAL = ("manifest.json", "checkpoints")


def export(
    artifact: Annotated[Path, typer.Argument(help="A step's result, such as runs/quickstart/encoder.")],
    target: Annotated[Path, typer.Argument(help="The folder to write; it must not exist.")],
) -> None:
    """Copy a result to a folder that needs nothing of Seedbed: a model or tokenizer as Hugging Face has them
    (embeddings that are coordinates over primitives are multiplied out), a corpus as JSON Lines (zst), scores as
    CSV."""
    from seedbed.core.artifact import open_any
    from seedbed.core.errors import InputError
    from seedbed.core.files import storage_errors
    from seedbed.core.step import steps

    steps.load()  # the kinds of artifacts
    found = open_any(artifact)
    problems = found.problems(contents=True)
    if problems:
        raise InputError(str(artifact), f"the artifact is damaged: {'; '.join(problems)}")
    if target.exists():
        raise InputError(str(target), "exists already", fix="choose a folder that does not exist")
    with storage_errors(target):
        if found.kind == "corpus":
            _export_corpus(found, target)
        elif found.kind == "scores":
            _export_scores(found, target)
        else:
            shutil.copytree(found.path, target, ignore=lambda _, names: [n for n in names if n in _INTERNAL])
            if found.kind == "model":
                _multiply_out(target)
    typer.echo(f"wrote {target}")


def _export_corpus(artifact: Artifact, target: Path) -> None:
    import json

    import zstandard

    from seedbed.corpus.artifact import Corpus

    corpus = Corpus.open(artifact.path)
    target.mkdir(parents=True)
    for split in corpus.splits():
        with (target / f"{split}.jsonl.zst").open("wb") as raw, zstandard.ZstdCompressor().stream_writer(raw) as file:
            for document in corpus.documents(split):
                row = {**document, "metadata": json.loads(document["metadata"] or "{}")}
                file.write((json.dumps(row, ensure_ascii=False) + "\n").encode())


def _export_scores(artifact: Artifact, target: Path) -> None:
    import pyarrow.csv
    import pyarrow.parquet

    target.mkdir(parents=True)
    pyarrow.csv.write_csv(pyarrow.parquet.read_table(artifact.path / "scores.parquet"), target / "scores.csv")
    shutil.copy(artifact.path / "summary.json", target / "summary.json")


def _multiply_out(folder: Path) -> None:
    """Whole embeddings in the place of coordinates over primitives, which no class of Hugging Face has."""
    from seedbed.models.huggingface import read_architecture, read_network
    from seedbed.models.save import retell

    if read_architecture(folder)[1].primitives is None:
        return
    from seedbed.surgery.vocabulary.factors import multiplied

    network = read_network(folder)
    plain = multiplied(network)
    plain.save(folder)
    retell(folder, network, plain)


def print_scores(name: str, artifact: Artifact) -> None:
    """A table of tasks, systems and metrics with intervals."""
    from rich.console import Console
    from rich.table import Table

    from seedbed.evaluate.artifact import Scores

    assert isinstance(artifact, Scores)
    table = Table("task", "system", "metric", "mean", "95% interval", "seeds", title=name, box=None)
    for row in artifact.table():
        table.add_row(*map(str, row))
    Console().print(table)
