"""Plain text files."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

from seedbed.core.source import Source
from seedbed.corpus import readers
from seedbed.corpus.decode import lines, name_of, select_files
from seedbed.corpus.documents import Document, Unreadable

EXTENSIONS = (".txt", ".text", ".md", ".markdown", ".rst", ".tex")


@readers.register("text")
class Text:
    """Plain UTF-8 text: one document per file, per paragraph (parted by blank lines) or per line.

    Files may be compressed (gz, bz2, xz, zst). Of a folder it takes the files with a usual extension, of a glob
    all. A line that is not UTF-8 goes to the quarantine, and the document goes on without it. Blank lines and
    empty files make no document. An id is the file's name, with the first line's number for parts of files.
    """

    def __init__(
        self,
        path: Source,
        unit: Literal["file", "paragraph", "line"] = "file",
        domain: str = "",
        license: str = "",
    ) -> None:
        self.path = Source.parse(path)
        self.unit, self.domain, self.license = unit, domain, license

    def __iter__(self) -> Iterator[Document | Unreadable]:
        for path in select_files(self.path, EXTENSIONS):
            name = name_of(self.path, path)
            block: list[str] = []
            start = 1
            for item in lines(path):
                if isinstance(item, Unreadable):
                    yield item
                    continue
                number, line = item
                is_blank = not line or line.isspace()
                if block and (self.unit == "line" or (self.unit == "paragraph" and is_blank)):
                    yield self._document(name, start, block)
                    block = []
                if is_blank and (self.unit != "file" or not block):
                    continue
                if not block:
                    start = number
                block.append(line)
            if block:
                yield self._document(name, start, block)

    def _document(self, name: str, start: int, block: list[str]) -> Document:
        id = name if self.unit == "file" else f"{name}:{start}"
        return Document(id, "\n".join(block), name, self.license, self.domain, {"path": name})
