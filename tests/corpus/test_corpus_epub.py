"""Electronic books: reading order, metadata, and books that are broken."""

from __future__ import annotations

import tempfile
import zipfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from seedbed.core.source import Source
from seedbed.corpus.documents import Document, Unreadable
from seedbed.corpus.input.decode import Limits
from seedbed.corpus.input.files import InputFile
from seedbed.corpus.reading.epub import Epub

CONTAINER = """<?xml version="1.0"?><container xmlns="urn:oasis:names:tc:opendocument:xmlns:container"><rootfiles>
<rootfile full-path="OEBPS/book.opf" media-type="application/oebps-package+xml"/></rootfiles></container>"""
PACKAGE = """<?xml version="1.0"?><package xmlns="http://www.idpf.org/2007/opf" version="3.0">
<metadata xmlns:dc="http://purl.org/dc/elements/1.1/"><dc:title>The book</dc:title><dc:creator>A. One</dc:creator>
<dc:creator>B. Two</dc:creator><dc:language>en</dc:language><dc:date>1901</dc:date>
<dc:rights>{rights}</dc:rights></metadata><manifest>
<item id="nav" href="nav.xhtml" media-type="application/xhtml+xml" properties="nav"/>
<item id="c1" href="text/one%20a.xhtml" media-type="application/xhtml+xml"/>
<item id="c2" href="text/two.xhtml" media-type="application/xhtml+xml"/>
<item id="cover" href="cover.xhtml" media-type="application/xhtml+xml"/>
<item id="aside" href="aside.xhtml" media-type="application/xhtml+xml"/>
<item id="css" href="style.css" media-type="text/css"/></manifest>
<spine><itemref idref="cover"/><itemref idref="nav"/><itemref idref="c2"/><itemref idref="c1"/><itemref idref="gone"/>
<itemref idref="aside" linear="no"/></spine></package>"""


def chapter(title: str, text: str) -> str:
    return f'<?xml version="1.0" encoding="utf-8"?><html><head><title>{title}</title></head><body>{text}</body></html>'


def book(path: Path, rights: str = "https://creativecommons.org/publicdomain/zero/1.0/", **changed: str | None) -> str:
    members: dict[str, str | None] = {
        "META-INF/container.xml": CONTAINER,
        "OEBPS/book.opf": PACKAGE.format(rights=rights),
        "OEBPS/nav.xhtml": chapter("Contents", "<p>Contents</p>"),
        "OEBPS/text/one a.xhtml": chapter("One", "<h1>One</h1><p>First &amp; last.</p>"),
        "OEBPS/text/two.xhtml": chapter("Two", "<p>Größer.</p><p>Second.</p>"),
        "OEBPS/cover.xhtml": chapter("Cover", "<img src='a.png'/>"),
        "OEBPS/aside.xhtml": chapter("Aside", "<p>aside</p>"),
        **changed,
    }
    path.parent.mkdir(exist_ok=True)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
        for name, content in members.items():
            if content is not None:
                file.writestr(name, content)
    return str(path)


def test_a_book(tmp_path: Path, helpers: Any) -> None:
    (document,), broken = helpers.read("epub", path=book(tmp_path / "in" / "a.epub"), domain="books")
    assert document.text == "Größer.\n\nSecond.\n\nOne\n\nFirst & last." and not broken
    assert (document.id, document.license, document.domain) == ("in/a.epub", "CC0-1.0", "books")
    assert document.metadata == {"title": "The book", "authors": ["A. One", "B. Two"], "language": "en", "date": "1901"}


