"""Files as readers take them: selection, lines, limits, what is truncated, corrupt or made to harm."""

from __future__ import annotations

import bz2
import functools
import gzip
import io
import json
import lzma
import os
import struct
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import zstandard
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from seedbed.core.errors import InputError
from seedbed.core.source import Source
from seedbed.corpus.documents import Unreadable
from seedbed.corpus.input.csv_rows import _CsvLines
from seedbed.corpus.input.decode import BrokenStream, Limits, Meter, decompressed, numbered_lines
from seedbed.corpus.input.files import InputFile, select_files

PACK: dict[str, Callable[[bytes], bytes]] = {
    ".gz": gzip.compress,
    ".bz2": bz2.compress,
    ".xz": functools.partial(lzma.compress, preset=0),
    ".zst": zstandard.compress,
}
SMALL = Limits(record=1000, ratio=10, expanded=1 << 40, always=100_000)


def limited(path: Path, limits: Limits = SMALL) -> InputFile:
    return replace(InputFile.at(path), limits=limits)


def test_names_extensions_and_the_order_of_a_folder(tmp_path: Path) -> None:
    for name in ("b.JSONL.zst", "a.jsonl", "sub/c.v2.jsonl.gz", "d.json", "e.txt", ".hidden.jsonl"):
        (tmp_path / "in" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "in" / name).write_bytes(b"12345")
    files = list(select_files(Source(tmp_path / "in"), (".jsonl", ".json")))
    assert [file.name for file in files] == ["in/a.jsonl", "in/b.JSONL.zst", "in/d.json", "in/sub/c.v2.jsonl.gz"]
    assert [file.extension for file in files] == [".jsonl", ".jsonl", ".json", ".jsonl"]
    assert {file.size for file in files} == {5} and files[0].where == str(tmp_path / "in" / "a.jsonl")
    (file,) = select_files(Source(tmp_path / "in" / "*.txt"), (".jsonl",))  # a glob takes files of any name
    assert file.name == "in/e.txt" and file.read() == b"12345"
    assert len(list(select_files(Source(tmp_path / "in"), None))) == 5
    with pytest.raises(InputError, match=r"the folder holds none of .*, but \.json, \.jsonl, \.txt"):
        list(select_files(Source(tmp_path / "in"), (".csv",)))


@pytest.mark.skipif(sys.platform == "darwin", reason="on macOS no file can have a name that is not UTF-8")
def test_a_name_that_is_not_utf8_costs_nothing(tmp_path: Path, helpers: Any) -> None:
    path = os.fsencode(tmp_path) + b"/caf\xe9.txt"
    Path(os.fsdecode(path)).write_text("text")
    (document,), broken = helpers.read("text", path=os.fsdecode(path))
    assert document.id.endswith("/caf\\xe9.txt") and document.text == "text" and not broken


@given(
    lines=st.lists(st.one_of(st.binary(max_size=8), st.text(max_size=6).map(str.encode), st.just(b"x" * 25))),
    sizes=st.lists(st.integers(1, 12), min_size=1),
    at_end=st.booleans(),
)
@settings(max_examples=200, deadline=None)
def test_lines_are_those_of_the_bytes_however_they_come(lines: list[bytes], sizes: list[int], at_end: bool) -> None:
    raw = b"\n".join(lines) + (b"\n" if at_end else b"")

    def chunks() -> Iterator[bytes]:
        start, turn = 0, 0
        while start < len(raw):
            yield raw[start : start + sizes[turn % len(sizes)]]
            start, turn = start + sizes[turn % len(sizes)], turn + 1

    wanted: list[Any] = []
    parts = raw.split(b"\n")
    for number, part in enumerate(parts[:-1] if parts[-1] == b"" else parts, 1):
        plain = part.removeprefix(b"\xef\xbb\xbf") if number == 1 else part
        try:
            wanted.append((number, plain.removesuffix(b"\r").decode()) if len(part) <= 20 else number)
        except UnicodeDecodeError:
            wanted.append(number)
    found = [item.line if isinstance(item, Unreadable) else item for item in numbered_lines(chunks(), "f", 20)]
    assert found == wanted


