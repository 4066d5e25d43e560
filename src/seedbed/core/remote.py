"""Objects in S3 and what speaks its protocol, listed and read by pyarrow.

Credentials, region and endpoint are those of the usual environment variables and files (AWS_ACCESS_KEY_ID,
AWS_SECRET_ACCESS_KEY, AWS_SESSION_TOKEN, AWS_PROFILE, AWS_REGION, AWS_ENDPOINT_URL). pyarrow rather than Daft, whose
listings tell neither time nor checksum, so that a changed object of the same size would not be noticed.
"""

from __future__ import annotations

import functools
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from .errors import InputError

SCHEME = "s3://"
_READ = 8 << 20  # of one request
_SECONDS = len("2024-01-31 23:59:59")  # some servers tell thousandths of a second in listings, but none of one object
_GONE = ("NO_SUCH_KEY", "RESOURCE_NOT_FOUND", "NO_SUCH_BUCKET")
_WILDCARD = re.compile(r"(\*\*/|\*\*|\*|\?|\[[^\]]+\])")
_MEANS = {"**/": "(?:.*/)?", "**": ".*", "*": "[^/]*", "?": "[^/]"}


@dataclass(frozen=True)
class Remote:
    """One object: bucket and key, bytes, and when it was written."""

    path: str
    size: int
    changed: str


def is_remote(path: str) -> bool:
    return "://" in path


def split_wildcard(url: str) -> tuple[str, str]:
    """The folder before the first wildcard, without the scheme, and the pattern behind it."""
    parts = url.removeprefix(SCHEME).strip("/").split("/")
    wild = [number for number, part in enumerate(parts) if _WILDCARD.search(part)]
    fixed = wild[0] if wild else len(parts)
    return "/".join(parts[:fixed]), "/".join(parts[fixed:])


def list_remote(url: str) -> list[Remote]:
    """The objects of a URL: that one, or all below it, or those that a glob matches, in the order of their keys. Hidden
    ones are left out, as in folders of this machine.
    """
    from pyarrow import fs

    if not url.startswith(SCHEME):
        raise InputError("", "is no URL that can be read", value=url, allowed=f"paths, and {SCHEME}...")
    folder, pattern = split_wildcard(url)
    if not folder:
        raise InputError("", "names no bucket", value=url)
    try:
        store = _store()
        if pattern:
            is_deep = "/" in pattern or "**" in pattern
            found = store.get_file_info(fs.FileSelector(folder, recursive=is_deep, allow_not_found=True))
        else:
            (info,) = store.get_file_info([folder])
            found = [info]
            if info.type == fs.FileType.Directory:
                found = store.get_file_info(fs.FileSelector(folder, recursive=True, allow_not_found=True))
    except OSError as error:
        raise _failed(url, error) from None
    regex = re.compile(_regex(pattern) if pattern else ".*", re.DOTALL)
    files = []
    for info in found:
        below = info.path.removeprefix(folder).strip("/")
        is_hidden = not pattern and any(part.startswith(".") for part in below.split("/"))
        if info.type == fs.FileType.File and not is_hidden and regex.fullmatch(below):
            files.append(Remote(info.path, info.size, str(info.mtime)))
    if not files:
        _check_bucket(store, url, folder.split("/")[0])
    return sorted(files, key=lambda file: file.path.split("/"))


def _check_bucket(store: Any, url: str, bucket: str) -> None:
    """InputError if there is no such bucket: listings take a missing one for an empty one."""
    from pyarrow import fs

    try:
        (info,) = store.get_file_info([bucket])
    except OSError as error:
        raise _failed(url, error) from None
    if info.type == fs.FileType.NotFound:
        fix = "look at AWS_REGION and AWS_ENDPOINT_URL"
        raise InputError("", f"no bucket is called {bucket!r}", value=url, fix=fix)


def read_remote(file: Remote) -> Iterator[bytes]:
    """The bytes of an object, in pieces. InputError if it cannot be had whole, as it was listed: a network that fails
    must not pass for broken data, nor another object for this one.
    """
    store, url, count = _store(), SCHEME + file.path, 0
    try:
        with store.open_input_file(file.path) as stream:
            while data := stream.read(_READ):
                count += len(data)
                yield data
        (now,) = store.get_file_info([file.path])  # each piece is a request of its own, to what lies there by then
    except OSError as error:
        raise _failed(url, error, was_listed=True) from None
    if count != file.size or now.size != file.size:
        raise InputError("", f"changed while it was read: {count} bytes, not {file.size}", value=url)
    if str(now.mtime)[:_SECONDS] != file.changed[:_SECONDS]:
        raise InputError("", f"changed while it was read: it is of {now.mtime}, not of {file.changed}", value=url)


def _store() -> Any:
    region = os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION")
    return _connected(region, os.environ.get("AWS_ENDPOINT_URL_S3") or os.environ.get("AWS_ENDPOINT_URL"))


@functools.cache
def _connected(region: str | None, endpoint: str | None) -> Any:
    from pyarrow import fs

    return fs.S3FileSystem(region=region, endpoint_override=endpoint)


def _failed(url: str, error: OSError, was_listed: bool = False) -> InputError:
    problem = str(error).strip().splitlines()[0]
    if was_listed and (isinstance(error, FileNotFoundError) or any(mark in problem for mark in _GONE)):
        return InputError("", "is gone: it was there when the objects were listed", value=url, fix="run it again")
    fix = "look at AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_REGION and AWS_ENDPOINT_URL"
    if "ACCESS_DENIED" in problem:
        fix += "; reading takes the permissions s3:ListBucket and s3:GetObject"
    return InputError("", f"cannot be read: {problem}", value=url, fix=fix)


def _regex(pattern: str) -> str:
    parts = _WILDCARD.split(pattern)
    return "".join(
        _MEANS.get(part) or (part.replace("[!", "[^", 1) if number % 2 else re.escape(part))
        for number, part in enumerate(parts)
    )
