"""Documents from the same address."""

from __future__ import annotations

import json
import re
import string
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

from seedbed.corpus import curation

if TYPE_CHECKING:
    from daft import DataFrame, Series

_PORTS = {"http": "80", "https": "443"}
_TRACKING = ("utm_", "fbclid", "gclid", "mc_cid", "mc_eid")
_ENCODED = re.compile("(?:%[0-9A-Fa-f]{2})+")
_UNRESERVED = frozenset(string.ascii_letters + string.digits + "-._~")


def normalized_url(url: str) -> str | None:
    """The address without what does not change the page; None if it is no address of the web.

    Scheme, `www.`, user, default port, fragment, a last slash and parameters that only track go; the host becomes
    lower case, percent-encoding is resolved where that changes no address (RFC 3986, section 6.2.2), parameters are
    sorted.
    """
    url = url.strip()
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return None
    host = (parts.hostname or "").removeprefix("www.")
    if parts.scheme.lower() not in _PORTS or not host:
        return None
    if port is not None and str(port) != _PORTS[parts.scheme.lower()]:
        host += f":{port}"
    query = sorted(part for part in parts.query.split("&") if part and not part.lower().startswith(_TRACKING))
    return _ENCODED.sub(_resolved, f"{host}{parts.path.rstrip('/')}" + "?" * bool(query) + "&".join(query))


def _resolved(found: re.Match[str]) -> str:
    """Encoded letters as themselves; a sign that may part an address stays encoded, as do bytes that are not UTF-8."""
    try:
        text = unquote(found[0], errors="strict")
    except UnicodeDecodeError:
        return found[0].upper()
    return "".join(char if char in _UNRESERVED or not char.isascii() else f"%{ord(char):02X}" for char in text)


@curation.register("duplicate_urls", papers=["326"], version=2)
class DuplicateUrls:
    """Of documents from one address the one with the smallest id stays (Soldaini et al., 2024, Dolma: the first of
    its three deduplications).

    The address is `metadata.<field>`, or else the id where that is one. A document without any is left alone. Dolma
    compares addresses as they are, by a Bloom filter, which may drop a few that are new; this compares all of them,
    normalized: without scheme, `www.`, default port, fragment, last slash and tracking parameters, percent-encoding
    resolved but for signs that part addresses (`%2F` is no slash), parameters sorted. They are the same if 128 bits of
    their hashes are.

    Memory: about 100 bytes for each document with an address, and its id. With `expected`, about the number of
    different addresses, a Bloom filter of 10 bits for each of these, and 100 bytes only for documents of which the
    address comes again and for about one in a hundred of the others, with the same result. Where many more come than
    expected, this is said.
    """

    def __init__(self, field: str = "url", expected: int | None = None) -> None:
        from seedbed.corpus.text.bloom import filter_for

        self.field, self.expected = field, expected
        self.notes: list[str] = []
        filter_for(expected)  # so that a bad parameter is told before anything runs

    def __call__(self, frame: DataFrame, /) -> DataFrame:
        from seedbed.corpus.engine import daft
        from seedbed.corpus.tagging import with_reasons
        from seedbed.corpus.text.bloom import filter_for
        from seedbed.corpus.text.copies import find_copies

        string = daft.DataType.string()

        @daft.func.batch(return_dtype=string, use_process=False)  # type: ignore[untyped-decorator]
        def address(ids: Series, metadata: Series) -> list[str | None]:
            rows = zip(ids.to_pylist(), metadata.to_pylist(), strict=True)
            return [self.address(id, row) for id, row in rows]

        @daft.func.batch(return_dtype=string, use_process=False)  # type: ignore[untyped-decorator]
        def whole(ids: Series, metadata: Series, reasons: Series) -> list[str | None]:
            """Reasons with the address, which so need not be held for all that go."""
            rows = zip(ids.to_pylist(), metadata.to_pylist(), reasons.to_pylist(), strict=True)
            return [reason and f"{reason}: {self.address(id, row)}" for id, row, reason in rows]

        columns = daft.col("id"), daft.col("metadata")
        urls = frame.select("id", address(*columns).alias("key")).where(daft.col("key").not_null())
        bloom = filter_for(self.expected)
        copies = find_copies([urls], bloom)
        self.notes = bloom.notes() if bloom else []
        tagged = with_reasons(frame, copies.ids, [f"same address as {id}" for id in copies.first])
        return tagged.with_column("reason", whole(*columns, daft.col("reason")))

    def address(self, id: str, metadata: str) -> str | None:
        """Of a document, normalized; None if it has none. `metadata` is JSON."""
        if f'"{self.field}"' in metadata and isinstance(url := json.loads(metadata).get(self.field), str):
            return normalized_url(url)
        return normalized_url(id)