def test_a_line_that_is_too_long_costs_itself_and_no_memory(tmp_path: Path) -> None:
    import tracemalloc

    path = tmp_path / "a.txt"
    with open(path, "wb") as file:
        file.write(b"first\n")
        for _ in range(30):
            file.write(b"x" * (1 << 20))
        file.write(b"\nlast\n")
    tracemalloc.start()
    found = list(limited(path).lines())
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert found == [
        (1, "first"),
        Unreadable(str(path), 2, f"a line of more than 1000 bytes: {30 << 20}"),
        (3, "last"),
    ]
    assert peak < 8 << 20
    with pytest.raises(BrokenStream, match="more than 1000 bytes"):
        limited(path).read()


@pytest.mark.parametrize("suffix", PACK)
def test_a_bomb_is_stopped(suffix: str, tmp_path: Path) -> None:
    path = tmp_path / f"a.txt{suffix}"
    path.write_bytes(PACK[suffix](b"good\n" * 5000 + b"\0" * (8 << 20)))
    found = list(limited(path).lines())
    assert found[0] == (1, "good")
    assert isinstance(found[-1], Unreadable) and "expands to more than 10 times its size" in found[-1].reason
    assert sum(map(len, found[:-1])) <= 2 * 5000
    honest = limited(path, Limits(record=1 << 30))
    assert isinstance(list(honest.lines())[-1], tuple)
    with pytest.raises(BrokenStream, match="more than 70000 bytes"):
        limited(path, Limits(expanded=70_000)).read()


def test_an_honest_ratio_is_not_a_bomb() -> None:
    meter = Meter(Limits(ratio=10, always=50), packed=100)
    meter.add(1000)
    with pytest.raises(BrokenStream, match="bomb"):
        meter.add(1)


@pytest.mark.parametrize("suffix", PACK)
@given(data=st.data())
@settings(max_examples=40, deadline=None)
def test_what_is_cut_or_changed_gives_a_prefix_or_says_so(suffix: str, data: st.DataObject) -> None:
    """Whatever one byte does: nothing is raised but BrokenStream, and without it all bytes are there."""
    plain = b"".join(b"%d\n" % (number * 7919 % 49_999) for number in range(3000))
    packed = bytearray(PACK[suffix](plain))
    if data.draw(st.booleans()):
        packed = packed[: data.draw(st.integers(0, len(packed) - 1))]
        is_cut = True
    else:
        packed[data.draw(st.integers(0, len(packed) - 1))] ^= data.draw(st.integers(1, 255))
        is_cut = False
    found = b""
    try:
        for chunk in decompressed([bytes(packed)], suffix, Meter(Limits(), len(packed))):
            found += chunk
    except BrokenStream:
        assert not is_cut or plain.startswith(found)
    else:
        assert not is_cut
        # One byte of a header may mean nothing (a time, a name); only formats without a checksum may differ.
        assert found == plain or suffix == ".zst"


def test_an_empty_file_is_no_stream(tmp_path: Path) -> None:
    (tmp_path / "a.txt.gz").write_bytes(b"")
    assert list(InputFile.at(tmp_path / "a.txt.gz").lines()) == [
        Unreadable(str(tmp_path / "a.txt.gz"), 0, "the .gz stream is truncated")
    ]
    (tmp_path / "a.txt").write_bytes(b"")
    assert list(InputFile.at(tmp_path / "a.txt").lines()) == []


def test_copies_for_formats_that_are_not_read_front_to_back(tmp_path: Path) -> None:
    (tmp_path / "a.parquet").write_bytes(b"bytes")
    (tmp_path / "b.parquet.gz").write_bytes(gzip.compress(b"bytes"))
    with InputFile.at(tmp_path / "a.parquet").local() as path:
        assert path == tmp_path / "a.parquet"
    with InputFile.at(tmp_path / "b.parquet.gz").local() as path:
        assert path.read_bytes() == b"bytes" and path.suffix == ".parquet"
    assert not path.exists()


