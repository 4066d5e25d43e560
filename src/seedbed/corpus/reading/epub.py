"""Electronic books."""

from __future__ import annotations

import posixpath
import zipfile
from collections.abc import Iterator
from typing import Any, Literal
from urllib.parse import unquote
from xml.etree.ElementTree import Element

from seedbed.core.errors import InputError
from seedbed.core.source import Source
from seedbed.corpus import extractors, readers
from seedbed.corpus.documents import Document, Unreadable
from seedbed.corpus.input.decode import BrokenStream, Meter
from seedbed.corpus.input.files import InputFile
from seedbed.corpus.input.markup import BadMarkup, local, parsed_file
from seedbed.corpus.input.pages import Extractor, NoText, Page
from seedbed.corpus.input.side_by_side import documents_of_files
from seedbed.corpus.licensing.texts import license_of_link

EXTENSIONS = (".epub",)
_FIELDS = {
    "title": "title",
    "language": "language",
    "date": "date",
    "publisher": "publisher",
    "identifier": "identifier",
}
_PAGES = ("application/xhtml+xml", "text/html", "application/x-dtbook+xml")


@readers.register("epub", extra=("resiliparse", "html"))
class Epub:
    """EPUB books (2 and 3), one document a book, or one a chapter: a file of the book's reading order.

    All visible text in the order of the spine; tables of contents and what stands outside of the order are left out.
    Metadata: title, authors, language, date, publisher, identifier, and `chapter`. The license is that of a Creative
    Commons link among the rights, which else stand in `license_text`. A chapter that is encrypted, missing or no page
    goes to the quarantine, and the book goes on without it; a book without text, or with more of it than a record may
    have, goes there whole.
    """

    extensions = EXTENSIONS

    def __init__(
        self,
        path: Source,
        unit: Literal["book", "chapter"] = "book",
        domain: str = "",
        license: str = "",
    ) -> None:
        self.path = Source.parse(path)
        self.unit, self.domain, self.license = unit, domain, license

    def __iter__(self) -> Iterator[Document | Unreadable]:
        return documents_of_files(self)

    def documents(self, file: InputFile) -> Iterator[Document | Unreadable]:
        try:
            with file.local() as path, zipfile.ZipFile(path) as archive:
                yield from self._book(_Book(archive, file), file)
        except (BrokenStream, BadMarkup) as error:
            yield Unreadable(file.where, 0, str(error))
        except InputError:  # no room for a copy
            raise
        except Exception as error:  # zipfile raises many kinds
            yield Unreadable(file.where, 0, f"not a whole book: {error}")

    def _book(self, book: _Book, file: InputFile) -> Iterator[Document | Unreadable]:
        package = _package_of(book)
        root = parsed_file(book.read(package))
        described, license = _described(root)
        license = self.license or license
        extractor = extractors.create("resiliparse", main_content=False)
        encrypted, texts, num_chapters, size = _encrypted(book), [], 0, 0
        for name in _spine(root, posixpath.dirname(package)):
            num_chapters += 1
            try:
                page = _page(book, name, extractor, encrypted)
            except BadMarkup as error:
                yield Unreadable(f"{file.where}/{name}", 0, str(error))
                continue
            if page is None:
                continue  # a picture
            texts.append(page.text if self.unit == "book" else "")
            size += len(texts[-1])
            if size > file.limits.record:
                raise BrokenStream(f"more than {file.limits.record} characters of text; unit 'chapter' parts it")
            if self.unit == "chapter":
                chapter = {**described, "chapter": page.title} if page.title else described
                yield Document(f"{file.name}/{name}", page.text, file.name, license, self.domain, {**chapter})
        if not texts:
            yield Unreadable(file.where, 0, f"no text in the {num_chapters} chapters of the book")
        elif self.unit == "book":
            yield Document(file.name, "\n\n".join(texts), file.name, license, self.domain, described)


class _Book:
    """The members of the archive that a book is, as far as limits allow."""

    def __init__(self, archive: zipfile.ZipFile, file: InputFile) -> None:
        self.archive, self.file = archive, file
        self.meter = Meter(file.limits, file.size)

    def __contains__(self, name: str) -> bool:
        return name in self.archive.namelist()

    def read(self, name: str) -> bytes:
        """A member's bytes. Raises BadMarkup; BrokenStream if the book as a whole expands too far."""
        limit = self.file.limits.record
        try:
            with self.archive.open(name) as member:
                content = member.read(limit + 1)
        except KeyError:
            raise BadMarkup(f"the book lacks {name}") from None
        except RuntimeError as error:  # a zip with a password
            raise BadMarkup(str(error)) from None
        except Exception as error:  # every decompressor has an exception class of its own
            raise BadMarkup(f"{name} is corrupt: {error}") from None
        if len(content) > limit:
            raise BadMarkup(f"{name} has more than {limit} bytes")
        self.meter.add(len(content))
        return content


def _package_of(book: _Book) -> str:
    """The path of the file that describes the book."""
    container = parsed_file(book.read("META-INF/container.xml"))
    paths = [element.get("full-path") for element in container.iter() if local(element.tag) == "rootfile"]
    if not paths or not paths[0]:
        raise BadMarkup("META-INF/container.xml names no package")
    return paths[0]


def _page(book: _Book, name: str, extractor: Extractor, encrypted: frozenset[str]) -> Page | None:
    if name in encrypted:
        raise BadMarkup("the chapter is encrypted")
    try:
        return extractor.extract(book.read(name))
    except NoText:
        return None


def _spine(root: Element, folder: str) -> list[str]:
    """The names of the pages in reading order."""
    items = {item.get("id"): item for item in root.iter() if local(item.tag) == "item"}
    names = []
    for reference in root.iter():
        item = items.get(reference.get("idref", "")) if local(reference.tag) == "itemref" else None
        if item is None or reference.get("linear") == "no" or "nav" in item.get("properties", "").split():
            continue
        if item.get("media-type") in _PAGES:
            names.append(posixpath.normpath(posixpath.join(folder, unquote(item.get("href", "")))))
    return names


def _encrypted(book: _Book) -> frozenset[str]:
    """The members that are encrypted, fonts among them."""
    if "META-INF/encryption.xml" not in book:
        return frozenset()
    root = parsed_file(book.read("META-INF/encryption.xml"))
    return frozenset(unquote(item.get("URI", "")) for item in root.iter() if local(item.tag) == "CipherReference")


def _described(root: Element) -> tuple[dict[str, Any], str]:
    """Metadata, and the license."""
    found: dict[str, list[str]] = {}
    for element in root.iter():
        text = " ".join((element.text or "").split())
        if text and element.tag.startswith("{http://purl.org/dc/elements/1.1/}"):
            found.setdefault(local(element.tag), []).append(text)
    described: dict[str, Any] = {ours: found[theirs][0] for ours, theirs in _FIELDS.items() if theirs in found}
    if "creator" in found:
        described["authors"] = found["creator"]
    rights = " ".join(found.get("rights", []))
    license = license_of_link(rights)
    if rights and not license:
        described["license_text"] = rights[:500]
    return described, license