def test_chapters(tmp_path: Path, helpers: Any) -> None:
    path = book(tmp_path / "in" / "a.epub", rights="All ours.")
    documents, broken = helpers.read("epub", path=path, unit="chapter")
    assert [(document.id, document.metadata["chapter"]) for document in documents] == [
        ("in/a.epub/OEBPS/text/two.xhtml", "Two"),
        ("in/a.epub/OEBPS/text/one a.xhtml", "One"),
    ]
    assert not documents[0].license and documents[0].metadata["license_text"] == "All ours." and not broken


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"OEBPS/text/two.xhtml": None}, "the book lacks OEBPS/text/two.xhtml"),
        (
            {"META-INF/encryption.xml": '<encryption><CipherReference URI="OEBPS/text/two.xhtml"/></encryption>'},
            "the chapter is encrypted",
        ),
    ],
)
def test_a_lost_chapter_leaves_the_book(changed: dict[str, Any], reason: str, tmp_path: Path, helpers: Any) -> None:
    path = book(tmp_path / "a.epub", **changed)
    (document,), (broken,) = helpers.read("epub", path=path)
    assert document.text == "One\n\nFirst & last."
    assert (broken.reason, broken.file) == (reason, f"{path}/OEBPS/text/two.xhtml")


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"META-INF/container.xml": None}, "the book lacks META-INF/container.xml"),
        ({"META-INF/container.xml": "<container/>"}, "names no package"),
        ({"OEBPS/book.opf": "<package><metadata>"}, "not XML"),
        (
            {"OEBPS/book.opf": "<!DOCTYPE a [<!ENTITY x SYSTEM 'file:///etc/passwd'>]><package>&x;</package>"},
            "undefined",
        ),
        ({"OEBPS/book.opf": "<package/>"}, "no text in the 0 chapters"),
    ],
)
def test_books_that_cannot_be_read(changed: dict[str, Any], reason: str, tmp_path: Path, helpers: Any) -> None:
    documents, (broken,) = helpers.read("epub", path=book(tmp_path / "a.epub", **changed))
    assert not documents and reason in broken.reason


def test_a_damaged_zip(tmp_path: Path, helpers: Any) -> None:
    path = Path(book(tmp_path / "in" / "a.epub"))
    raw = path.read_bytes()
    book(tmp_path / "in" / "b.epub")
    path.write_bytes(raw[: len(raw) // 2])
    documents, (broken,) = helpers.read("epub", path=str(tmp_path / "in"))
    assert [document.id for document in documents] == ["in/b.epub"] and "not a whole book" in broken.reason
    place = raw.index(b"two.xhtml") + 20
    path.write_bytes(raw[:place] + bytes(30) + raw[place + 30 :])
    documents, (broken,) = helpers.read("epub", path=str(path))
    assert documents[0].text == "One\n\nFirst & last." and "two.xhtml is corrupt" in broken.reason


def test_a_book_that_is_longer_than_a_record(tmp_path: Path) -> None:
    reader = Epub(Source(book(tmp_path / "a.epub")), unit="book")
    file = replace(InputFile.at(tmp_path / "a.epub"), limits=Limits(record=1500))
    assert len(list(reader.documents(file))) == 1
    text = chapter("One", f"<p>{'First. ' * 150}</p>")
    book(tmp_path / "a.epub", **{"OEBPS/text/one a.xhtml": text, "OEBPS/text/two.xhtml": text})
    (row,) = reader.documents(file)
    assert isinstance(row, Unreadable) and "more than 1500 characters" in row.reason
    chapters = list(Epub(Source(str(tmp_path / "a.epub")), unit="chapter").documents(file))
    assert len(chapters) == 2 and all(isinstance(document, Document) for document in chapters)


@given(st.integers(0, 10**6), st.binary(min_size=1, max_size=4))
@settings(max_examples=60, deadline=None)
def test_no_damage_to_a_book_is_a_crash(place: int, damage: bytes) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(book(Path(folder) / "a.epub"))
        raw = path.read_bytes()
        place = len(raw) - 1 - place % 700 if place % 2 else place % len(raw)  # the directory is at the end
        path.write_bytes(raw[:place] + damage + raw[place + len(damage) :])
        assert list(Epub(Source(str(path))))
