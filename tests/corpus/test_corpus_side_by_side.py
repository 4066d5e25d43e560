"""Reading files in several processes: what comes out is what one process gives."""

from __future__ import annotations

import gzip
import json
import os
import signal
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from seedbed.core.errors import InputError
from seedbed.core.files import list_files
from seedbed.core.source import Source
from seedbed.corpus.documents import Document
from seedbed.corpus.input.files import InputFile
from seedbed.corpus.input.side_by_side import READERS, documents_of_files
from seedbed.recipe.execute import Workspace, run_plan
from seedbed.recipe.plan import make_plan
from seedbed.recipe.recipe import Recipe


def crawl(first: int, count: int) -> bytes:
    records = []
    for number in range(first, first + count):
        text = f"The text of page {number % 70}."
        kind = "image/png" if number % 10 == 3 else "text/plain"
        fields = f"WARC-Type: conversion\r\nContent-Type: {kind}\r\nWARC-Target-URI: http://e.org/{number % 70}\r\n"
        records.append(f"WARC/1.0\r\n{fields}Content-Length: {len(text)}\r\n\r\n{text}\r\n\r\n".encode())
    return b"".join(records)


def crawls(folder: Path) -> Path:
    folder.mkdir()
    for number in range(4):
        (folder / f"{number}.warc").write_bytes(crawl(100 * number, 100 - 30 * number))
    (folder / "4.warc.gz").write_bytes(gzip.compress(crawl(500, 90))[:-400])  # cut
    with tarfile.open(folder / "a.tar", "w") as archive:
        for number in range(3):
            archive.add(folder / f"{number}.warc", f"in/{number}.warc")
    (folder / "note.txt").write_text("not for this reader")
    return folder


def test_the_same_items_in_the_same_order(tmp_path: Path, helpers: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    path = str(crawls(tmp_path / "in"))
    found = []
    for processes in ("1", "2"):
        monkeypatch.setenv(READERS, processes)
        reader = helpers.built(helpers.readers, "warc", path=path)
        found.append((list(reader), dict(reader.passed)))
    assert found[0] == found[1]
    items, passed = found[1]
    assert len(items) > 300 and passed["type image/png"] > 30
    assert any(not isinstance(item, Document) for item in items)


def test_the_same_corpus(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """File by file, quarantine and counts included."""
    path = str(crawls(tmp_path / "in"))
    steps = {"corpus": {"build_corpus": {"read": [{"warc": {"path": path}}], "curate": ["exact_duplicates"]}}}
    folders = []
    for processes in ("1", "2"):
        monkeypatch.setenv(READERS, processes)
        plan = make_plan(Recipe("same", steps), Workspace(tmp_path / processes).store)
        folders.append(run_plan(plan, say=lambda line: None)["corpus"].path)
    files = [{str(p.relative_to(folder)): p.read_bytes() for p in list_files(folder)} for folder in folders]
    assert any(name.startswith("dropped") for name in files[0]) and files[0].pop("manifest.json")
    assert files[1].pop("manifest.json") and files[0] == files[1]
    one, two = (json.loads((folder / "manifest.json").read_text()) for folder in folders)
    assert one["counts"] == two["counts"] and one["files"] == two["files"]
    assert one["fingerprint"] == two["fingerprint"]


def test_errors_are_those_of_one_process(tmp_path: Path, helpers: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "in").mkdir()
    for name in ("a.png", "b.gif"):
        (tmp_path / "in" / name).write_bytes(b"")
    messages = []
    for processes in ("1", "2"):
        monkeypatch.setenv(READERS, processes)
        with pytest.raises(InputError) as error:
            helpers.read("warc", path=str(tmp_path / "in"))
        messages.append(str(error.value))
    assert messages[0] == messages[1] and ".gif, .png" in messages[0]
    for wrong in ("0", "two", "-1"):
        monkeypatch.setenv(READERS, wrong)
        with pytest.raises(InputError, match=READERS):
            helpers.read("warc", path=str(tmp_path / "in"))


class Deadly:
    """Its process is killed, as for memory."""

    extensions = (".txt",)

    def __init__(self, path: str) -> None:
        self.path = Source(path)

    def documents(self, file: InputFile) -> Iterator[Document]:
        if file.name.endswith("b.txt"):
            os.kill(os.getpid(), signal.SIGKILL)
        yield Document(file.name, "")


def test_a_process_that_dies_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "in").mkdir()
    for name in ("a.txt", "b.txt", "c.txt"):
        (tmp_path / "in" / name).write_text("x")
    monkeypatch.setenv(READERS, "2")
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    with pytest.raises(InputError, match="a process that reads has died"):
        list(documents_of_files(Deadly(str(tmp_path / "in"))))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in"]  # nothing is left behind
