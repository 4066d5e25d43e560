"""Web crawls."""

from __future__ import annotations

import io
from collections import Counter
from collections.abc import Iterator
from typing import Annotated, Any

from seedbed.core.source import Source
from seedbed.corpus import extractors, readers
from seedbed.corpus.documents import Document, Unreadable
from seedbed.corpus.input.arcs import arc_records
from seedbed.corpus.input.crawls import warc_records
from seedbed.corpus.input.files import InputFile
from seedbed.corpus.input.pages import Extractor, NoText, Page, decoded
from seedbed.corpus.input.side_by_side import documents_of_files

EXTENSIONS = (".warc", ".wet", ".arc")
_TYPES = frozenset((b"response", b"resource", b"conversion"))
_PIECE = 1 << 16
_HTML = ("text/html", "application/xhtml+xml")


@readers.register("warc", version=3, extra=("fastwarc", "html"))
class Warc:
    """WARC files of a crawl, packed (`.warc.gz`, a member for each record) or not, Common Crawl's `.wet` files, and ARC
    files (`.arc`, `.arc.gz`), as crawls were kept before WARC.

    A document is a response with status 200, or a resource, that is HTML, by the extractor, or plain text, as it is; or
    a conversion record, the text that somebody made of a page. Transfer and content encodings (chunked, gzip, deflate,
    br) are undone. The default extractor is that of the reader `html`; `resiliparse` is 7 to 9 times as fast, which
    matters for a large crawl.

    Metadata: url, date (of the crawl), content_type, title, and language, as the page, the server or the crawl tells.
    An id is the URL. Passed over, and counted in `passed`, are other statuses and types, pages without text,
    records of types that the standard does not know, and what a crawler writes of itself.
    A broken record costs itself, a broken gzip member what is in it (see input/crawls.py).
    """

    extensions = EXTENSIONS

    def __init__(
        self,
        path: Source,
        extractor: Annotated[Extractor, extractors] = "trafilatura",  # type: ignore[assignment]
        domain: str = "",
        license: str = "",
    ) -> None:
        self.path = Source.parse(path)
        self.extractor, self.domain, self.license = extractor, domain, license
        self.passed: Counter[str] = Counter()

    def __iter__(self) -> Iterator[Document | Unreadable]:
        return documents_of_files(self)

    def documents(self, file: InputFile) -> Iterator[Document | Unreadable]:
        for item in arc_records(file) if file.extension == ".arc" else warc_records(file, _TYPES):
            if isinstance(item, Unreadable):
                yield item
                continue
            number, record = item
            found = self._document(record, file, number)
            if isinstance(found, str):
                self.passed[found] += 1
            else:
                yield found

    def _document(self, raw: bytes, file: InputFile, number: int) -> Document | Unreadable | str:
        """A document, or why there is none."""
        from fastwarc.warc import ArchiveIterator, WarcRecordType

        limit = file.limits.record
        try:
            record = next(ArchiveIterator(io.BytesIO(raw), parse_http=True, auto_decode="all"))
            if record.record_type == WarcRecordType.unknown:
                return "a record of an unknown type"
            url = (record.headers.get("WARC-Target-URI") or "").strip("<> ")
            if not url.startswith(("http://", "https://")):
                return "not from the web"  # such as the log that wget adds
            headers = record.http_headers if record.is_http else None
            status = str(headers.status_code) if headers is not None else "200"
            kind = record.http_content_type if headers is not None else record.headers.get("Content-Type")
            kind = (kind or "").partition(";")[0].strip().lower()
            if status != "200":
                return f"status {status}"
            if kind not in (*_HTML, "text/plain"):
                return f"type {kind or 'unknown'}"
            body = _content(record, limit)
        except (OSError, ValueError, StopIteration) as error:
            return Unreadable(file.where, number, f"not a whole record: {error}")
        if body is None:
            return Unreadable(file.where, number, f"a page of more than {limit} bytes")
        try:
            page = self._page(body, kind, record.http_charset if headers is not None else "utf-8", url)
        except NoText as error:
            return str(error)
        told: dict[str, Any] = {
            "url": url,
            "date": record.headers.get("WARC-Date"),
            "content_type": kind,
            "language": (headers.get("Content-Language") if headers is not None else None)
            or record.headers.get("WARC-Identified-Content-Language"),
            **page.described(),
        }
        metadata = {name: value for name, value in told.items() if value}
        place = f"{file.name}:{number}"
        return Document(url, page.text, file.name, self.license, self.domain, metadata, place=place)

    def _page(self, body: bytes, kind: str, charset: str | None, url: str) -> Page:
        if kind in _HTML:
            return self.extractor.extract(body, charset, url)
        text = decoded(body, charset)
        if not text.strip():
            raise NoText("the page has no text")
        return Page(text)


def _content(record: Any, limit: int) -> bytes | None:
    """The payload, decoded; None if that is more than the limit, which little that is packed well may be."""
    pieces, size = [], 0
    while piece := record.reader.read(_PIECE):
        pieces.append(piece)
        size += len(piece)
        if size > limit:
            return None
    return b"".join(pieces)