def test_a_document_that_is_too_long(tmp_path: Path, helpers: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("select_files", "Selection.files_in"):
        monkeypatch.setattr(f"seedbed.corpus.input.files.{name}.__defaults__", (SMALL,))
    (tmp_path / "a.txt").write_text("short\n\n" + "long line\n" * 200 + "\nlast")
    documents, broken = helpers.read("text", path=str(tmp_path / "a.txt"))
    assert not documents and "a document of more than 1000 bytes; unit 'paragraph'" in broken[0].reason
    documents, broken = helpers.read("text", path=str(tmp_path / "a.txt"), unit="paragraph")
    assert [document.text for document in documents] == ["short", "last"] and [row.line for row in broken] == [3]
    rows = [{"text": "a"}, {"text": "b" * 1000}, {"text": "c"}]
    documents, broken = helpers.read("jsonl", path=str(helpers.write_jsonl(tmp_path / "a.jsonl", rows)))
    assert [document.text for document in documents] == ["a", "c"] and [row.line for row in broken] == [2]
    (tmp_path / "a.html").write_text("<p>" + "x" * 2000)
    _, broken = helpers.read("html", path=str(tmp_path / "a.html"))
    assert [row.reason for row in broken] == ["more than 1000 bytes"]


def test_files_of_a_folder_may_differ_in_their_fields(tmp_path: Path, helpers: Any) -> None:
    helpers.write_jsonl(tmp_path / "in" / "a.jsonl", [{"text": "a", "n": 1}, {"text": "b", "n": "one"}])
    helpers.write_jsonl(tmp_path / "in" / "b.jsonl", [{"content": "c"}])
    helpers.write_jsonl(tmp_path / "in" / "c.jsonl", [{"text": "d", "n": [None]}, {"text": 5}])
    documents, broken = helpers.read("jsonl", path=str(tmp_path / "in"))
    assert [(document.text, document.metadata) for document in documents] == [
        ("a", {"n": 1}),
        ("b", {"n": "one"}),
        ("d", {"n": [None]}),
    ]
    assert [(Path(row.file).name, row.line) for row in broken] == [("b.jsonl", 1), ("c.jsonl", 2)]
    with pytest.raises(InputError, match=r"no record of .*a\.jsonl has this field[^?]*did you mean 'text'\?"):
        helpers.read("jsonl", path=str(tmp_path / "in"), text="txt")


def test_a_quote_that_is_not_closed_costs_its_line(tmp_path: Path, helpers: Any) -> None:
    rows = ["id,text", *[f'{n},"text, {n}"' for n in range(50)]]
    rows[10] = '9,"never closed'
    rows[20] = '"19,one\n20,more'
    (tmp_path / "a.csv").write_text("\n".join(rows) + "\n")
    documents, broken = helpers.read("csv", path=str(tmp_path / "a.csv"))
    ids = [document.id for document in documents]
    assert [n for n in map(str, range(50)) if n not in ids] == ["9", "19"]
    assert [row.line for row in broken] == [11, 21]
    (tmp_path / "b.csv").write_text('id,text\n1,a\n2,"never closed\n3,b\n4,c\n')
    documents, broken = helpers.read("csv", path=str(tmp_path / "b.csv"))
    assert [document.text for document in documents] == ["a", "b", "c"] and [row.line for row in broken] == [3]


@pytest.mark.parametrize("header", [b"id,gr\xf6\xdfe,text", b'id,"text'])
def test_a_header_that_cannot_be_read_is_not_replaced_by_a_row(header: bytes, tmp_path: Path, helpers: Any) -> None:
    (tmp_path / "a.csv").write_bytes(header + b"\n1,text\n\n2,b\n")
    documents, broken = helpers.read("csv", path=str(tmp_path / "a.csv"))
    assert not documents and [row.line for row in broken] == [1, 2, 4]
    assert [row.reason for row in broken[1:]] == ["the header above it cannot be read"] * 2


def test_quotes_that_do_not_close_take_linear_time(
    tmp_path: Path, helpers: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each line ends within quotes, and the next one closes them and opens others, up to the end of the file."""
    monkeypatch.setattr("seedbed.corpus.input.csv_rows._REREAD_FREELY", 1 << 14)
    taken, go_back = [], _CsvLines.go_back

    def counted(lines: _CsvLines) -> int:
        taken.append(len(lines.record))
        return go_back(lines)

    monkeypatch.setattr(_CsvLines, "go_back", counted)
    (tmp_path / "a.csv").write_text('id,text\n1,"text of\ntwo lines"\n' + 'x","y\n' * 3000)
    (document,), broken = helpers.read("csv", path=str(tmp_path / "a.csv"))
    assert document.text == "text of\ntwo lines"
    assert [row.line for row in broken] == list(range(4, 3004)) and sum(taken) < 12 * 3000
    monkeypatch.setattr("seedbed.corpus.input.csv_rows._MOST_LINES", 10)
    _, broken = helpers.read("csv", path=str(tmp_path / "a.csv"))
    assert len(broken) == 3000 and "or 10 lines" in broken[0].reason and max(taken[3000:]) == 11


def test_the_rows_of_a_broken_row_group_are_counted(tmp_path: Path, helpers: Any) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    path = tmp_path / "a.parquet"
    pq.write_table(pa.table({"text": [f"text {n}" for n in range(50)]}), path, row_group_size=20, compression="zstd")
    column = pq.read_metadata(path).row_group(1).column(0)
    raw, start = path.read_bytes(), column.dictionary_page_offset
    path.write_bytes(raw[:start] + bytes(40) + raw[start + 40 :])
    documents, (broken,) = helpers.read("parquet", path=str(path))
    assert [document.text for document in documents] == [f"text {n}" for n in range(50) if not 20 <= n < 40]
    assert (broken.line, broken.count) == (21, 20)


def test_arrow_with_broken_offsets_does_not_read_foreign_memory(tmp_path: Path, helpers: Any) -> None:
    import pyarrow as pa

    (tmp_path / "in").mkdir()
    table = pa.table({"text": [f"text {n}" for n in range(50)]})
    path = tmp_path / "in" / "data.arrow"
    with pa.OSFile(str(path), "wb") as file, pa.ipc.new_stream(file, table.schema) as stream:
        stream.write_table(table)
    (tmp_path / "in" / "state.json").write_text(json.dumps({"_data_files": [{"filename": path.name}]}))
    ends = [0]
    for text in table["text"].to_pylist():
        ends.append(ends[-1] + len(text))
    raw = path.read_bytes()
    at = raw.index(struct.pack("<4i", *ends[20:24])) + 4
    path.write_bytes(raw[:at] + struct.pack("<i", 1 << 30) + raw[at + 4 :])
    documents, broken = helpers.read("huggingface", path=str(tmp_path / "in"))
    assert [document.text for document in documents] == [f"text {n}" for n in range(50) if n not in (20, 21)]
    assert [row.line for row in broken] == [21, 22] and "broken row" in broken[0].reason


@given(data=st.data())
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_damage_to_a_table_is_a_crash(tmp_path_factory: pytest.TempPathFactory, helpers: Any, data: Any) -> None:
    folder = tmp_path_factory.getbasetemp() / "tables"
    folder.mkdir(exist_ok=True)
    name = data.draw(st.sampled_from(["parquet", "csv"]))
    content = bytearray(_tables()[name])
    for _ in range(data.draw(st.integers(1, 4))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    path = folder / f"a.{name}"
    path.write_bytes(content)
    try:
        documents, broken = helpers.read(name, path=str(path))
    except InputError as error:  # the name of the column
        assert error.key == "text"
    else:
        assert broken or len(documents) == 60


@functools.cache
def _tables() -> dict[str, bytes]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    raw = io.BytesIO()
    texts = [f"text, {n}" for n in range(60)]
    pq.write_table(pa.table({"id": list(map(str, range(60))), "text": texts}), raw, row_group_size=20)
    rows = "".join(f'{n},"{text}"\n' for n, text in enumerate(texts))
    return {"parquet": raw.getvalue(), "csv": f"id,text\n{rows}".encode()}


def test_json_is_exact(tmp_path: Path, helpers: Any) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text('{"text": "a", "big": 123456789012345678901234567890, "same": 1, "same": 2}\n{"text": "b"} x\n')
    documents, broken = helpers.read("jsonl", path=str(path))
    assert documents[0].metadata == {"big": 123456789012345678901234567890, "same": 2}
    assert json.dumps(documents[0].metadata) and len(broken) == 1
