"""Sources in S3: listing, globs, contents that count, reading, and what cannot be had. Against a server of moto's.

Objects are put into the server's memory, which is faster than through the network; they are listed and read through it.
"""

from __future__ import annotations

import datetime
import gzip
import io
import json
import lzma
import tarfile
import urllib.request
import zipfile
from collections.abc import Iterator
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import zstandard
from moto.backends import get_backend
from moto.core import DEFAULT_ACCOUNT_ID
from moto.server import ThreadedMotoServer

from seedbed.core import remote
from seedbed.core.errors import InputError
from seedbed.core.schema import check
from seedbed.core.source import Source

LONG_AGO = datetime.datetime(2024, 1, 1, tzinfo=datetime.UTC)


class Store:
    """A server with one bucket, `bucket`."""

    def __init__(self, address: str) -> None:
        self.address = address
        self.memory = get_backend("s3")[DEFAULT_ACCOUNT_ID]["aws"]
        self.memory.reset()
        self.memory.create_bucket("bucket", "us-east-1")

    def put(self, key: str, content: bytes, days: int = 0) -> None:
        """An object that was written so many days after a day of long ago."""
        self.memory.put_object("bucket", key, content).last_modified = LONG_AGO + datetime.timedelta(days=days)

    def delete(self, key: str) -> None:
        self.memory.delete_object("bucket", key)

    def deny(self, action: str) -> None:
        rule = {"Effect": "Deny", "Principal": "*", "Action": action, "Resource": "arn:aws:s3:::bucket/*"}
        policy = {"Version": "2012-10-17", "Statement": [rule]}
        self.memory.put_bucket_policy("bucket", json.dumps(policy).encode())

    def ask_for_keys(self, does_ask: bool) -> None:
        """Whether it looks at access keys; it knows none."""
        requests_without = b"0" if does_ask else b"inf"
        request = urllib.request.Request(
            f"{self.address}/moto-api/reset-auth", requests_without, {"Content-Type": "text/plain"}
        )
        urllib.request.urlopen(request).close()


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture
def store(server: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Store]:
    for name, value in {
        "AWS_ENDPOINT_URL": server,
        "AWS_ACCESS_KEY_ID": "key",
        "AWS_SECRET_ACCESS_KEY": "secret",
        "AWS_REGION": "us-east-1",
        "AWS_EC2_METADATA_DISABLED": "true",
    }.items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("AWS_PROFILE", raising=False)
    store = Store(server)
    yield store
    store.ask_for_keys(False)


def jsonl(*texts: str) -> bytes:
    return "".join(json.dumps({"text": text}) + "\n" for text in texts).encode()


def names(url: str) -> list[str]:
    return [file.name for file in Source(url).listed]


def test_objects_folders_and_globs(store: Store) -> None:
    for key in ("a/x.jsonl", "a/y z.jsonl", "a/b/é.jsonl", "a/b/c/w.txt", "a/.hidden/x.txt", "b1/x.txt", "b2/y.txt"):
        store.put(key, b"12345")
    assert names("s3://bucket/a/x.jsonl") == ["a/x.jsonl"]
    assert (
        names("s3://bucket/a")
        == names("s3://bucket/a/")
        == [f"a/{n}" for n in ("b/c/w.txt", "b/é.jsonl", "x.jsonl", "y z.jsonl")]
    )
    assert names("s3://bucket/a/*.jsonl") == ["a/x.jsonl", "a/y z.jsonl"]
    assert names("s3://bucket/a/**/*.jsonl") == ["a/b/é.jsonl", "a/x.jsonl", "a/y z.jsonl"]
    assert names("s3://bucket/b*") == []
    assert names("s3://bucket/b[!1]/?.txt") == ["bucket/b2/y.txt"]
    assert len(names("s3://bucket")) == 6
    assert {file.size for file in Source("s3://bucket/a").listed} == {5}


def test_listings_of_more_than_a_page(store: Store) -> None:
    for number in range(1003):
        store.put(f"many/{number:04}.txt", b"x")
    assert names("s3://bucket/many") == [f"many/{number:04}.txt" for number in range(1003)]
    assert names("s3://bucket/many/*[12].txt")[-2:] == ["many/1001.txt", "many/1002.txt"]


@pytest.mark.parametrize(
    ("url", "problem"),
    [
        ("s3://bucket/none", r"read.path: no object has this name"),
        ("s3://bucket/none/*.txt", "no object has this name"),
        ("s3://other/x", "no bucket is called 'other'"),
        ("s3://other/x/*.txt", "no bucket is called 'other'"),
        ("s3://other", "no bucket is called 'other'"),
        ("s3://", "names no bucket"),
        ("ftp://bucket/x", "is no URL that can be read"),
    ],
)
def test_what_is_not_there(store: Store, url: str, problem: str) -> None:
    with pytest.raises(InputError, match=problem):
        check(Source, url, "read.path")


