"""PDF files with a text layer."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any, Literal

from seedbed.core.source import Source
from seedbed.corpus import readers
from seedbed.corpus.documents import Document, Unreadable
from seedbed.corpus.input.decode import BrokenStream
from seedbed.corpus.input.files import InputFile
from seedbed.corpus.input.side_by_side import documents_of_files

EXTENSIONS = (".pdf",)
_MARGIN = 2  # lines at the top and bottom of a page that may be a running header or footer
_FEWEST_PAGES = 3  # that have the same one
_NUMBER = re.compile(r"\d+|\b[ivxlc]+\b")
_PARTED = "\ufffe"  # what PDFium writes for a hyphen and the line's end behind it
_HYPHEN = re.compile(r"(\w+)\ufffe\n?(\w+)")
_FULL_LINE = 0.75  # of a page's long lines; a shorter one ends its paragraph
_BULLET = re.compile(r"[-•*–▪◦]\s|\(?\d{1,3}[.)]\s|\d+(?:\.\d+)+\s")  # noqa: RUF001


@readers.register("pdf", extra=("pypdfium2", "documents"))
class Pdf:
    """PDF files, one document a file or a page: the text that they hold themselves, by PDFium, the library of Chromium.

    PDFium is as good at it as pypdf and twelve times as fast (two manuals of 53 pages: 0.1 s and 1.4 s). Nothing is
    recognized from pictures: a page that shows something but holds no text goes to the quarantine, as does a file that
    is broken or needs a password. Blank pages make nothing.

    Beyond what PDFium gives: lines at the top or bottom of a page that return on at least three pages, numbers aside,
    are left out as running headers; a word that is parted at a line's end is joined (with its hyphen if the file has it
    so elsewhere and not without); with `paragraphs` the lines of a paragraph are joined, a paragraph being lines that
    are about as long as the page's longest ones, and the one after them. Metadata: title, author, pages, or page.
    """

    extensions = EXTENSIONS

    def __init__(
        self,
        path: Source,
        unit: Literal["file", "page"] = "file",
        paragraphs: bool = True,
        domain: str = "",
        license: str = "",
    ) -> None:
        self.path = Source.parse(path)
        self.unit, self.paragraphs, self.domain, self.license = unit, paragraphs, domain, license

    def __iter__(self) -> Iterator[Document | Unreadable]:
        return documents_of_files(self)

    def documents(self, file: InputFile) -> Iterator[Document | Unreadable]:
        import pypdfium2  # type: ignore[import-untyped]

        try:
            with file.local() as path:
                pages, described, broken = _read(str(path), file)
        except BrokenStream as error:
            yield Unreadable(file.where, 0, str(error))
            return
        except pypdfium2.PdfiumError as error:
            yield Unreadable(file.where, 0, f"not a whole PDF, or locked: {error}")
            return
        yield from broken
        texts = self._texts(list(pages.values()))
        if self.unit == "page":
            for number, text in zip(pages, texts, strict=True):
                if text:
                    place = f"{file.name}:{number}"
                    yield Document(
                        place, text, file.name, self.license, self.domain, {**described, "page": number}, place=place
                    )
            return
        text = "\n".join(filter(None, texts)) if self.paragraphs else "\n\n".join(filter(None, texts))
        if text:
            yield Document(file.name, text, file.name, self.license, self.domain, {**described, "pages": len(pages)})

    def _texts(self, pages: Sequence[str]) -> list[str]:
        kept = without_running_lines([page.split("\n") for page in pages])
        known = Counter(re.findall(r"\w+(?:-\w+)*", "\n".join("\n".join(lines) for lines in kept)))
        texts = [unwrapped(lines) if self.paragraphs else "\n".join(lines) for lines in kept]
        return [_HYPHEN.sub(lambda match: _word(match, known), text).replace(_PARTED, "-") for text in texts]


def _read(path: str, file: InputFile) -> tuple[dict[int, str], dict[str, Any], list[Unreadable]]:
    """The text of the pages that have some by their number, the file's metadata, and the pages that are pictures."""
    import pypdfium2

    pages, broken, size = {}, [], 0
    with pypdfium2.PdfDocument(path) as pdf:
        told = pdf.get_metadata_dict(skip_empty=True)
        for number in range(1, len(pdf) + 1):
            try:
                page = pdf[number - 1]
                text = page.get_textpage().get_text_range().replace("\r\n", "\n").replace(_PARTED, f"{_PARTED}\n")
            except pypdfium2.PdfiumError as error:
                broken.append(Unreadable(file.where, number, f"a page that cannot be read: {error}"))
                continue
            if text.strip():
                size += len(text)
                pages[number] = "\n".join(line.rstrip() for line in text.strip("\n").split("\n"))
            elif next(page.get_objects(max_depth=2), None) is not None:
                broken.append(Unreadable(file.where, number, "a page without a text layer"))
            page.close()
            if size > file.limits.record:
                raise BrokenStream(f"more than {file.limits.record} characters of text")
    described = {name: told[key].strip() for key, name in (("Title", "title"), ("Author", "author")) if key in told}
    return pages, {name: value for name, value in described.items() if value}, broken


def without_running_lines(pages: Sequence[list[str]]) -> list[list[str]]:
    """Pages without the lines at their top and bottom that return on other pages, numbers aside."""
    tops = [[_same(line) for line in lines[:_MARGIN]] for lines in pages]
    ends = [[_same(line) for line in lines[: -_MARGIN - 1 : -1]] for lines in pages]
    of_tops = Counter((place, line) for lines in tops for place, line in enumerate(lines))
    of_ends = Counter((place, line) for lines in ends for place, line in enumerate(lines))
    kept = []
    for lines, top, end in zip(pages, tops, ends, strict=True):
        first = _num_running(top, of_tops)
        last = len(lines) - _num_running(end[: len(lines) - first], of_ends)
        kept.append(lines[first:last])
    return kept


def _num_running(lines: Sequence[str], counts: Counter[tuple[int, str]]) -> int:
    """How many lines from the margin inward are running ones."""
    number = 0
    while number < len(lines) and counts[number, lines[number]] >= _FEWEST_PAGES:
        number += 1
    return number


def _same(line: str) -> str:
    return _NUMBER.sub("#", line.strip())


def _word(match: re.Match[str], known: Counter[str]) -> str:
    """A word that a line's end parts: joined, or with its hyphen if that is how it is written elsewhere."""
    joined, hyphenated = f"{match[1]}{match[2]}", f"{match[1]}-{match[2]}"
    if not match[2][0].islower() or (known[hyphenated] and not known[joined]):
        return hyphenated
    return joined


def unwrapped(lines: Sequence[str]) -> str:
    """One line for each paragraph."""
    lengths = sorted(map(len, lines))
    full = _FULL_LINE * lengths[int(0.9 * (len(lengths) - 1))] if len(lines) > 2 else float("inf")
    pieces: list[str] = []
    goes_on = False
    for line in filter(None, map(str.strip, lines)):
        if goes_on and (pieces[-1].endswith(_PARTED) or not _BULLET.match(line)):
            pieces[-1] += line if pieces[-1].endswith(_PARTED) else f" {line}"
        else:
            pieces.append(line)
        goes_on = len(line) >= full or line.endswith(_PARTED)
    return "\n".join(pieces)
