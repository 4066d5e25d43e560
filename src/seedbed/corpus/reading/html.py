"""Web pages."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from seedbed.core.source import Source
from seedbed.corpus import readers
from seedbed.corpus.decode import BrokenStream, chunks, name_of, select_files
from seedbed.corpus.documents import Document, Unreadable

EXTENSIONS = (".html", ".htm", ".xhtml")


@readers.register("html", extra=("resiliparse", "html"))
class Html:
    """HTML files, one document each, by resiliparse's extraction (Bevendorff et al., 2018).

    With `main_content` navigation, footers and the like are left out, by resiliparse's rules. The encoding is the
    one the page declares, else detected. The page's title becomes metadata. A page without any text, and a file
    that cannot be read, go to the quarantine.
    """

    def __init__(self, path: Source, main_content: bool = True, domain: str = "", license: str = "") -> None:
        self.path = Source.parse(path)
        self.main_content, self.domain, self.license = main_content, domain, license

    def __iter__(self) -> Iterator[Document | Unreadable]:
        for path in select_files(self.path, EXTENSIONS):
            yield self._page(path, name_of(self.path, path))

    def _page(self, path: Path, name: str) -> Document | Unreadable:
        from resiliparse.extract.html2text import extract_plain_text
        from resiliparse.parse.encoding import detect_encoding
        from resiliparse.parse.html import HTMLTree

        try:
            raw = b"".join(chunks(path))
        except BrokenStream as error:
            return Unreadable(str(path), 0, str(error))
        try:
            encoding = detect_encoding(raw, from_html_meta=True) or "utf-8"
            tree = HTMLTree.parse_from_bytes(raw, encoding)
            text = extract_plain_text(tree, main_content=self.main_content, alt_texts=False)
        except (ValueError, LookupError, RuntimeError) as error:
            return Unreadable(str(path), 0, f"not HTML: {error}")
        if not text.strip():
            return Unreadable(str(path), 0, "the page has no text")
        metadata = {"path": name, "title": tree.title} if tree.title else {"path": name}
        return Document(name, text, name, self.license, self.domain, metadata)
