"""ARC files: both versions, packed or not, and what each kind of damage costs."""

from __future__ import annotations

import gzip
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from seedbed.corpus.documents import Unreadable
from seedbed.corpus.input.arcs import arc_records
from seedbed.corpus.input.files import InputFile

ABOUT = b"1 0 Somebody\nURL IP-address Archive-date Content-type Archive-length\n"


def record(url: str, content: bytes, kind: str = "text/html", more: str = "", length: int | None = None) -> bytes:
    size = len(content) if length is None else length
    return f"{url} 127.10.100.2 19961104142103 {kind}{more} {size}\n".encode() + content + b"\n"


def page(number: int, end: bytes = b"\n") -> bytes:
    text = b"<html><title>T</title><p>Page %d of a small crawl. %s</p></html>\n" % (number, b"word " * number)
    return end.join([b"HTTP/1.0 200 OK", b"Content-Type: text/html", b"", text])


RECORDS = [record(f"http://e.org/{number}", page(number)) for number in range(8)]
HEAD = record("filedesc://a.arc", ABOUT, "text/plain")


def read(path: Path, data: bytes, helpers: Any) -> tuple[list[str], list[Any]]:
    path.write_bytes(data)
    documents, broken = helpers.read("warc", path=str(path), extractor={"resiliparse": {"main_content": False}})
    for document in documents:
        number = document.id.rpartition("/")[2]
        assert document.text.startswith(f"Page {number} of a small crawl."), document
    return [document.id.rpartition("/")[2] for document in documents], broken


def test_what_becomes_a_document(tmp_path: Path, helpers: Any) -> None:
    version_2 = " 200 fac069150613fe55 - 1234 a.arc"
    packed = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Encoding: gzip\r\n\r\n" + gzip.compress(
        b"a packed text"
    )
    data = [
        HEAD,
        record("http://e.org/a page", page(1, b"\r\n")),
        record("http://e.org/2", packed, "text/plain", version_2),
        record("http://e.org/3", b"HTTP/1.0 404 Not Found\nContent-Type: text/html\n\n<p>gone</p>"),
        record("http://e.org/4", b"<p>No header at all</p>"),
        record("dns:e.org", b"19961104142103\ne.org. 1 IN A 127.10.100.2\n", "text/dns"),
        record("http://e.org/5", b"", "no-type"),
    ]
    path = tmp_path / "in" / "a.arc"
    path.parent.mkdir()
    path.write_bytes(b"".join(data))
    reader = helpers.built(
        helpers.readers, "warc", path=str(path.parent), extractor={"resiliparse": {"main_content": False}}
    )
    documents = list(reader)
    assert [(document.id, document.text) for document in documents] == [
        ("http://e.org/a page", "Page 1 of a small crawl. word"),
        ("http://e.org/2", "a packed text"),
        ("http://e.org/4", "No header at all"),
    ]
    assert documents[0].metadata == {
        "url": "http://e.org/a page", "date": "1996-11-04T14:21:03Z", "content_type": "text/html", "title": "T",
    }  # fmt: skip
    assert documents[0].place == "in/a.arc:2"
    assert reader.passed == {"status 404": 1, "not from the web": 1, "type no-type": 1}


@pytest.mark.parametrize("name", ["a.arc", "a.arc.gz", "whole.arc.gz"])
def test_plain_and_packed(name: str, tmp_path: Path, helpers: Any) -> None:
    parts = [HEAD, *RECORDS]
    data = {
        "a.arc": b"".join(parts),
        "a.arc.gz": b"".join(map(gzip.compress, parts)),
        "whole.arc.gz": gzip.compress(b"".join(parts)),
    }[name]
    found, broken = read(tmp_path / name, data, helpers)
    assert found == [str(number) for number in range(8)] and not broken


@pytest.mark.parametrize("damage", ["long", "very long", "short", "no length", "garbage"])
@pytest.mark.parametrize("packed", [False, True])
def test_a_broken_record_costs_itself(damage: str, packed: bool, tmp_path: Path, helpers: Any) -> None:
    whole = page(2)
    hurt = {
        "long": record("http://e.org/2", whole, length=len(whole) + 70),
        "very long": record("http://e.org/2", whole, length=10**9),
        "short": record("http://e.org/2", whole, length=len(whole) - 20),
        "no length": RECORDS[2].replace(b" text/html ", b" text/html x"),
        "garbage": b"\1\2" + b"\xff" * 500 + b"\n",
    }[damage]
    data = b"".join([HEAD, *RECORDS[:2], hurt, *RECORDS[3:]])
    found, broken = read(tmp_path / f"a.arc{'.gz' * packed}", gzip.compress(data) if packed else data, helpers)
    if damage == "very long":  # whoever states a length of a gigabyte is believed
        assert found == ["0", "1"] and len(broken) == 1
        return
    assert found == ["0", "1", "3", "4", "5", "6", "7"]
    assert [row.line for row in broken] == [4]


def test_a_corrupt_gzip_member_costs_itself(tmp_path: Path, helpers: Any) -> None:
    members = list(map(gzip.compress, [HEAD, *RECORDS]))
    members[3] = members[3][:40] + bytes(20) + members[3][60:]
    found, broken = read(tmp_path / "a.arc.gz", b"".join(members), helpers)
    assert found == ["0", "1", "3", "4", "5", "6", "7"] and len(broken) == 1


@given(st.floats(0, 1), st.binary(min_size=1, max_size=30), st.booleans(), st.integers(1, 300))
@settings(max_examples=100, deadline=None)
def test_damage_in_one_place_costs_no_more_than_two_records(
    share: float, damage: bytes, is_lost: bool, step: int
) -> None:
    data = b"".join([HEAD, *RECORDS])
    place = int(share * len(data))
    data = data[:place] + (b"" if is_lost else damage) + data[place + len(damage) :]
    chunks = [data[start : start + step] for start in range(0, len(data), step)]
    items = list(arc_records(InputFile("a.arc", "a", len(data), lambda: iter(chunks))))
    pages = [item[1].partition(b"<html>")[2] for item in items if not isinstance(item, Unreadable)]
    assert len(set(pages) & {raw.partition(b"<html>")[2][:-1] for raw in RECORDS}) >= len(RECORDS) - 2
    assert len(items) <= len(RECORDS) + 3
