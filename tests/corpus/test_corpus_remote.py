"""Sources in S3: listing, globs, contents that count, reading, and a network that fails. Against a server in here."""

from __future__ import annotations

import email.utils
import gzip
import hashlib
import http.server
import io
import json
import re
import tarfile
import threading
import urllib.parse
import zipfile
from collections.abc import Iterator
from typing import Any, ClassVar
from xml.sax.saxutils import escape

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from seedbed.core.errors import InputError
from seedbed.core.schema import check
from seedbed.core.source import Source


class Bucket(http.server.BaseHTTPRequestHandler):
    """As much of the S3 protocol as listing and reading take: ListObjectsV2 in pages of three, HEAD, ranged GET."""

    protocol_version = "HTTP/1.1"
    objects: ClassVar[dict[str, bytes]]
    written: ClassVar[dict[str, str]]
    refuses: ClassVar[set[str]]

    def log_message(self, *arguments: Any) -> None:
        pass

    def do_HEAD(self) -> None:
        self.do_GET()

    def do_GET(self) -> None:
        url = urllib.parse.urlsplit(self.path)
        bucket, _, key = urllib.parse.unquote(url.path).lstrip("/").partition("/")
        if not key:
            query = dict(urllib.parse.parse_qsl(url.query, keep_blank_values=True))
            self.reply(200, self.listing(query) if bucket == "bucket" else b"<Error/>", {})
        elif key not in self.objects:
            self.reply(404, b"<Error><Code>NoSuchKey</Code></Error>", {})
        elif key in self.refuses and self.command == "GET":
            self.reply(403, b"<Error><Code>AccessDenied</Code></Error>", {})
        else:
            content = self.objects[key]
            headers = {
                "ETag": f'"{hashlib.md5(content).hexdigest()}"',
                "Last-Modified": email.utils.formatdate(1.7e9, usegmt=True),
            }
            if span := re.fullmatch(r"bytes=(\d+)-(\d+)", self.headers.get("Range", "")):
                first, last = int(span[1]), min(int(span[2]), len(content) - 1)
                headers["Content-Range"] = f"bytes {first}-{last}/{len(content)}"
                self.reply(206, content[first : last + 1], headers)
            else:
                self.reply(200, content, headers)

    def listing(self, query: dict[str, str]) -> bytes:
        prefix, delimiter = query.get("prefix", ""), query.get("delimiter", "")
        rows: dict[str, str] = {}
        for key, content in sorted(self.objects.items()):
            if not key.startswith(prefix):
                continue
            head, found, _ = key[len(prefix) :].partition(delimiter) if delimiter else (key, "", "")
            if found:
                name = f"{prefix}{head}{delimiter}"
                rows[name] = f"<CommonPrefixes><Prefix>{escape(name)}</Prefix></CommonPrefixes>"
            else:
                rows[key] = (
                    f"<Contents><Key>{escape(key)}</Key><LastModified>{self.written[key]}</LastModified>"
                    f"<Size>{len(content)}</Size></Contents>"
                )
        first = int(query.get("continuation-token", 0))
        page, more = list(rows.values())[first : first + 3], first + 3 < len(rows)
        token = f"<NextContinuationToken>{first + 3}</NextContinuationToken>" if more else ""
        return (
            f'<?xml version="1.0"?><ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><Name>bucket</Name>'
            f"<KeyCount>{len(page)}</KeyCount><IsTruncated>{str(more).lower()}</IsTruncated>{token}{''.join(page)}"
            "</ListBucketResult>"
        ).encode()

    def reply(self, status: int, content: bytes, headers: dict[str, str]) -> None:
        self.send_response(status)
        for name, value in (headers | {"Content-Length": str(len(content))}).items():
            self.send_header(name, value)
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(content)


class Store:
    def __init__(self) -> None:
        Bucket.objects, Bucket.written, Bucket.refuses = {}, {}, set()

    def put(self, key: str, content: bytes, written: str = "2024-01-01T00:00:00.000Z") -> None:
        Bucket.objects[key], Bucket.written[key] = content, written


@pytest.fixture
def store(monkeypatch: pytest.MonkeyPatch) -> Iterator[Store]:
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Bucket)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    for name, value in {
        "AWS_ENDPOINT_URL": f"http://127.0.0.1:{server.server_port}",
        "AWS_ACCESS_KEY_ID": "key",
        "AWS_SECRET_ACCESS_KEY": "secret",
        "AWS_REGION": "us-east-1",
        "AWS_EC2_METADATA_DISABLED": "true",
    }.items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("AWS_PROFILE", raising=False)
    yield Store()
    server.shutdown()
    server.server_close()
    thread.join()


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
    with pytest.raises(InputError, match=r"read.path: no object has this name"):
        check(Source, "s3://bucket/none", "read.path")
    with pytest.raises(InputError, match="cannot be read: "):
        check(Source, "s3://other/x", "read.path")
    with pytest.raises(InputError, match="is no URL that can be read"):
        check(Source, "ftp://bucket/x", "read.path")


def test_contents_count_without_being_read(store: Store) -> None:
    def contents() -> str:
        return str(Source.parse("s3://bucket/a").canonical()["contents"])

    store.put("a/x.txt", b"one")
    first = contents()
    assert first == contents()
    store.put("a/x.txt", b"two", written="2024-01-02T00:00:00.000Z")
    second = contents()
    store.put("a/y.txt", b"")
    assert len({first, second, contents()}) == 3


def test_readers_take_urls(store: Store, helpers: Any) -> None:
    store.put("in/a.jsonl", jsonl("one", "two"))
    store.put("in/b.jsonl.gz", gzip.compress(jsonl("three")))
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
        ("in/d.zip/d.jsonl:1", "six"),
        ("in/e.tar.xz/e.jsonl.gz:1", "seven"),
    ]
    assert [(row.file, row.line) for row in broken] == [("s3://bucket/in/e.tar.xz/e.jsonl.gz", 2)]
    documents, _ = helpers.read("parquet", path="s3://bucket/in/*.parquet")
    assert [document.text for document in documents] == ["four", "five"]


def test_what_cannot_be_fetched_is_an_error_and_not_broken_data(store: Store, helpers: Any) -> None:
    store.put("in/a.jsonl.gz", gzip.compress(jsonl("one")))
    Bucket.refuses.add("in/a.jsonl.gz")
    with pytest.raises(InputError, match=r"cannot be read: AWS Error"):
        helpers.read("jsonl", path="s3://bucket/in")
    Bucket.refuses.clear()
    reader = helpers.built(helpers.readers, "jsonl", path="s3://bucket/in")
    store.put("in/a.jsonl.gz", gzip.compress(jsonl("one", "two")))
    with pytest.raises(InputError, match="changed while it was read"):
        list(reader)


def test_where_files_of_this_machine_are_wanted(store: Store) -> None:
    store.put("a.txt", b"")
    with pytest.raises(InputError, match="files of this machine"):
        Source("s3://bucket/a.txt").files
