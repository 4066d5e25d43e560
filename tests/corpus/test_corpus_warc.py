"""Crawls: what becomes a document, and what each kind of damage costs."""

from __future__ import annotations

import gzip
import os
import random
import zlib
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from seedbed.corpus.documents import Unreadable
from seedbed.corpus.input.crawls import warc_records
from seedbed.corpus.input.files import InputFile

EXTRACTOR = {"resiliparse": {}}


def record(number: int, content: bytes, kind: str = "response", length: int | None = None, **fields: str) -> bytes:
    header = {
        "WARC-Type": kind,
        "WARC-Record-ID": f"<urn:uuid:{number}>",
        "WARC-Target-URI": f"http://e.org/{number}",
        "WARC-Date": "2024-04-25T16:24:44Z",
        "Content-Type": "application/http;msgtype=response",
        "Content-Length": str(len(content) if length is None else length),
        **{name.replace("_", "-"): value for name, value in fields.items()},
    }
    lines = "".join(f"{name}: {value}\r\n" for name, value in header.items())
    return f"WARC/1.0\r\n{lines}\r\n".encode() + content + b"\r\n\r\n"


def response(body: bytes, status: str = "200 OK", kind: str = "text/html; charset=utf-8", extra: str = "") -> bytes:
    return f"HTTP/1.1 {status}\r\nContent-Type: {kind}\r\n{extra}\r\n".encode() + body


def story(number: int, words: int = 0) -> bytes:
    random_ = random.Random(number)
    filler = " ".join(str(random_.randrange(10**9)) for _ in range(words))
    return response(f"<html><title>T{number}</title><main><p>Page {number} größer. {filler}</p></main>".encode())


def read(path: Path, data: bytes, helpers: Any) -> tuple[list[str], list[Any]]:
    path.write_bytes(data)
    documents, broken = helpers.read("warc", path=str(path), extractor=EXTRACTOR)
    for document in documents:
        number = document.id.rpartition("/")[2]
        assert document.text.startswith(f"Page {number} größer.") and document.metadata["title"] == f"T{number}"
    return [document.id.rpartition("/")[2] for document in documents], broken


def test_what_becomes_a_document(tmp_path: Path, helpers: Any) -> None:
    packed = gzip.compress(b"<p lang=x>Packed page</p>")
    chunked = b"%x\r\n" % len(packed) + packed + b"\r\n0\r\n\r\n"
    coding = "Content-Encoding: gzip\r\nTransfer-Encoding: chunked\r\nContent-Language: de\r\n"
    told = {"WARC_Identified_Content_Language": "eng"}
    data = [
        record(0, b"software: x\r\n", "warcinfo", Content_Type="application/warc-fields"),
        record(1, b"GET / HTTP/1.1\r\n\r\n", "request"),
        record(2, response(chunked, extra=coding)),
        record(3, response("größer".encode("latin-1"), kind="text/plain; charset=iso-8859-1")),
        record(4, response(b"<p>no such page</p>", status="404 Not Found")),
        record(5, response(b"\x89PNG", kind="image/png")),
        record(6, response(b"<p></p>")),
        record(7, b"The text of a page.", "conversion", Content_Type="text/plain", **told),
        record(8, b"<p>A resource</p>", "resource", Content_Type="text/html", WARC_Target_URI="<http://e.org/8>"),
        record(9, b"a log", "resource", Content_Type="text/plain", WARC_Target_URI="metadata://x.log"),
        record(10, response(b"broken gzip", extra="Content-Encoding: gzip\r\n")),
    ]  # fmt: skip
    path = tmp_path / "in" / "crawl.warc"
    path.parent.mkdir()
    path.write_bytes(b"".join(data))
    reader = helpers.built(helpers.readers, "warc", path=str(path), extractor=EXTRACTOR, domain="web")
    *documents, broken = list(reader)
    assert [(document.id, document.text) for document in documents] == [
        ("http://e.org/2", "Packed page"),
        ("http://e.org/3", "größer"),
        ("http://e.org/7", "The text of a page."),
        ("http://e.org/8", "A resource"),
    ]
    assert documents[0].metadata == {
        "url": "http://e.org/2", "date": "2024-04-25T16:24:44Z", "content_type": "text/html", "language": "de",
    }  # fmt: skip
    assert documents[2].metadata["language"] == "eng" and documents[2].place == "in/crawl.warc:8"
    assert {document.domain for document in documents} == {"web"}
    assert reader.passed == {"status 404": 1, "type image/png": 1, "the page has no text": 1, "not from the web": 1}
    assert broken.line == 11 and "Gzip" in broken.reason


