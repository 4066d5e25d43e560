"""Helpers for this room: frames from plain documents, curation applied, corpora built without a recipe."""

from __future__ import annotations

import functools
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest

from seedbed.core.artifact import Artifact
from seedbed.core.schema import build_value, resolve
from seedbed.core.step import StepContext
from seedbed.corpus import curation, readers, scorers
from seedbed.corpus.artifact import Corpus
from seedbed.corpus.build import build_corpus
from seedbed.corpus.documents import COLUMNS, Unreadable
from seedbed.corpus.scoring import RECORD

Documents = dict[str, str]  # id -> text


def frame_of(documents: Documents | list[dict[str, str]], partitions: int = 1) -> Any:
    """A Daft frame as curation gets it."""
    import pyarrow as pa

    from seedbed.corpus.engine import daft

    rows = [{"id": id, "text": text} for id, text in documents.items()] if isinstance(documents, dict) else documents
    schema = pa.schema([(name, pa.string()) for name in COLUMNS])
    defaults = dict.fromkeys(COLUMNS, "") | {"metadata": "{}"}
    table = pa.Table.from_pylist([defaults | row for row in rows], schema=schema)
    size = -(-len(rows) // partitions) or 1
    parts = [daft.from_arrow(table.slice(start, size)) for start in range(0, max(len(rows), 1), size)]
    return functools.reduce(lambda a, b: a.concat(b), parts)


def tagged(method: Any, documents: Documents | list[dict[str, str]], partitions: int = 1) -> dict[str, dict[str, Any]]:
    """The rows that a curation step returns, by id."""
    from seedbed.corpus.engine import daft

    with daft.execution_config_ctx(default_morsel_size=128 * 1024 if partitions == 1 else 5):
        rows = method(frame_of(documents, partitions)).to_pylist()
    assert len({row["id"] for row in rows}) == len(rows)
    return {row["id"]: row for row in rows}


def dropped(method: Any, documents: Documents | list[dict[str, str]], partitions: int = 1) -> dict[str, str]:
    """id -> reason of what a curation step drops."""
    return {id: row["reason"] for id, row in tagged(method, documents, partitions).items() if row.get("reason")}


def built(registry: Any, name: str, **parameters: Any) -> Any:
    """A component as a plan would make it, artifacts opened."""
    component = registry.parse({name: parameters})
    return component.build(build_artifact=_opened)


def _opened(reference: Any) -> Artifact:
    """An artifact without a manifest, as a test made it."""
    return Artifact.kinds[reference.kind](reference.target)


def read(name: str, **parameters: Any) -> tuple[list[Any], list[Unreadable]]:
    """What a reader gives: documents, and what is unreadable."""
    items = list(built(readers, name, **parameters))
    broken = [item for item in items if isinstance(item, Unreadable)]
    return [item for item in items if not isinstance(item, Unreadable)], broken


def write_jsonl(path: Path, rows: list[dict[str, Any]]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf8")
    return path


@pytest.fixture
def make_corpus(tmp_path: Path) -> Callable[..., tuple[Corpus, dict[str, Any]]]:
    """Runs `build_corpus` as a recipe would; returns the corpus, without a manifest, and the counts."""

    def make(name: str = "corpus", **given: Any) -> tuple[Corpus, dict[str, Any]]:
        folder = tmp_path / "made" / name
        folder.mkdir(parents=True)
        context = StepContext(folder=folder, name=name, parameters={})
        parameters = resolve(build_corpus.function, given)
        build_corpus.function(context, **build_value(parameters, _opened))
        return Corpus(folder), context.counts

    return make


class LengthScorer:
    """A scorer for tests: characters, and the first word."""

    columns: ClassVar[dict[str, type]] = {"score": float, "first": str}

    def fit(self, folder: Path, say: Any) -> dict[str, Any]:
        return {"examples": 0}

    @staticmethod
    def load(folder: Path) -> LengthScorer:
        return LengthScorer()

    def score(self, texts: Any) -> dict[str, Any]:
        lengths = np.array([len(text) or np.nan for text in texts])
        return {"score": lengths, "first": [(text.split() or [None])[0] for text in texts]}


def length_scorer(folder: Path) -> Path:
    """A folder that the curation step `score` takes."""
    if "toy_length" not in scorers:
        scorers.register("toy_length")(LengthScorer)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / RECORD).write_text(json.dumps({"method": "toy_length"}), encoding="utf8")
    (folder / "manifest.json").write_text(
        json.dumps({"kind": "scorer", "fingerprint": "toy_length", "files": {}, "format": 1}), encoding="utf8"
    )
    return folder


@pytest.fixture(scope="session")
def tiny_encoder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of an encoder with weights drawn at random, whose tokens are characters."""
    import tokenizers
    from tokenizers import models, pre_tokenizers, processors

    from seedbed.models import backbones, save_model

    root = tmp_path_factory.mktemp("encoder")
    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    vocabulary = {token: number for number, token in enumerate([*special, *map(chr, range(33, 127))])}
    tokenizer = tokenizers.Tokenizer(models.WordLevel(vocabulary, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.Split(tokenizers.Regex("\\S"), "removed", invert=True)
    ends = [("[CLS]", 2), ("[SEP]", 3)]
    tokenizer.post_processor = processors.TemplateProcessing(single="[CLS] $A [SEP]", special_tokens=ends)
    (root / "tokenizer").mkdir()
    tokenizer.save(str(root / "tokenizer" / "tokenizer.json"))
    roles = {f"{token[1:-1].lower()}_token": token for token in special}
    configuration = {"tokenizer_class": "PreTrainedTokenizerFast", "model_max_length": 64, **roles}
    (root / "tokenizer" / "tokenizer_config.json").write_text(json.dumps(configuration))
    (root / "tokenizer" / "special_tokens_map.json").write_text(json.dumps(roles))
    backbone = backbones.create("encoder", layers=1, width=16, heads=2, max_length=64)
    save_model(backbone.network(len(vocabulary), 7, pad=0), root / "tokenizer", root / "model", {})
    return root / "model"


@pytest.fixture
def helpers() -> Any:
    """The functions above, for test modules, which cannot import from here."""
    from types import SimpleNamespace

    return SimpleNamespace(
        frame_of=frame_of, tagged=tagged, dropped=dropped, built=built, read=read, write_jsonl=write_jsonl,
        readers=readers, curation=curation, length_scorer=length_scorer,
    )  # fmt: skip
