"""Dumps of wikis, and wikitext to plain text."""

from __future__ import annotations

import bz2
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from seedbed.corpus.documents import Unreadable
from seedbed.corpus.input.files import InputFile
from seedbed.corpus.input.markup import records
from seedbed.corpus.input.wikitext import Wiki, plain_text

HEAD = """<mediawiki xmlns="http://www.mediawiki.org/xml/export-0.11/" xml:lang="de">
<siteinfo><sitename>W</sitename><dbname>dewiki</dbname><base>https://de.example.org/wiki/Hauptseite</base>
<case>first-letter</case><namespaces><namespace key="0" case="first-letter" /><namespace key="6">Datei</namespace>
<namespace key="14">Kategorie</namespace><namespace key="4">Projekt</namespace></namespaces></siteinfo>
"""


def page(title: str, text: str, space: int = 0, redirect: bool = False, model: str = "wikitext") -> str:
    marked = '<redirect title="X" />' if redirect else ""
    return (
        f"  <page>\n<title>{title}</title><ns>{space}</ns><id>7</id>{marked}<revision><id>70</id>"
        f"<timestamp>2024-01-02T03:04:05Z</timestamp><model>{model}</model>"
        f'<text bytes="1" xml:space="preserve">{escape(text)}</text></revision></page>\n'
    )


def test_a_dump(tmp_path: Path, helpers: Any, make_corpus: Any) -> None:
    text = "'''Salz''' ist [[wasserlöslich]].\n[[Datei:a.jpg|mini|Ein [[Haufen]]]]\n"
    text += "[[Kategorie:Stoff|x]] [[Projekt:Küche]]"
    pages = [
        page("Salz", text),
        page("Salze", "#WEITERLEITUNG [[Salz]]", redirect=True),
        page("Diskussion:Salz", "Hallo", space=1),
        page("Leer", "{{Nur eine Vorlage}}"),
        page("Daten", "{}", model="json"),
        page("Zwei &amp; drei", "Text."),
    ]
    path = tmp_path / "in" / "de.xml.bz2"
    path.parent.mkdir()
    path.write_bytes(bz2.compress((HEAD + "".join(pages) + "</mediawiki>").encode()))
    reader = helpers.built(helpers.readers, "mediawiki", path=str(path), license="CC-BY-SA-4.0")
    for _ in range(2):
        first, second = list(reader)
        assert reader.passed == {"redirect": 1, "another namespace": 1, "no text": 2}
    assert (first.id, first.text) == ("dewiki:Salz", "Salz ist wasserlöslich.\n\nProjekt:Küche")
    assert first.metadata == {
        "title": "Salz",
        "page": "7",
        "revision": "70",
        "timestamp": "2024-01-02T03:04:05Z",
        "url": "https://de.example.org/wiki/Salz",
        "links": ["Wasserlöslich", "Haufen"],
        "categories": ["Stoff"],
    }
    assert (first.license, first.source, first.place) == ("CC-BY-SA-4.0", "in/de.xml.bz2", "in/de.xml.bz2:5")
    assert (second.id, second.metadata["url"]) == ("dewiki:Zwei & drei", "https://de.example.org/wiki/Zwei_&_drei")
    _, counts = make_corpus(read=[{"mediawiki": {"path": str(path)}}])
    assert counts["passed"] == {"no text": 2, "redirect": 1, "another namespace": 1}
    documents, _ = helpers.read("mediawiki", path=str(path), namespaces=[1])
    assert [document.text for document in documents] == ["Hallo"]


