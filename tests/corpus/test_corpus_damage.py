"""In = kept + dropped + quarantined, file by file, whatever has been done to CSV, Parquet and WARC files."""

from __future__ import annotations

import gzip
import io
import random
import struct
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

WORDS = ["salt", "soup", "größer", "iron, cast", "milk", "third", "a", "x" * 40]


class File(NamedTuple):
    """`records` are those that went in, as far as anybody can tell from the bytes; None: nobody can."""

    name: str
    content: bytes
    records: int | None


def texts(random_: random.Random) -> list[tuple[str, str]]:
    """Ids, some of them twice, and texts, some of them too short to be kept, or twice, or empty."""
    number = random_.randrange(3, 15)
    ids = [f"d{random_.randrange(20)}" for _ in range(number)]
    return [(id, " ".join(random_.choices(WORDS, k=random_.randrange(5)))) for id in ids]


def flipped(random_: random.Random, content: bytes, start: int, end: int, never: bytes = b"") -> bytes:
    """One byte between the places is another one."""
    place = random_.randrange(start, end)
    allowed = [byte for byte in range(256) if byte != content[place] and byte not in never]
    return content[:place] + bytes([random_.choice(allowed)]) + content[place + 1 :]


def csv_lines(random_: random.Random) -> list[bytes]:
    quoted = random_.random() < 0.5
    rows = [f'{id},"{text}"' if quoted or "," in text else f"{id},{text}" for id, text in texts(random_)]
    return [line.encode() + b"\n" for line in ["id,text", *(row for row in rows)]]


def csv_file(random_: random.Random, number: int) -> File:
    lines, damage, name = csv_lines(random_), random_.choice(["none", "flip", "cut", "bad", "packed"]), f"{number}.csv"
    if damage == "bad":
        bad = [b'd1,"never closed\n', b"d2\n", b"d3,one,two\n", b"d4,caf\xe9\n", b'd5,"one"two\n', b"d6,a\0b\n", b"\n"]
        for _ in range(random_.randrange(1, 4)):
            lines.insert(random_.randrange(1, len(lines) + 1), random_.choice(bad))
    content = b"".join(lines)
    if damage == "flip":  # into anything but a line end, which within quotes would be part of a record
        content = flipped(random_, content, 0, len(content), never=b"\n")
    elif damage == "cut":
        content = content[: random_.randrange(len(lines[0]), len(content))]
    elif damage == "packed":
        packed = gzip.compress(content)
        return File(f"{name}.gz", packed[: random_.randrange(1, len(packed))], None)
    # A record is a line that is not blank; the first one of them is the header.
    return File(name, content, sum(bool(line.strip(b"\r")) for line in content.split(b"\n")) - 1)


def parquet_file(random_: random.Random, number: int) -> File:
    rows, raw, name = texts(random_), io.BytesIO(), f"{number}.parquet"
    table = pa.table({"id": [id for id, _ in rows], "text": [text for _, text in rows]})
    packing = random_.choice(["none", "snappy", "zstd"])
    pq.write_table(table, raw, row_group_size=random_.randrange(1, 8), compression=packing)
    content = raw.getvalue()
    footer = len(content) - 8 - struct.unpack("<I", content[-8:-4])[0]
    damage = random_.choice(["none", "flip", "flip", "footer", "cut", "packed"])
    if damage == "flip":
        content = flipped(random_, content, 0, footer)
    elif damage == "footer":
        return File(name, flipped(random_, content, footer, len(content)), None)
    elif damage == "cut":
        return File(name, content[: random_.randrange(len(content))], 1)  # without its footer the file is one
    elif damage == "packed":
        packed = gzip.compress(content)
        return File(f"{name}.gz", packed[: random_.randrange(len(packed))], 1)
    return File(name, content, len(rows))


def warc_record(id: str, text: str) -> bytes:
    header = "WARC/1.0\r\nWARC-Type: conversion\r\nContent-Type: text/plain\r\n"
    raw = text.encode()
    header += f"WARC-Target-URI: http://e.org/{id}\r\nContent-Length: {len(raw)}\r\n\r\n"
    return header.encode() + raw + b"\r\n\r\n"


