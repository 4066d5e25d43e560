"""Which texts a step was trained on: read from the log, without drawing anything again."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
from interruption import Killed, Killer
from train_world import MadeStream, train
from typer.testing import CliRunner

from seedbed.cli.main import app
from seedbed.core.artifact import Artifact
from seedbed.core.errors import InputError
from seedbed.train import batchlog
from seedbed.train.batchlog import BATCHES, passages


def test_every_step_is_there_once_however_often_the_run_was_killed(tmp_path: Path) -> None:
    train(tmp_path / "one", steps=9, interventions=[Killer("never", 0)])
    for hook, step in (("after_step", 3), ("after_step", 7), ("after_backward", 7)):  # checkpoints at 4 and 8
        with pytest.raises(Killed):
            train(tmp_path / "cut", steps=9, interventions=[Killer(hook, step)])
    train(tmp_path / "cut", steps=9, interventions=[Killer("never", 0)])
    assert (tmp_path / "one" / BATCHES).read_bytes() == (tmp_path / "cut" / BATCHES).read_bytes()
    stream = MadeStream(3)
    for step in range(1, 10):
        np.testing.assert_array_equal(batchlog._read(tmp_path / "one" / BATCHES, step), stream.next(8).pieces_N6)
    with pytest.raises(InputError, match="1 to 9"):
        batchlog._read(tmp_path / "one" / BATCHES, 10)


def test_a_record_that_was_cut_off_is_not_there(tmp_path: Path) -> None:
    train(tmp_path, steps=3)
    with open(tmp_path / BATCHES, "r+b") as file:
        file.truncate((tmp_path / BATCHES).stat().st_size - 1)
    with pytest.raises(InputError, match="1 to 2"):
        batchlog._read(tmp_path / BATCHES, 3)


def test_texts_are_those_of_the_corpus(encoder: Artifact, world, tmp_path: Path) -> None:
    tokens = next(artifact for artifact in encoder.inputs() if artifact.kind == "tokens")
    file = tokens.open("train")  # type: ignore[call-arg, misc]
    tokenizer = world["vocabulary"].load()
    first = passages(encoder.path, 1)
    assert {passage.source for passage in first} == {"news"}
    assert sum(passage.tokens for passage in first) >= 200  # of 256, some places are left over
    names = list(file.ids[:])
    for passage in first:
        ids = file.document(names.index(passage.document))[passage.first : passage.first + passage.tokens]
        assert passage.text == tokenizer.decode(ids.tolist(), skip_special_tokens=True)
    assert passages(encoder.path, 2) != first

    moved = tmp_path / "elsewhere"  # without its manifest it is read as a working folder is
    shutil.copytree(encoder.path, moved)
    (moved / "manifest.json").unlink()
    assert passages(moved, 1) == first


def test_the_command(encoder: Artifact) -> None:
    said = CliRunner().invoke(app, ["inspect", "batch", str(encoder.path), "3", "--row", "0"])
    assert said.exit_code == 0 and "row 0 · news: news-" in said.output and "row 1" not in said.output
    told = CliRunner().invoke(app, ["inspect", "batch", str(encoder.path), "3", "--json"])
    assert len(told.output.splitlines()) == len(passages(encoder.path, 3))
    for wrong in (["41"], ["3", "--row", "8"]):
        result = CliRunner().invoke(app, ["inspect", "batch", str(encoder.path), *wrong])
        assert isinstance(result.exception, InputError)
    with pytest.raises(InputError, match=BATCHES):
        passages(encoder.path / "checkpoints", 1)
