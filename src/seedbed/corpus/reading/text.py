"""Plain text files."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

from seedbed.core.source import Source
from seedbed.corpus import readers
from seedbed.corpus.documents import Document, Unreadable
from seedbed.corpus.input.files import InputFile
from seedbed.corpus.input.side_by_side import documents_of_files

EXTENSIONS = (".txt", ".text", ".md", ".markdown", ".rst", ".tex")


@readers.register("text")
class Text:
    """Plain UTF-8 text: one document per file, per paragraph (parted by blank lines) or per line.

    Of a folder or an archive it takes the files with a usual extension, of a glob all. A line that is not UTF-8 goes to
    the quarantine, and the document goes on without it. Blank lines and empty files make no document, one that is
    longer than a record may be goes to the quarantine. An id is the file's name, with the first line's number for
    parts of files.
    """

    extensions = EXTENSIONS

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
        return documents_of_files(self)

    def documents(self, file: InputFile) -> Iterator[Document | Unreadable]:
        block: list[str] = []
        start = size = 0  # characters, with the line ends, also of what is too much to hold
        for item in file.lines():
            if isinstance(item, Unreadable):
                yield item
                continue
            number, line = item
            is_blank = not line or line.isspace()
            if size and (self.unit == "line" or (self.unit == "paragraph" and is_blank)):
                yield self._document(file, start, size, block)
                block, size = [], 0
            if is_blank and (self.unit != "file" or not size):
                continue
            if not size:
                start = number
            size += len(line) + 1
            if size <= file.limits.record:
                block.append(line)
            else:
                block.clear()
        if size:
            yield self._document(file, start, size, block)

    def _document(self, file: InputFile, start: int, size: int, block: list[str]) -> Document | Unreadable:
        if size > file.limits.record:
            hint = "; unit 'paragraph' or 'line' parts it" if self.unit == "file" else ""
            return Unreadable(file.where, start, f"a document of more than {file.limits.record} bytes{hint}")
        id = file.name if self.unit == "file" else f"{file.name}:{start}"
        return Document(id, "\n".join(block), file.name, self.license, self.domain, {"path": file.name})
