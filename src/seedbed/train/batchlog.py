"""batches.bin: which stretch of which document stood where in every step's batch.

A record a step: the step (8 bytes), the length of what follows (4), and the batch's pieces, column after column as
int32, by zlib: some five bytes a piece. batches.json says which tokens and which tokenizer the numbers speak of. So
the texts of any step can be read without drawing the batches before it (`seedbed inspect batch`).

Shapes: N pieces.
"""

from __future__ import annotations

import struct
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from seedbed.core.errors import InputError
from seedbed.core.files import read_json, write_json
from seedbed.train.logs import AppendLog

if TYPE_CHECKING:
    from seedbed.core.artifact import Artifact
    from seedbed.data.artifact import Tokens
    from seedbed.data.batch import Batch
    from seedbed.train.sources import Sources
    from seedbed.vocabulary.artifact import Tokenizer

BATCHES, KEY = "batches.bin", "batches.json"
_HEAD = struct.Struct("<QI")
_COLUMNS = 6


class BatchLog(AppendLog):
    """Writes batches.bin."""

    def write(self, step: int, batch: Batch) -> None:
        """The batch of a step; steps count from 1."""
        if self.path is not None:
            columns = np.ascontiguousarray(batch.pieces_N6.T, dtype="<i4")
            packed = zlib.compress(columns.tobytes(), 1)
            self.append(_HEAD.pack(step, len(packed)) + packed)


def write_key(folder: Path, sources: Sources, tokenizer: Tokenizer) -> None:
    """batches.json. Paths are absolute; a finished run is read by its manifest instead, so that it can be moved."""
    names = sorted(sources.files)  # as in `Stream.sources`
    described = [
        {
            "label": sources.labels[name],
            "fingerprint": sources.tokens[name].fingerprint,
            "path": _place(sources.tokens[name]),
        }
        for name in names
    ]
    write_json(folder / KEY, {"sources": described, "tokenizer": _place(tokenizer)})


def _place(artifact: Artifact) -> str:
    return str(artifact.path.resolve())


@dataclass(frozen=True)
class Passage:
    """A piece of a batch, as a person reads it."""

    row: int
    source: str
    document: str
    first: int  # token of the document that it begins with
    tokens: int
    text: str


def passages(folder: Path, step: int) -> list[Passage]:
    """The texts of one step of a run, finished or not. Raises InputError if the log does not have it."""
    from seedbed.data.artifact import Tokens
    from seedbed.train.sources import TRAIN
    from seedbed.vocabulary.artifact import Tokenizer

    if not (folder / BATCHES).is_file() or not (folder / KEY).is_file():
        raise InputError(
            str(folder), f"has no {BATCHES}", fix="name the result of a pretrain step, or its working folder"
        )
    pieces_N6 = _read(folder / BATCHES, step)
    key = read_json(folder / KEY)
    described = key["sources"]
    files = {i: _tokens(folder, described[i], Tokens).open(TRAIN) for i in np.unique(pieces_N6[:, 3]).tolist()}
    own = folder / "tokenizer.json"
    tokenizer = Tokenizer.open(folder if own.is_file() else key["tokenizer"]).load()
    found = []
    for row, _, length, source, document, first in pieces_N6.tolist():
        file = files[source]
        ids = file.document(document)[first : first + length]
        text = tokenizer.decode(ids.tolist(), skip_special_tokens=True)
        found.append(Passage(row, described[source]["label"], file.ids[document], first, length, text))
    return found


def _tokens(folder: Path, described: dict[str, str], kind: type[Tokens]) -> Tokens:
    from seedbed.core.artifact import open_any

    known = open_any(folder).inputs() if (folder / "manifest.json").is_file() else []
    for artifact in known:
        if artifact.fingerprint == described["fingerprint"] and isinstance(artifact, kind):
            return artifact
    tokens = kind.open(described["path"])
    if tokens.fingerprint != described["fingerprint"]:
        raise InputError(described["path"], "is not the data of this run any more")
    return tokens


def _read(path: Path, step: int) -> np.ndarray:
    """The pieces of one step: heads are read one after the other, bodies are jumped over."""
    last, end = 0, path.stat().st_size
    with open(path, "rb") as file:
        while len(head := file.read(_HEAD.size)) == _HEAD.size:
            number, size = _HEAD.unpack(head)
            if file.tell() + size > end:
                break  # it is being written, or was cut off
            if number == step:
                columns = np.frombuffer(zlib.decompress(file.read(size)), dtype="<i4")
                return columns.reshape(_COLUMNS, -1).T.astype(np.int64)
            last = number
            file.seek(size, 1)
    raise InputError("step", f"{path} does not have it", value=step, allowed=f"1 to {last}" if last else "none yet")