def warc_file(random_: random.Random, number: int) -> File:
    is_packed = random_.random() < 0.5
    name = f"{number}.warc{'.gz' * is_packed}"
    stored = [warc_record(id, text) for id, text in texts(random_)]
    damage = random_.choice(["none", "flip", "flip", "cut", "bad"])
    if damage == "bad":
        whole = stored[place := random_.randrange(len(stored))]
        stored[place] = random_.choice(
            [
                whole.replace(b"Content-Length: ", b"Content-Length: 9999"),
                whole.replace(b"Content-Length", b"Content-Width"),
                whole.replace(b"WARC-Type: conversion\r\n", b""),
                whole.replace(b"WARC/1.0", b"\0\0\0\0\0\0\0\0"),
                whole.replace(b"conversion", b"no-such-type"),
            ]
        )
    if is_packed:
        stored = [gzip.compress(raw) for raw in stored]
    content, records = b"".join(stored), len(stored)
    if damage == "flip":
        content = flipped(random_, content, 0, len(content))
    elif damage == "cut":
        cut = random_.randrange(len(content))
        content = content[:cut]
        starts = [sum(map(len, stored[:place])) for place in range(len(stored))]
        records = sum(start < cut for start in starts)
    return File(name, content, records)


MAKERS: dict[str, Callable[[random.Random, int], File]] = {
    "csv": csv_file,
    "parquet": parquet_file,
    "warc": warc_file,
}


def whole(reader: str) -> bytes:
    """A reader's first file, which must have the field of the text."""
    if reader == "csv":
        return b"id,text\nd1,kept in any case\n"
    if reader == "warc":
        return warc_record("d1", "kept in any case, too")
    raw = io.BytesIO()
    pq.write_table(pa.table({"id": ["d1"], "text": ["this one is kept as well"]}), raw)
    return raw.getvalue()


def check(seed: int, num_files: int, make_corpus: Any, folder: Path) -> None:
    random_ = random.Random(seed)
    files: dict[str, File] = {}
    for reader, make in MAKERS.items():
        (folder / reader).mkdir()
        made = [File(f"0.{reader}", whole(reader), 1), *(make(random_, number) for number in range(1, num_files))]
        for file in made:
            (folder / reader / file.name).write_bytes(file.content)
            files[f"{reader}/{file.name}"] = file
    corpus, counts = make_corpus(
        folder.name,
        read=[{reader: {"path": str(folder / reader)}} for reader in MAKERS],
        curate=["normalize", {"keep": "words > 2"}, "exact_duplicates"],
        max_unreadable=1.0,
        split={},
    )
    kept = [row for split in corpus.splits() for row in corpus.documents(split, ["id", "source"])]
    gone, quarantine = list(corpus.dropped()), list(corpus.quarantine())
    ids = [row["id"] for row in [*kept, *gone]]
    assert len(set(ids)) == len(ids) == counts["read"]["documents"]
    lost = sum(row.get("count", 1) for row in quarantine)
    assert counts["quarantined"]["documents"] == lost and counts["kept"]["documents"] == len(kept)
    found = Counter(row["source"] for row in [*kept, *gone])
    for row in quarantine:
        found[name_of(row["file"])] += row.get("count", 1)
    headers = {name_of(row["file"]) for row in quarantine if row["reason"] == "the header above it cannot be read"}
    unended = {name_of(row["file"]) for row in quarantine if row["reason"] == "the last gzip member is truncated"}
    missing = {name: file.records - found[name] for name, file in files.items() if file.records is not None}
    for name in headers:
        missing[name] += 1  # the header is a row of the quarantine, too
    # What a reader passes over is counted for all of its files together; of a packed crawl whose last bytes are cut or
    # changed the last record may be whole, and what stands behind it and the break are rows beside it.
    in_crawls = sum(number for name, number in missing.items() if name.startswith("warc"))
    passed = sum(counts.get("passed", {}).values())
    assert passed - 2 * len(unended) <= in_crawls <= passed, missing
    assert not {name: number for name, number in missing.items() if number and not name.startswith("warc")}
    # Where nobody can tell how many there were, nothing goes without a word.
    assert all(found[name] for name, file in files.items() if file.records is None)


def name_of(place: str) -> str:
    return "/".join(Path(place).parts[-2:])


@given(seed=st.integers(0, 2**32))
@settings(
    max_examples=6,
    deadline=None,
    derandomize=True,
    phases=[Phase.generate],
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
def test_damaged_tables_and_crawls_are_counted(
    seed: int, make_corpus: Any, tmp_path_factory: pytest.TempPathFactory
) -> None:
    check(seed, 40, make_corpus, tmp_path_factory.mktemp("in"))


@pytest.mark.long
@given(seed=st.integers(0, 2**32))
@settings(
    max_examples=20,
    deadline=None,
    derandomize=True,
    phases=[Phase.generate],
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
def test_more_of_them_are_counted(seed: int, make_corpus: Any, tmp_path_factory: pytest.TempPathFactory) -> None:
    check(seed, 200, make_corpus, tmp_path_factory.mktemp("in"))
