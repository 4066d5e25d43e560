"""What is taken in and what goes to the quarantine: all counted, nothing lost, in bounded memory."""

from __future__ import annotations

import bz2
import gzip
import io
import itertools
import json
import tarfile
import zipfile
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from seedbed.corpus import tables
from seedbed.corpus.documents import Document, Unreadable
from seedbed.corpus.input.intake import Intake
from seedbed.corpus.input.quarantine import Quarantine


def rows(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_a_flood_is_written_whole_and_hides_no_other_kind(tmp_path: Path) -> None:
    path = tmp_path / "quarantine.jsonl"
    with Quarantine(path) as quarantine:
        for line in range(1, 30_001):
            quarantine.add(Unreadable("a", line, f"not JSON: at {line}" if line % 3 else f"{line} fields, not 3"))
        quarantine.add(Unreadable("b\udce9", 1, "no text"))
    found = rows(path)
    assert [row["line"] for row in found] == [*range(1, 30_001), 1]
    assert found[2] == {"file": "a", "line": 3, "reason": "3 fields, not 3"} and found[-1]["reason"] == "no text"
    assert quarantine.kinds == {"not JSON": 20_000, "N fields, not N": 10_000, "no text": 1}
    assert [row.line for row in quarantine.examples] == [1, 2, 3]


def test_the_kinds_that_are_counted_have_a_limit(tmp_path: Path) -> None:
    with Quarantine(tmp_path / "quarantine.jsonl") as quarantine:
        for kind in itertools.product("abcdefghijklmnop", repeat=3):
            quarantine.add(Unreadable("a", 1, "".join(kind)))
    assert len(quarantine.kinds) == 1001 and quarantine.kinds["others"] == 16**3 - 1000
    assert len(rows(tmp_path / "quarantine.jsonl")) == 16**3


def test_what_stands_for_many_records_is_counted_as_many(tmp_path: Path) -> None:
    path = tmp_path / "quarantine.jsonl"
    with Quarantine(path) as quarantine:
        for group in range(4):
            quarantine.add(Unreadable("a", 1 + 20 * group, f"row group {group}: broken", 20))
        quarantine.add(Unreadable("a", 81, "row group 4: broken"))
    assert quarantine.kinds == {"row group N": 81}
    assert [row.get("count", 1) for row in rows(path)] == [20, 20, 20, 20, 1]


def test_documents_that_are_too_long_or_no_text(tmp_path: Path) -> None:
    intake = Intake(tmp_path / "read", tmp_path / "q.jsonl", longest=100)
    documents = [
        Document("a", "x" * 90),
        Document("b", "ö" * 60),
        Document("c", "\ud800"),
        Document("d", "", metadata={"m": "x" * 200}),
    ]
    documents += [Document("e" * 100_000, "", source="f" * 100_000), Document("g", "\udfff", "wiki", place="in/x:y:17")]
    intake.read([documents], lambda number, _: str(number))
    assert intake.runs.documents == 1 and intake.unreadable == 5
    found = rows(tmp_path / "q.jsonl")
    assert [row["reason"] for row in found[:3]] == [
        "a document of more than 100 bytes: 'b'",
        "half of a surrogate pair, which is no character: 'c'",
        "a document of more than 100 bytes: 'd'",
    ]
    assert len(str(found[3])) < 1000
    assert (found[4]["file"], found[4]["line"]) == ("in/x:y", 17)


def test_documents_without_text_do_not_wait_in_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tables, "RUN_BYTES", 6000)
    monkeypatch.setattr(tables, "GROUP_BYTES", 900)
    monkeypatch.setattr(tables, "FILE_BYTES", 5000)
    monkeypatch.setattr("seedbed.corpus.input.intake.GROUP_BYTES", 900)
    intake = Intake(tmp_path / "read", tmp_path / "q.jsonl")
    runs = intake.read([[Document(f"{n:05d}", "") for n in range(5000)]], lambda number, _: str(number))
    assert len(runs) > 3 and intake.runs.counts == {"documents": 5000, "bytes": 0}
    writer = tables.ParquetWriter(tmp_path / "out", "train", tables.SCHEMA)
    for table in tables.merged(runs):
        writer.add(table)
        assert writer._waiting_bytes < 900
    assert writer.close() == {"documents": 5000, "bytes": 0}
    files = sorted((tmp_path / "out").iterdir())
    assert len(files) > 3
    assert [id for path in files for id in pq.read_table(path)["id"].to_pylist()] == [f"{n:05d}" for n in range(5000)]