def test_broken_pages_and_a_truncated_dump(tmp_path: Path, helpers: Any) -> None:
    pages = [page(f"P{number}", f"Text {number}.") for number in range(6)]
    pages[1] = pages[1].replace("</title>", "")
    pages[3] = pages[3].replace("</page>", "")
    path = tmp_path / "a.xml"
    path.write_bytes((HEAD + "".join(pages)).encode().replace(b"Text 4", b"\xffext 4"))
    documents, broken = helpers.read("mediawiki", path=str(path))
    assert [document.text for document in documents] == ["Text 0.", "Text 2.", "Text 5."]
    assert [row.line for row in broken] == [7, 11, 13]
    packed = bz2.compress(path.read_bytes())
    (tmp_path / "b.xml.bz2").write_bytes(packed[: len(packed) // 2])
    documents, broken = helpers.read("mediawiki", path=str(tmp_path / "b.xml.bz2"))
    assert "truncated" in broken[-1].reason


def test_the_latest_revision(tmp_path: Path, helpers: Any) -> None:
    def revision(day: int) -> str:
        return f"<revision><id>{day}</id><timestamp>2024-01-0{day}</timestamp><text>day {day}</text></revision>"

    history = (
        f"<page><title>P</title><ns>0</ns>{revision(1)}{revision(3)}{revision(2)}</page><page><title>Q</title></page>"
    )
    (tmp_path / "a.xml").write_text(f"<mediawiki>{history}</mediawiki>")
    (document,), broken = helpers.read("mediawiki", path=str(tmp_path / "a.xml"))
    assert (document.id, document.text, document.metadata["revision"]) == ("P", "day 3", "3")
    assert broken[0].reason == "a page without title or revision"


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("'''Bold''' and ''italic'' and '''''both'''''", "Bold and italic and both"),
        ("a [[link]]ed [[target|label]], [[Target#part]], [[#part|here]]", "a linked label, Target#part, here"),
        ("{{Infobox\n| a = {{b|c}}\n| d = [[e]]\n}}\nText", "Text"),
        ("is {{convert|5|km|mi|abbr=on}} from {{lang|fr|Paris}}", "is 5 km from Paris"),
        ("Salt ({{IPA|x}}; born {{d}}) and ({{x}}), ({{y}}) end", "Salt (born) and, end"),
        ("one<ref>foot [[x]]</ref> two<ref name=a /> three <ref name=\"b\">{{cite|x}}</ref>.", "one two three ."),
        ("a<!-- [[b]] -->c<!-- never closed", "ac never closed"),
        ("{|\n! a\n|-\n| {{x}} || {|\n| in\n|}\n|}\nafter", "after"),
        ("{{a|b|}} x |}} y", "x | y"),
        ("== One ==\ntext\n=== Two ===\n{{gone}}\n== Three ==\n=== Four ===\n* item\n** [[sub]]\n*\n== Five ==",
         "One\n\ntext\n\nThree\n\nFour\n\n- item\n- sub"),
        ("[http://a.org/b label] [https://a.org] [mailto:x@y.z write] [1]", "label  write [1]"),
        ("<nowiki>[[a]] ''b''</nowiki> <pre>\n* {{c}}\n</pre> <b>d</b>", "[[a]] ''b'' \n* {{c}}\n d"),
        ("a &amp; b &nbsp;c &lt;d&gt; <nowiki>&amp;lt;</nowiki>", "a & b \xa0c <d> &lt;"),
        ("x<br/>y<math>a^2</math>z __NOTOC__", "x\nyz"),
        ("[[de:Salz]][[Category:A]][[:Category:B|cats]] [[wikt:salt|salt]] [[File:a.png|thumb|b [[c]]]]", "cats salt"),
        ("unclosed {{a [[b]] and [[c", "unclosed a b and c"),
        (": indented\n; term\n----\n# one", "indented\nterm\n\n- one"),
    ],
)  # fmt: skip
def test_wikitext(text: str, wanted: str) -> None:
    assert plain_text(text).text == wanted


def test_links_and_categories() -> None:
    text = "[[salt_water|x]] [[Salt water#a]] [[:File:x]] [[Help:me]] [[wikt:x]] [[#a]] [[Q&amp;A]] [[Category: b_c]]"
    plain = plain_text(text, Wiki(namespaces={"help": 12, "category": 14, "file": 6}))
    assert plain.links == ["Salt water", "Q&A"] and plain.categories == ["B c"]
    assert plain_text("[[iPod]]", Wiki(capitals=False)).links == ["iPod"]


