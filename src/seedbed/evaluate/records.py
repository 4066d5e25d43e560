"""Labeled data for tasks: JSON Lines and CoNLL-U files, and held-out parts.

A test set must be whole: a line that cannot be read or lacks a column is an error, not a quarantine row.
"""

from __future__ import annotations

import contextlib
import gzip
import io
import json
import lzma
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import IO, Any, TypeVar

import xxhash

from seedbed.core.counters import key
from seedbed.core.errors import InputError
from seedbed.core.source import Source
from seedbed.corpus.input.conllu import sentences
from seedbed.corpus.input.texts import HELD_BACK, part_of
from seedbed.corpus.labels import Labels

Record = dict[str, Any]
T = TypeVar("T")
_PACKED = ("", ".gz", ".zst", ".xz")
_ENDINGS = (*(f".jsonl{end}" for end in _PACKED), ".ndjson", *(f".conllu{end}" for end in _PACKED))


def load_parts(
    data: Source | Labels,
    test: Source | Labels | None,
    test_fraction: float,
    columns: Mapping[str, type],
    identity: Callable[[Record], str],
) -> tuple[list[Record], list[Record]]:
    """Training and test records with the given columns.

    With `test`, all of `data` is for training and all of `test` for testing (of Labels: their training, their test
    part). Else files called train... and test... are the two parts (dev and validation files are left alone); without
    such names a fraction is held out, chosen by a hash of `identity(record)`, so that equal records fall on the same
    side and the order of lines does not matter.
    """
    if test is not None:
        parts = read_records(files_of(data, "train"), columns), read_records(files_of(test, "test"), columns)
    else:
        files = record_files(data)
        named = {part: [path for path in files if part_of(path) == part] for part in ("train", "test")}
        if named["train"] and named["test"]:
            parts = read_records(named["train"], columns), read_records(named["test"], columns)
        else:
            if not 0 < test_fraction < 1:
                raise InputError("test_fraction", "must lie between 0 and 1", value=test_fraction)
            records = read_records([path for path in files if part_of(path) not in HELD_BACK], columns)
            held = [share(identity(record), "held-out") < test_fraction for record in records]
            parts = (
                [record for record, out in zip(records, held, strict=True) if not out],
                [record for record, out in zip(records, held, strict=True) if out],
            )
    for part, records in zip(("training", "test"), parts, strict=True):
        if not records:
            raise InputError("data", f"the {part} part is empty", value=os.fspath(data))
    return parts


def files_of(source: Source | Labels, part: str) -> list[Path]:
    """Of Labels one part; of the user's files all."""
    return [path for path in record_files(source) if not isinstance(source, Labels) or part_of(path) == part]


def record_files(source: Source | Labels) -> list[Path]:
    place = os.fspath(source)
    found = [path for path in Source(place).files if path.name.endswith(_ENDINGS)]
    if not found:
        raise InputError("data", "holds no file of labeled records", value=place, allowed=_ENDINGS)
    return found


def read_records(files: Iterable[Path], columns: Mapping[str, type]) -> list[Record]:
    """All records of all files, with at least these columns, each of its type."""
    return [record for path in files for record in _read_file(path, columns)]


def _read_file(path: Path, columns: Mapping[str, type]) -> Iterator[Record]:
    with contextlib.closing(_open(path)) as file:
        for place, record in _read(file, path):
            for column, kind in columns.items():
                if column not in record:
                    raise InputError(
                        place, f"has no column '{column}'", allowed=sorted(record), fix="name the column in the task"
                    )
                if not isinstance(record[column], kind):
                    raise InputError(place, f"column '{column}' is not a {kind.__name__}", value=record[column])
            yield record


def _read(lines: Iterable[bytes], path: Path) -> Iterator[tuple[str, Record]]:
    """Where each record begins, and the record."""
    if ".conllu" in path.suffixes:
        for number, found in sentences(enumerate((line.decode("utf8") for line in lines), 1)):
            if isinstance(found, str):
                raise InputError(f"{path}:{number}", found)
            yield f"{path}:{number}", found
        return
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        place = f"{path}:{number}"
        try:
            record = json.loads(line)
        except ValueError as error:
            raise InputError(place, f"is not JSON ({error})") from None
        if not isinstance(record, dict):
            raise InputError(place, "is not a JSON object", value=record)
        yield place, record


def _open(path: Path) -> IO[bytes]:
    if path.suffix == ".gz":
        return gzip.open(path, "rb")  # type: ignore[return-value]
    if path.suffix == ".xz":
        return lzma.open(path, "rb")
    if path.suffix == ".zst":
        import zstandard

        return io.BufferedReader(zstandard.ZstdDecompressor().stream_reader(path.open("rb"), closefd=True))  # type: ignore[arg-type]
    return path.open("rb")


def share(text: str, use: str, seed: int = 0) -> float:
    """A number in [0, 1) that depends on the text alone."""
    return xxhash.xxh3_64_intdigest(text.encode(), seed=key(seed, use)) / 2**64


def sample(records: Sequence[T], limit: int, identity: Callable[[T], str], seed: int, use: str) -> list[T]:
    """At most `limit` records, the same ones whatever their order: those with the smallest hash, in that order."""
    if limit < 1:
        raise InputError("limit", "must be positive", value=limit)
    order = sorted(range(len(records)), key=lambda i: (share(identity(records[i]), use, seed), identity(records[i]), i))
    return [records[index] for index in order[:limit]]


def label_numbers(train: Iterable[str], test: Iterable[str], column: str) -> dict[str, int]:
    """Numbers for the labels; one that no training record has is an error."""
    known = {label: number for number, label in enumerate(sorted(set(train)))}
    unseen = sorted(set(test) - set(known))
    if unseen:
        raise InputError(
            column,
            f"the test part has labels that the training part has not: {', '.join(unseen[:5])}",
            allowed=list(known)[:20],
            fix="other parts, or leave these records out",
        )
    if len(known) < 2:
        raise InputError(column, "the training part has a single label", value=list(known))
    return known
