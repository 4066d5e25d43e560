"""Web pages."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated

from seedbed.core.source import Source
from seedbed.corpus import extractors, readers
from seedbed.corpus.documents import Document, Unreadable
from seedbed.corpus.input.decode import BrokenStream
from seedbed.corpus.input.files import InputFile
from seedbed.corpus.input.pages import Extractor, NoText
from seedbed.corpus.input.side_by_side import documents_of_files

EXTENSIONS = (".html", ".htm", ".xhtml")


@readers.register("html", version=2)
class Html:
    """HTML files, one document each: what the extractor takes for the text of the page.

    The default is the extractor with the best F1 on two sets of pages with known text (benchmarks/extraction.py);
    `resiliparse` is 7 to 9 times as fast, and `resiliparse: {main_content: false}` takes all visible text. The encoding
    is the one that the page declares, else a guess. Title and declared language become metadata. A page without
    text, and a file that cannot be read, go to the quarantine.
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

    def __iter__(self) -> Iterator[Document | Unreadable]:
        return documents_of_files(self)

    def documents(self, file: InputFile) -> Iterator[Document | Unreadable]:
        yield self._page(file)

    def _page(self, file: InputFile) -> Document | Unreadable:
        try:
            page = self.extractor.extract(file.read())
        except (BrokenStream, NoText) as error:
            return Unreadable(file.where, 0, str(error))
        metadata = {"path": file.name, **page.described()}
        return Document(file.name, page.text, file.name, self.license, self.domain, metadata)