@pytest.mark.parametrize(
    "mark", ["{{", "[[", "{{a|", "<ref>", "{|\n", "<!--", "<nowiki>", "[http://x ", "''", "( {{a}},", "\n=a"]
)
def test_marks_without_end_take_linear_time(mark: str) -> None:
    assert plain_text(mark * 30_000 + "end").text.endswith("end") or mark in ("<ref>", "{|\n")


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("=a" + " " * 40_000 + "b", "=a" + " " * 40_000 + "b"),
        ("a" + " " * 40_000 + "b", "a" + " " * 40_000 + "b"),
        ("[http://" + "a" * 40_000, "[http://" + "a" * 40_000),
        ("[http://a" + " " * 40_000 + "b", "[http://a" + " " * 40_000 + "b"),
        ("{{x}} " * 20_000 + "b", "b"),
        ("a{{x}}" + ", {{x}}" * 20_000 + "b", "a" + "," * 20_000 + "b"),
    ],
)
def test_long_runs_take_linear_time(text: str, wanted: str) -> None:
    assert plain_text(text).text == wanted


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("== a ==\nt", "a\n\nt"),
        ("=== a ==\nt", "= a\n\nt"),
        ("==a===\nt", "a=\n\nt"),
        ("=====\nt", "=\n\nt"),
        ("==\nt", "==\nt"),
        ("======= a =======\nt", "= a =\n\nt"),
    ],
)
def test_headings_with_signs_too_many(text: str, wanted: str) -> None:
    assert plain_text(text).text == wanted


def test_numbers_of_characters_that_python_does_not_read() -> None:
    huge = f"&#{'9' * 5000};"
    plain = plain_text(f"a{huge}b&#65; <nowiki>{huge}</nowiki> [[x{huge}]]")
    assert plain.text == "a\ufffdbA \ufffd x\ufffd" and plain.links == ["X\ufffd"]


def test_a_namespace_of_thousands_of_digits(tmp_path: Path, helpers: Any) -> None:
    path = tmp_path / "a.xml"
    head = HEAD.replace('key="4"', f'key="{"4" * 5000}"')
    path.write_text(head + page("A", "One.").replace("<ns>0<", f"<ns>{'1' * 5000}<") + page("B", "Two."))
    documents, broken = helpers.read("mediawiki", path=str(path))
    assert ([document.text for document in documents], broken) == (["One.", "Two."], [])


def test_a_file_that_is_no_dump(tmp_path: Path, helpers: Any) -> None:
    path = tmp_path / "a.xml"
    path.write_text("<feed><title>x</title></feed>")
    (row,) = helpers.read("mediawiki", path=str(path))[1]
    assert (row.file, row.line, row.reason) == (str(path), 0, "no <page> in it")
    path.write_text(HEAD + "</mediawiki>")
    assert helpers.read("mediawiki", path=str(path)) == ([], [])


@given(st.text(alphabet=st.sampled_from("ab|=*:\n '[]{}<>/!-&;()"), max_size=60))
@settings(max_examples=200, deadline=None)
def test_any_text_gives_a_text(text: str) -> None:
    found = plain_text(text).text
    assert found == found.strip() and not set(found) & set("\0\1\2")


PAGES = [page(f"P{number}", f"Text {number}. " * 5) for number in range(8)]
DUMP = (HEAD + "".join(PAGES) + "</mediawiki>").encode()


@given(st.floats(0, 1), st.binary(min_size=1, max_size=30), st.booleans(), st.integers(1, 300))
@settings(max_examples=150, deadline=None)
def test_damage_in_one_place_costs_no_more_than_two_pages(
    share: float, damage: bytes, is_lost: bool, step: int
) -> None:
    place = int(share * len(DUMP))
    data = DUMP[:place] + (b"" if is_lost else damage) + DUMP[place + len(damage) :]
    chunks = [data[start : start + step] for start in range(0, len(data), step)]
    items = list(records(InputFile("a.xml", "a", len(data), lambda: iter(chunks)), "page"))
    whole = [item[1].decode("utf8", "replace") for item in items if not isinstance(item, Unreadable)]
    assert len(set(whole) & {text.strip() for text in PAGES}) >= len(PAGES) - 2
    assert len(items) <= len(PAGES) + 2
