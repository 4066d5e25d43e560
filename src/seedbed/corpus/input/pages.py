"""Web pages: what an extractor takes, and what it gives."""

from __future__ import annotations

import codecs
import re
from dataclasses import dataclass, field
from typing import Any, Protocol

_MARKS = {codecs.BOM_UTF8: "utf-8", codecs.BOM_UTF16_LE: "utf-16-le", codecs.BOM_UTF16_BE: "utf-16-be"}
_DECLARED = re.compile(rb"<(?:meta[^>]*?charset|\?xml[^>]*?encoding)\s*=\s*[\"']?\s*([\w:.-]+)", re.IGNORECASE)
_ASCII = bytes(range(128))
_HEAD = 4096  # bytes in which an encoding is declared


@dataclass(frozen=True, slots=True)
class Page:
    """What is worth reading of a web page."""

    text: str
    title: str = ""
    language: str = ""  # as the page declares it, such as `de` or `en-GB`; nothing is guessed
    metadata: dict[str, Any] = field(default_factory=dict)

    def described(self) -> dict[str, Any]:
        """The metadata of a document, with title and language where the page has them."""
        told = {"title": self.title, "language": self.language}
        return {**{name: value for name, value in told.items() if value}, **self.metadata}


class NoText(Exception):
    """The page cannot be read, or there is nothing to read in it; the message says why."""


class Extractor(Protocol):
    """A method of the registry `extractors`. The text of a page depends on that page alone."""

    def extract(self, page: bytes, encoding: str | None = None, url: str = "") -> Page:
        """`encoding` is what came with the page, such as the charset of its HTTP header. Raises NoText."""
        ...


def decoded(page: bytes, encoding: str | None = None) -> str:
    """The page as text, by a byte-order mark, the encoding that came with it, the one that it declares, or a guess, in
    this order. Bytes that the encoding does not have become U+FFFD, as in browsers: one broken byte of a page in UTF-8
    must not turn all of it into Windows-1252, as resiliparse's own decoding does.
    """
    return page.decode(encoding_of(page, encoding), errors="replace").removeprefix("\ufeff")


def encoding_of(page: bytes, encoding: str | None = None) -> str:
    """What Python calls the page's encoding, by the rules of `decoded`; labels mean what the WHATWG standard says."""
    from resiliparse.parse.encoding import detect_encoding, map_encoding_to_html5

    marked = next((name for mark, name in _MARKS.items() if page.startswith(mark)), None)
    given = map_encoding_to_html5(encoding.strip(" '\""), False) if encoding else None
    if marked or given:
        return str(marked or given)
    if match := _DECLARED.search(page[:_HEAD]):
        label = map_encoding_to_html5(match[1].decode("ascii", "replace"), False)
        if label:
            return "utf-8" if label.startswith("utf-16") else str(label)  # else the declaration were not readable
    readable = page.decode("utf-8", errors="ignore").encode()
    if len(page) - len(readable) <= len(readable.translate(None, _ASCII)):  # few broken bytes among many good ones
        return "utf-8"
    return str(detect_encoding(page) or "utf-8")
