"""Extractors: the contract that all of them keep, encodings, and pages that would cost too much."""

from __future__ import annotations

import logging
from typing import Any

import pytest

from seedbed.corpus import extractors
from seedbed.corpus.input.pages import NoText, Page, decoded, encoding_of

STORY = [
    "The bridge over the river was closed on Monday, after inspectors had found cracks in two of its pillars.",
    "Drivers are sent along the northern road, which takes about twenty minutes longer, the town's council said.",
    "Repairs should be done by the end of the summer; what they will cost is not yet known to anybody.",
]
PAGE = """<!DOCTYPE html><html lang="en-GB"><head><title>The bridge is closed</title>
<script>var hidden = "never shown";</script></head><body>
<nav><ul><li><a href="/">Front page</a></li><li><a href="/sport">All of sport</a></li></ul></nav>
<main><article><h1>The bridge is closed</h1>{story}</article></main>
<footer><p><a href="/terms">Terms of use</a> Copyright of everything reserved</p></footer></body></html>"""
HTML = PAGE.format(story="".join(f"<p>{paragraph}</p>" for paragraph in STORY))

# What an extractor needs that cannot be had in a test of all of them.
LEFT_OUT = {"neural"}
NAMES = [name for name in extractors.names() if name not in LEFT_OUT]


def extracted(name: str, page: str | bytes, encoding: str | None = None, **parameters: Any) -> Page:
    raw = page if isinstance(page, bytes) else page.encode()
    found = extractors.create(name, **parameters).extract(raw, encoding)
    assert isinstance(found, Page)
    return found


@pytest.mark.parametrize("name", NAMES)
def test_an_article_without_what_stands_around_it(name: str) -> None:
    page = extracted(name, HTML)
    places = [page.text.index(paragraph) for paragraph in STORY]
    assert places == sorted(places) and page.text.count("\n") >= len(STORY) - 1
    for text in ("Front page", "All of sport", "Terms of use", "never shown"):
        assert text not in page.text
    assert (page.title, page.language) == ("The bridge is closed", "en-GB")
    assert page.described() == {"title": page.title, "language": page.language}
    assert extracted(name, HTML) == page


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(
    "page", ["", " ", "<html></html>", "<html><body><script>x</script></body></html>", "\0\0\0", b"\xff\xd8\xff\xe0"]
)
def test_a_page_without_text_says_so(name: str, page: str | bytes, capfd: Any) -> None:
    try:
        found = extracted(name, page)
    except NoText as error:
        assert str(error)
    else:  # a stray character may count as one
        assert len(found.text.strip()) <= 4
    assert not capfd.readouterr().err


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("given", ["header", "meta", "bom", "guess"])
def test_pages_in_other_encodings(name: str, given: str) -> None:
    html = PAGE.format(story="".join(f"<p>{text} Größe für Käufer, Ärger übermäßig.</p>" for text in STORY))
    if given == "meta":
        html = html.replace("<head>", '<head><meta charset="ISO-8859-1">')
    raw = html.encode("utf-16" if given == "bom" else "cp1252")
    page = extracted(name, raw, "windows-1252" if given == "header" else None)
    assert page.text.count("Größe für Käufer, Ärger übermäßig.") == len(STORY)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("declared", [True, False])
def test_one_broken_byte_costs_one_character(name: str, declared: bool) -> None:
    html = HTML.replace("Monday", "Montag, größer")
    if declared:
        html = html.replace("<head>", '<head><meta http-equiv="Content-Type" content="text/html; charset=utf-8">')
    page = extracted(name, html.encode().replace(b"cracks", b"cr\xffcks"))
    assert "Montag, größer" in page.text and "cr\ufffdcks" in page.text


@pytest.mark.parametrize(
    ("page", "given", "wanted"),
    [
        (b"a", None, "utf-8"),
        (b"\xef\xbb\xbfa", "latin1", "utf-8"),
        (b'<meta charset="shift_jis">', "utf8", "utf-8"),
        (b'<meta charset="shift_jis">', "no such thing", "shift_jis"),
        (b'<?xml version="1.0" encoding="iso-8859-1"?><html>', None, "cp1252"),
        (b"<meta charset=utf-16>", None, "utf-8"),
        (b"<meta charset='nonsense'>gr\xc3\xb6\xc3\x9fe", None, "utf-8"),
    ],
)
def test_where_an_encoding_comes_from(page: bytes, given: str | None, wanted: str) -> None:
    assert encoding_of(page, given) == wanted
    assert "\ufeff" not in decoded(page, given)


@pytest.mark.parametrize("name", NAMES)
def test_a_page_nested_without_end_is_refused(name: str) -> None:
    page = "<html><body>" + "<div>" * 100_000 + STORY[0] + "</div>" * 100_000
    with pytest.raises(NoText):  # main-content extraction would take minutes
        extracted(name, page)


def test_all_text_of_a_page() -> None:
    page = extracted("resiliparse", HTML, main_content=False)
    assert "Front page" in page.text and "Terms of use" in page.text and "never shown" not in page.text


def test_a_page_that_is_too_long_for_trafilatura() -> None:
    page = HTML.replace("</main>", "</main>" + " " * (9 << 20))
    with pytest.raises(NoText, match="more than 8388608 bytes"):
        extracted("trafilatura", page)
    assert STORY[0] in extracted("resiliparse", page).text


@pytest.mark.parametrize("favor", ["precision", "recall"])
def test_what_trafilatura_favors(favor: str) -> None:
    assert STORY[0] in extracted("trafilatura", HTML, favor=favor, fast=True, comments=True, tables=False).text
    assert logging.getLogger("trafilatura").level == logging.NOTSET


@pytest.mark.parametrize("name", NAMES)
def test_declarations_and_control_characters_cost_no_text(name: str) -> None:
    page = HTML.replace("<!DOCTYPE html>", '<?xml version="1.0" encoding="utf-8"?>').replace(
        "closed on", "cl&#x1;os&#31;ed on"
    )
    text = extracted(name, page).text
    assert all(paragraph in text.replace("\x01", "").replace("\x1f", "") for paragraph in STORY)
    page = HTML.replace("twenty minutes longer", "5&#9;km &#38; &#49;&#x30; more")
    assert "5 km & 10 more" in " ".join(extracted(name, page).text.split())
