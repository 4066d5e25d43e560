"""Generated corpora in a store, made once."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from seedbed.core.artifact import Artifact
from seedbed.core.step import steps
from seedbed.corpus.artifact import Corpus
from seedbed.corpus.documents import Document
from seedbed.recipe.execute import workspace
from seedbed.worlds import Truth, worlds


def told(world: Any, seed: int = 1) -> tuple[dict[str, Document], dict[str, list[dict[str, Any]]]]:
    """Documents by id and truth by file, in memory."""
    documents: dict[str, Document] = {}
    truth: dict[str, list[dict[str, Any]]] = {}
    for item in world.stream(seed):
        if isinstance(item, Truth):
            truth.setdefault(item.file, []).append(item.row)
        else:
            assert item.id not in documents
            documents[item.id] = item
    return documents, truth


def made(name: str, seed: int = 1, **parameters: Any) -> tuple[dict[str, Document], dict[str, list[dict[str, Any]]]]:
    return told(worlds.create(name, **parameters), seed)


def rows(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf8").splitlines()]


def texts_of(corpus: Corpus, *splits: str) -> dict[str, str]:
    return {row["id"]: row["text"] for split in splits or corpus.splits() for row in corpus.documents(split)}


class Workshop:
    """Runs steps in one store."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def __call__(self, step: str, **parameters: Any) -> Any:
        with workspace(self.root):
            artifact: Artifact = steps.step(step)(**parameters)
        return artifact


@pytest.fixture(scope="session")
def run(tmp_path_factory: pytest.TempPathFactory) -> Workshop:
    return Workshop(tmp_path_factory.mktemp("runs"))


@pytest.fixture(scope="session")
def facts(run: Workshop) -> Corpus:
    corpus: Corpus = run("generate", world={"facts": {"documents": 300}}, split={"test": 0.2}, seed=5)
    return corpus


@pytest.fixture(scope="session")
def helpers() -> Any:
    """The functions above, for test modules, which cannot import from here."""
    return SimpleNamespace(told=told, made=made, rows=rows, texts_of=texts_of)