@pytest.mark.parametrize("name", ["a.warc", "a.warc.gz", "whole.warc.gz", "a.warc.bz2"])
def test_plain_and_packed(name: str, tmp_path: Path, helpers: Any) -> None:
    import bz2

    records = [record(number, story(number, words=500)) for number in range(12)]
    raw = b"".join(records)
    data = {
        "a.warc": raw,
        "a.warc.gz": b"".join(map(gzip.compress, records)),
        "whole.warc.gz": gzip.compress(raw),
        "a.warc.bz2": bz2.compress(raw),
    }[name]
    found, broken = read(tmp_path / name, data, helpers)
    assert found == [str(number) for number in range(12)] and not broken


@pytest.mark.parametrize("damage", ["bits", "cut", "check", "garbage"])
def test_a_corrupt_gzip_member_costs_itself(damage: str, tmp_path: Path, helpers: Any) -> None:
    members = [gzip.compress(record(number, story(number, words=3000))) for number in range(6)]
    hurt = bytearray(members[2])
    if damage == "bits":
        hurt[len(hurt) // 2 : len(hurt) // 2 + 40] = bytes(40)
    elif damage == "cut":
        hurt = hurt[: len(hurt) // 2]
    elif damage == "check":
        hurt[-8] ^= 1
    else:
        hurt = bytearray(b"what is this \x1f\x8b\x08 doing here " * 50)
    found, broken = read(tmp_path / "a.warc.gz", b"".join([*members[:2], bytes(hurt), *members[3:]]), helpers)
    assert found == ["0", "1", "3", "4", "5"]
    assert len(broken) == 1 and broken[0].line == 3 and "gzip member" in broken[0].reason
    found, broken = read(tmp_path / "b.warc.gz", b"".join(members[:2]) + members[2][:400], helpers)
    assert found == ["0", "1"] and [row.reason for row in broken] == ["the last gzip member is truncated"]


@pytest.mark.parametrize("damage", ["long", "very long", "short", "no length", "no start", "garbage", "header"])
@pytest.mark.parametrize("packed", [False, True])
def test_a_broken_record_costs_itself(damage: str, packed: bool, tmp_path: Path, helpers: Any) -> None:
    records = [record(number, story(number, words=20)) for number in range(6)]
    whole = story(2, words=20)
    records[2] = {
        "long": record(2, whole, length=len(whole) + 300),
        "very long": record(2, whole, length=10**7),
        "short": record(2, whole, length=len(whole) - 30),
        "no length": records[2].replace(b"Content-Length", b"Content-Width"),
        "no start": records[2].replace(b"WARC/1.0", b"\0\0\0\0\0\0\0\0"),
        "garbage": b"\1\2" + b"\xff" * 500 + b"\r\n\r\n",
        "header": b"WARC/1.0\r\nWARC-Type: response\r\n" + b"x" * 70_000 + b"\r\n",
    }[damage]
    data = b"".join(records)
    found, broken = read(tmp_path / f"a.warc{'.gz' * packed}", gzip.compress(data) if packed else data, helpers)
    assert found == ["0", "1", "3", "4", "5"]
    assert [row.line for row in broken] == [3] and broken[0].reason == "no whole record where one should begin"


def test_damage_where_two_records_meet_costs_one(tmp_path: Path, helpers: Any) -> None:
    stored = [record(number, b"Some text.", "conversion", Content_Type="text/plain") for number in range(4)]
    for damaged in (
        stored[1].replace(b"\r\n\r\nSome", b"\r\n\rxSome"),  # of its header's end, which then is that of its text
        stored[1][:-1] + b"x",  # in front of the next one
        stored[1].replace(b"WARC-Type", b"WARC-Typo"),
    ):
        (tmp_path / "a.warc").write_bytes(b"".join([stored[0], damaged, *stored[2:]]))
        documents, (broken,) = helpers.read("warc", path=str(tmp_path / "a.warc"))
        assert [document.id[-1] for document in documents] == ["0", "2", "3"] and broken.line == 2
    unknown = stored[1].replace(b"conversion", b"conversiom")
    (tmp_path / "a.warc").write_bytes(b"".join([stored[0], unknown, *stored[2:]]))
    reader = helpers.built(helpers.readers, "warc", path=str(tmp_path / "a.warc"))
    assert len(list(reader)) == 3 and reader.passed == {"a record of an unknown type": 1}


def test_a_length_that_leads_to_the_end_of_another_header(tmp_path: Path, helpers: Any) -> None:
    def stored(number: int, text: bytes, length: int | None = None) -> bytes:
        return record(number, text, "conversion", length, Content_Type="text/plain")

    others = [stored(number, b"Some text.") for number in range(2, 5)]
    size = len(b"Some text.\r\n\r\n") + len(others[0]) + others[1].index(b"\r\n\r\n")
    (tmp_path / "a.warc").write_bytes(b"".join([stored(1, b"Some text.", size), *others]))
    documents, (broken,) = helpers.read("warc", path=str(tmp_path / "a.warc"))
    assert [document.id[-1] for document in documents] == ["2", "3", "4"] and broken.line == 1
    quoting = stored(1, b"A page on crawls, in which a record stands:\r\n\r\n" + others[0])
    (tmp_path / "a.warc").write_bytes(b"".join([quoting, *others]))
    documents, broken = helpers.read("warc", path=str(tmp_path / "a.warc"))
    assert [document.id[-1] for document in documents] == ["1", "2", "3", "4"] and not broken


@pytest.mark.parametrize("left", [1, 2, 30, 120])
def test_a_crawl_cut_within_a_record_has_one_break(left: int, tmp_path: Path, helpers: Any) -> None:
    """Within the mark of a member, and within a record's header."""
    members = [gzip.compress(record(number, story(number))) for number in range(3)]
    found, broken = read(tmp_path / "a.warc.gz", b"".join(members[:2]) + members[2][:left], helpers)
    assert found == ["0", "1"]
    assert [(row.line, row.reason) for row in broken] == [(3, "the last gzip member is truncated")]


def test_a_server_whose_lines_end_in_a_line_feed(tmp_path: Path, helpers: Any) -> None:
    lines = story(1).replace(b"\r\n", b"\n")
    mixed = story(2).replace(b"OK\r\n", b"OK\n")
    data = record(1, lines) + record(2, mixed) + record(3, story(3))
    assert read(tmp_path / "a.warc", data, helpers) == (["1", "2", "3"], [])


def test_files_that_are_no_crawl(tmp_path: Path, helpers: Any) -> None:
    assert read(tmp_path / "a.warc", b"", helpers) == ([], [])
    found, broken = read(tmp_path / "b.warc", b"This is a text.\n" * 9000, helpers)
    assert not found and len(broken) == 1
    found, broken = read(tmp_path / "c.warc.gz", b"This is no gzip.\n" * 9000, helpers)
    assert not found and len(broken) == 1
    found, broken = read(tmp_path / "d.warc", record(1, story(1))[:-30], helpers)
    assert not found and [row.line for row in broken] == [1]


def test_a_page_that_expands_without_end(tmp_path: Path, helpers: Any) -> None:
    bomb = zlib.compressobj(9, zlib.DEFLATED, zlib.MAX_WBITS | 16)
    packed = b"".join(bomb.compress(bytes(1 << 20)) for _ in range(80)) + bomb.flush()
    data = record(1, story(1)) + record(2, response(packed, extra="Content-Encoding: gzip\r\n")) + record(3, story(3))
    found, broken = read(tmp_path / "a.warc", data, helpers)
    assert found == ["1", "3"] and "a page of more than" in broken[0].reason


RECORDS = [record(number, story(number, words=40)) for number in range(8)]
STORED = {"plain": b"".join(RECORDS), "packed": b"".join(gzip.compress(raw, mtime=0) for raw in RECORDS)}


@given(st.sampled_from(sorted(STORED)), st.floats(0, 1), st.binary(min_size=1, max_size=30), st.booleans())
@settings(max_examples=150, deadline=None)
def test_damage_in_one_place_costs_no_more_than_two_records(
    kind: str, share: float, damage: bytes, is_lost: bool
) -> None:
    data = STORED[kind]
    place = int(share * len(data))
    data = data[:place] + (b"" if is_lost else damage) + data[place + len(damage) :]
    file = InputFile("a.warc.gz" if kind == "packed" else "a.warc", "a", len(data), lambda: iter([data]))
    items = list(warc_records(file, frozenset([b"response"])))
    whole = [item[1] for item in items if not isinstance(item, Unreadable)]
    assert len(set(whole) & {raw.removesuffix(b"\r\n\r\n") for raw in RECORDS}) >= len(RECORDS) - 2
    assert len(RECORDS) - 1 <= len(items) <= len(RECORDS) + 2  # of a record whose type is gone nobody knows


@pytest.mark.data
@pytest.mark.skipif("SEEDBED_DATA" not in os.environ, reason="reads real crawls; SEEDBED_DATA names their folder")
def test_real_crawls(helpers: Any) -> None:
    folder = Path(os.environ["SEEDBED_DATA"]) / "dolma-cc-sample"
    documents, broken = helpers.read("warc", path=str(folder))
    assert len(documents) == 37 and not broken
    assert all(document.id.startswith("https://") and len(document.text) > 100 for document in documents)