BROKEN = [
    b'{"text": "unclosed',
    b'{"text": "caf\xe9"}',
    b'{"text": null}',
    b'{"text": 7}',
    b'{"other": "x"}',
    b"[1]",
    b"null",
    b'{"text": "\\ud800"}',
    b"\x00\x01",
    b"[" * 100_000,
]
GOOD = ["a text of some words", "another text", "", "  \n ", "größer", "\x00 control", "x" * 3000]
RECORDS = st.lists(st.one_of(st.sampled_from(range(len(BROKEN))), st.sampled_from(GOOD)), max_size=12)
WRAPPINGS = ["plain", "gz", "bz2", "tar", "tar.gz", "zip", "cut"]


@given(files=st.lists(st.tuples(RECORDS, st.sampled_from(WRAPPINGS)), max_size=6))
@settings(
    max_examples=8, deadline=None, phases=[Phase.generate], suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_in_is_kept_and_dropped_and_quarantined(
    files: Any, make_corpus: Any, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("in")
    (folder / "a.jsonl").write_text('{"id": "first", "text": "some words that are kept whatever happens"}\n' * 20)
    num_records, num_cut = 20, 0
    for number, (records, wrapping) in enumerate(files):
        lines = [
            BROKEN[item] if isinstance(item, int) else json.dumps({"id": item[:5], "text": item, "n": number}).encode()
            for item in records
        ]
        content = b"".join(line + b"\n" for line in lines)
        name = f"b{number}.jsonl"
        if wrapping in ("gz", "cut"):
            content = gzip.compress(content)
            content, name = content[: -9 if wrapping == "cut" else None], f"{name}.gz"
        elif wrapping == "bz2":
            content, name = bz2.compress(content), f"{name}.bz2"
        elif wrapping == "zip":
            raw = io.BytesIO()
            with zipfile.ZipFile(raw, "w") as archive:
                archive.writestr(name, content)
                archive.writestr(f"../{name}", content)
            content, name = raw.getvalue(), f"b{number}.zip"
            num_records += 1  # the second one, as a whole
        elif wrapping != "plain":
            raw = io.BytesIO()
            with tarfile.open(fileobj=raw, mode="w:gz" if wrapping == "tar.gz" else "w") as archive:
                member = tarfile.TarInfo(name)
                member.size = len(content)
                archive.addfile(member, io.BytesIO(content))
            content, name = raw.getvalue(), f"b{number}.{wrapping}"
        (folder / name).write_bytes(content)
        num_records += len(lines)
        num_cut += wrapping == "cut"
    corpus, counts = make_corpus(
        folder.name,
        read=[{"jsonl": str(folder)}],
        curate=["normalize", {"keep": "words > 2"}, "exact_duplicates"],
        max_unreadable=1.0,
        split={},
    )
    kept = [row["id"] for split in corpus.splits() for row in corpus.documents(split, ["id"])]
    gone = [row["id"] for row in corpus.dropped()]
    quarantined = len(list(corpus.quarantine()))
    assert counts["quarantined"]["documents"] == quarantined == sum(counts["quarantined"]["kinds"].values())
    assert counts["kept"]["documents"] == len(kept)
    assert len({*kept, *gone}) == len(kept) + len(gone) == counts["read"]["documents"]
    total = len(kept) + len(gone) + quarantined
    # Of a file that is cut the break is a row, and what lies behind it cannot be counted.
    assert total == num_records if not num_cut else total <= num_records + num_cut
    cut = sum("truncated" in row["reason"] for row in corpus.quarantine())
    assert cut == num_cut
