"""Files that are read independently of each other: in order, by this process or by several at once.

`SEEDBED_READERS=8` takes eight processes, and is no parameter of a step: what comes out is the same, in the same order,
whatever their number. A process takes one file of the source at a time, an archive as a whole, and writes what is in it
to the temporary folder, from where it is taken up when all files before it have been. Memory: that of one reader in
each process; disk: the texts of at most twice as many files as there are processes.
"""

from __future__ import annotations

import os
import pickle
import shutil
import tempfile
from collections import Counter, deque
from collections.abc import Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import Any, Protocol

from seedbed.core.errors import InputError
from seedbed.core.files import storage_errors
from seedbed.core.source import Source, SourceFile
from seedbed.corpus.documents import Document, Unreadable

from .files import Selection

READERS = "SEEDBED_READERS"
_BATCH = 64  # items


class FileReader(Protocol):
    """A reader whose documents are those of one file after the other. What it passes over it may count in `passed`."""

    path: Source

    @property
    def extensions(self) -> tuple[str, ...]: ...

    def documents(self, file: Any, /) -> Iterator[Document | Unreadable]: ...


@dataclass(frozen=True)
class _Part:
    """What a process has found in a file of the source, beside the items."""

    selection: Selection
    passed: Counter[str]


def documents_of_files(reader: FileReader) -> Iterator[Document | Unreadable]:
    """All that a reader gives; `passed` is counted anew. InputError if the source has no file for it."""
    selection = Selection(reader.path.is_folder, reader.extensions)
    passed = _passed(reader)
    passed.clear()
    listed = reader.path.listed
    processes = min(_processes(), len(listed))
    if processes > 1:
        yield from _side_by_side(reader, listed, selection, processes)
    else:
        for stored in listed:
            for file in selection.files_in(stored):
                yield from reader.documents(file)
    selection.check(reader.path)


def _side_by_side(
    reader: FileReader, listed: list[SourceFile], selection: Selection, processes: int
) -> Iterator[Document | Unreadable]:
    folder = Path(tempfile.mkdtemp(prefix="seedbed-"))
    pool = ProcessPoolExecutor(processes, get_context("spawn"), initializer=_take_up, initargs=(reader,))
    running: deque[tuple[Path, Future[_Part]]] = deque()
    waiting = deque(enumerate(listed))
    try:
        while waiting or running:
            while waiting and len(running) < 2 * processes:
                number, stored = waiting.popleft()
                path = folder / f"{number}.items"
                running.append((path, pool.submit(_read, stored, path, selection)))
            path, future = running.popleft()
            part = future.result()
            yield from _items(path)
            path.unlink()
            selection.add(part.selection)
            _passed(reader).update(part.passed)
    except BrokenProcessPool:
        problem = "a process that reads has died"
        raise InputError("", problem, fix=f"{READERS}=1, or fewer of them if it was killed for memory") from None
    finally:
        pool.shutdown(wait=True, cancel_futures=True)
        shutil.rmtree(folder, ignore_errors=True)


_reader: FileReader | None = None  # of a process that reads


def _take_up(reader: FileReader) -> None:
    global _reader
    _reader = reader


def _read(stored: SourceFile, path: Path, like: Selection) -> _Part:
    assert _reader is not None
    selection = Selection(like.is_folder, like.extensions)
    _passed(_reader).clear()
    with storage_errors(path), open(path, "wb") as out:
        batch: list[Document | Unreadable] = []
        for file in selection.files_in(stored):
            for item in _reader.documents(file):
                batch.append(item)
                if len(batch) == _BATCH:
                    pickle.dump(batch, out, pickle.HIGHEST_PROTOCOL)
                    batch = []
        pickle.dump(batch, out, pickle.HIGHEST_PROTOCOL)
    return _Part(selection, Counter(_passed(_reader)))


def _items(path: Path) -> Iterator[Document | Unreadable]:
    size = path.stat().st_size
    with open(path, "rb") as file:
        while file.tell() < size:
            yield from pickle.load(file)


def _passed(reader: FileReader) -> Counter[str]:
    found: Counter[str] | None = getattr(reader, "passed", None)
    return Counter() if found is None else found


def _processes() -> int:
    stated = os.environ.get(READERS) or "1"
    if not stated.isdecimal() or not 1 <= int(stated) <= 1024:
        raise InputError(READERS, "is a number of processes, 1 to 1024", value=stated)
    return int(stated)
