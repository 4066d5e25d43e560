"""PDF files: text by file and page, running headers, hyphens, pages without text."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from seedbed.corpus.reading.pdf import unwrapped, without_running_lines

PICTURE = "q 100 0 0 100 50 50 cm BI /W 1 /H 1 /CS /G /BPC 8 ID \x7f EI Q"


def pdf(path: Path, pages: list[list[str] | str], title: str = "") -> str:
    """A file of pages, each a list of lines or a content stream."""
    objects = ["<< /Type /Catalog /Pages 2 0 R >>", ""]
    objects.append("<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica /Encoding /WinAnsiEncoding >>")
    kids = []
    for page in pages:
        if isinstance(page, list):
            shown = "".join(
                f"({line.replace('(', chr(92) + '(').replace(')', chr(92) + ')')}) Tj T*\n" for line in page
            )
            page = f"BT /F1 10 Tf 12 TL 50 800 Td\n{shown}ET"  # noqa: PLW2901
        objects.append(f"<< /Length {len(page.encode('cp1252'))} >>\nstream\n{page}\nendstream")
        kids.append(len(objects) + 1)
        objects.append(
            f"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] /Contents {len(objects)} 0 R "
            "/Resources << /Font << /F1 3 0 R >> >> >>"
        )
    objects[1] = f"<< /Type /Pages /Count {len(kids)} /Kids [{' '.join(f'{kid} 0 R' for kid in kids)}] >>"
    objects.append(f"<< /Title ({title}) >>")
    data, places = b"%PDF-1.4\n", []
    for number, content in enumerate(objects, 1):
        places.append(len(data))
        data += f"{number} 0 obj\n{content}\nendobj\n".encode("cp1252")
    table = "".join(f"{place:010d} 00000 n \n" for place in places)
    data += f"xref\n0 {len(objects) + 1}\n0000000000 65535 f \n{table}".encode()
    trailer = f"trailer << /Size {len(objects) + 1} /Root 1 0 R /Info {len(objects)} 0 R >>\n"
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(data + f"{trailer}startxref\n{len(data)}\n%%EOF".encode())
    return str(path)


def body(number: int) -> list[str]:
    subject = ["salt", "soup", "iron", "milk"][number - 1]
    return [
        f"A paragraph about {subject}, which is long enough to go on in the next line, as paragraphs do, and ends",
        "in the third one after some more words that stand here only to fill up the whole of this line, and hy-",
        "phens (größer) too.",
        f"Another one about {subject}.",
    ]


def test_a_file(tmp_path: Path, helpers: Any) -> None:
    pages: list[Any] = [[f"The Manual {n}", *body(n), f"page {n} of 4"] for n in range(1, 5)]
    path = pdf(tmp_path / "in" / "a.pdf", pages, title="The Manual")
    (document,), broken = helpers.read("pdf", path=path, license="CC0-1.0")
    assert not broken
    lines = document.text.split("\n")
    assert lines[0].startswith("A paragraph about salt, which") and lines[0].endswith("and hyphens (größer) too.")
    assert lines[1] == "Another one about salt." and len(lines) == 8
    assert (document.id, document.license) == ("in/a.pdf", "CC0-1.0")
    assert document.metadata == {"title": "The Manual", "pages": 4}
    (document,), _ = helpers.read("pdf", path=path, paragraphs=False)
    assert document.text.split("\n\n")[1].split("\n")[0] == body(2)[0]


def test_pages(tmp_path: Path, helpers: Any) -> None:
    path = pdf(tmp_path / "in" / "a.pdf", [["One."], "", PICTURE, ["Four."]])
    documents, broken = helpers.read("pdf", path=path, unit="page")
    assert [(document.id, document.text, document.metadata) for document in documents] == [
        ("in/a.pdf:1", "One.", {"page": 1}),
        ("in/a.pdf:4", "Four.", {"page": 4}),
    ]
    assert [(row.line, row.reason) for row in broken] == [(3, "a page without a text layer")]


def test_hyphens_as_the_file_writes_them_elsewhere(tmp_path: Path, helpers: Any) -> None:
    lines = ["a well-", "known thing, is well-known", "and New-", "Yorkers read a news-", "paper"]
    (document,), _ = helpers.read("pdf", path=pdf(tmp_path / "a.pdf", [lines]), paragraphs=False)
    assert document.text == "a well-known thing, is well-known\nand New-Yorkers read a newspaper"


@pytest.mark.parametrize("damage", ["empty", "text", "cut", "zeros"])
def test_broken_files(damage: str, tmp_path: Path, helpers: Any) -> None:
    path = Path(pdf(tmp_path / "in" / "a.pdf", [["One."], ["Two."]]))
    raw = path.read_bytes()
    path.write_bytes({"empty": b"", "text": b"no pdf\n" * 50, "cut": raw[:200], "zeros": bytes(len(raw))}[damage])
    pdf(tmp_path / "in" / "b.pdf", [["Whole."]])
    documents, (broken,) = helpers.read("pdf", path=str(tmp_path / "in"))
    assert [document.text for document in documents] == ["Whole."]
    assert broken.file == str(path) and "not a whole PDF" in broken.reason


def test_running_lines() -> None:
    pages = [["Title", "text"], ["2 Title", "a", "b"], ["Title 3", "c"], ["Title 4", "d"], ["Title 5", "e", "7"]]
    assert without_running_lines(pages) == [["Title", "text"], ["2 Title", "a", "b"], ["c"], ["d"], ["e", "7"]]
    assert without_running_lines([["x"], ["x"], ["x"], []]) == [[], [], [], []]
    assert without_running_lines([["same"] * 3] * 2) == [["same"] * 3] * 2  # on two pages only


def test_lists_keep_their_lines() -> None:
    lines = ["- an item that is as long as all of the others", "- a second item as long as the first one", "1. a third"]
    assert unwrapped(lines) == "\n".join(lines)