@pytest.mark.parametrize("url", ["s3://bucket", "s3://bucket/a.txt", "s3://bucket/*.txt", "s3://bucket/none"])
def test_a_server_that_does_not_know_the_key(store: Store, url: str) -> None:
    store.put("a.txt", b"x")
    store.ask_for_keys(True)
    with pytest.raises(InputError, match="cannot be read: ") as caught:
        check(Source, url, "read.path")
    assert "AWS_ACCESS_KEY_ID" in str(caught.value)


def test_contents_count_without_being_read(store: Store) -> None:
    def contents() -> str:
        return str(Source.parse("s3://bucket/a").canonical()["contents"])

    store.put("a/x.txt", b"one")
    first = contents()
    assert first == contents()
    store.put("a/x.txt", b"two", days=1)
    second = contents()
    store.put("a/y.txt", b"")
    assert len({first, second, contents()}) == 3


def test_readers_take_urls(store: Store, helpers: Any) -> None:
    store.put("in/a.jsonl", jsonl("one", "two"))
    store.put("in/b.jsonl.gz", gzip.compress(jsonl("three")))
    store.put("in/b.jsonl.xz", lzma.compress(jsonl("of xz")))
    store.put("in/b.jsonl.zst", zstandard.compress(jsonl("of zst")))
    raw = io.BytesIO()
    pq.write_table(pa.table({"text": ["four", "five"]}), raw)
    store.put("in/c.parquet", raw.getvalue())
    raw = io.BytesIO()
    with zipfile.ZipFile(raw, "w") as file:
        file.writestr("d.jsonl", jsonl("six"))
    store.put("in/d.zip", raw.getvalue())
    raw = io.BytesIO()
    with tarfile.open(fileobj=raw, mode="w:xz") as file:
        member = tarfile.TarInfo("e.jsonl.gz")
        content = gzip.compress(jsonl("seven") + b"broken\n")
        member.size = len(content)
        file.addfile(member, io.BytesIO(content))
    store.put("in/e.tar.xz", raw.getvalue())
    documents, broken = helpers.read("jsonl", path="s3://bucket/in")
    assert [(document.id, document.text) for document in documents] == [
        ("in/a.jsonl:1", "one"),
        ("in/a.jsonl:2", "two"),
        ("in/b.jsonl.gz:1", "three"),
        ("in/b.jsonl.xz:1", "of xz"),
        ("in/b.jsonl.zst:1", "of zst"),
        ("in/d.zip/d.jsonl:1", "six"),
        ("in/e.tar.xz/e.jsonl.gz:1", "seven"),
    ]
    assert [(row.file, row.line) for row in broken] == [("s3://bucket/in/e.tar.xz/e.jsonl.gz", 2)]
    documents, _ = helpers.read("parquet", path="s3://bucket/in/*.parquet")
    assert [document.text for document in documents] == ["four", "five"]


def test_what_cannot_be_fetched_is_an_error_and_not_broken_data(store: Store, helpers: Any) -> None:
    store.put("in/a.jsonl.gz", gzip.compress(jsonl("one")))
    store.deny("s3:GetObject")
    with pytest.raises(InputError, match=r"cannot be read: AWS Error ACCESS_DENIED") as caught:
        helpers.read("jsonl", path="s3://bucket/in")
    assert "s3:GetObject" in str(caught.value)


@pytest.mark.parametrize("change", ["longer", "as long", "gone"])
@pytest.mark.parametrize("when", ["before", "in the middle"])
def test_an_object_that_changes_after_it_was_listed(
    store: Store, monkeypatch: pytest.MonkeyPatch, change: str, when: str
) -> None:
    monkeypatch.setattr(remote, "_READ", 1000)
    store.put("in/a.txt", b"a" * 3000)
    (file,) = remote.list_remote("s3://bucket/in")
    pieces = remote.read_remote(file)
    if when == "in the middle":
        assert next(pieces) == b"a" * 1000
    if change == "gone":
        store.delete("in/a.txt")
    else:
        store.put("in/a.txt", b"b" * (4000 if change == "longer" else 3000), days=1)
    with pytest.raises(InputError, match="is gone: " if change == "gone" else "changed while it was read: "):
        list(pieces)


def test_an_object_that_stays_is_read_in_pieces(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(remote, "_READ", 1000)
    store.put("in/a.txt", bytes(range(250)) * 10)
    for url in ("s3://bucket/in", "s3://bucket/in/a.txt", "s3://bucket/*/a.txt"):
        (file,) = remote.list_remote(url)
        assert b"".join(remote.read_remote(file)) == bytes(range(250)) * 10


def test_where_files_of_this_machine_are_wanted(store: Store) -> None:
    store.put("a.txt", b"")
    with pytest.raises(InputError, match="files of this machine"):
        Source("s3://bucket/a.txt").files
