"""JATS articles: text by parts, metadata, licenses, and XML that would do harm or is broken."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

ARTICLE = """<?xml version="1.0" encoding="UTF-8"?>
<!DOCTYPE article PUBLIC "-//NLM//DTD JATS (Z39.96) Journal Archiving DTD v1.0//EN" "JATS-archivearticle1.dtd">
<article article-type="research-article" xml:lang="en" xmlns:xlink="http://www.w3.org/1999/xlink">
<front><journal-meta><journal-title-group><journal-title>Made-up
 Medicine</journal-title></journal-title-group></journal-meta>
<article-meta><article-id pub-id-type="pmid">123</article-id><article-id pub-id-type="pmc">45</article-id>
<article-id pub-id-type="doi">10.1/x</article-id>
<title-group><article-title>Salt &amp; <italic>soup</italic>&nbsp;of today</article-title></title-group>
<contrib-group><contrib><name><surname>Nobody</surname></name></contrib></contrib-group>
<pub-date pub-type="collection"><year>2012</year></pub-date><pub-date pub-type="epub"><year>2011</year></pub-date>
<permissions><copyright-statement>(c) all</copyright-statement>
<license license-type="open-access" xlink:href="https://creativecommons.org/licenses/by/2.0/"><p>Free.</p></license>
</permissions>
<abstract><sec><title>Background</title><p>We cooked.</p></sec></abstract>
<abstract abstract-type="graphical"><p>A picture.</p></abstract>
<kwd-group><kwd>salt</kwd><kwd>soup</kwd></kwd-group></article-meta></front>
<body><sec><label>1</label><title>Methods</title>
<p>Salt was added [<xref ref-type="bibr" rid="b1">1</xref>, <xref ref-type="bibr" rid="b2">2</xref>], as usual
 <sup><xref ref-type="bibr">3</xref>,<xref ref-type="bibr">4</xref></sup>. See <xref ref-type="fig">Figure 1</xref>
 (and <xref ref-type="bibr">5</xref>).</p>
<p>Steps:<list><list-item><p>heat</p></list-item><list-item><p>stir</p></list-item></list> and wait,
 <inline-formula><tex-math>\\documentclass{x}\\begin{document}$x^2$\\end{document}</tex-math></inline-formula>.</p>
<fig><label>Figure 1</label><caption><p>A pot.</p></caption><graphic/></fig>
<table-wrap><caption><p>Salts</p></caption><table><tr><th>kind</th><th>g</th></tr><tr><td>sea</td><td>3</td></tr></table>
<table-wrap-foot><fn><p>a foot</p></fn></table-wrap-foot></table-wrap></sec></body>
<back><ack><p>Thanks.</p></ack><ref-list><ref id="b1"><mixed-citation>Doe. Salt. 1999.</mixed-citation></ref></ref-list>
</back></article>"""
TEXT = [
    "Salt & soup of today",
    "Background",
    "We cooked.",
    "Methods",
    "Salt was added, as usual. See Figure 1 (and).",
    "Steps:",
    "- heat",
    "- stir",
    "and wait, .",
]


def write(folder: Path, text: str | bytes, name: str = "a.nxml") -> str:
    path = folder / "in" / name
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return str(path)


def test_an_article(tmp_path: Path, helpers: Any) -> None:
    (document,), broken = helpers.read("jats", path=write(tmp_path, ARTICLE))
    assert not broken
    assert document.text.split("\n\n") == TEXT
    assert (document.id, document.license, document.source) == ("PMC45", "CC-BY-2.0", "in/a.nxml")
    assert document.metadata == {
        "title": "Salt & soup of today",
        "journal": "Made-up Medicine",
        "year": 2011,
        "pmid": "123",
        "pmcid": "PMC45",
        "doi": "10.1/x",
        "article_type": "research-article",
        "language": "en",
        "keywords": ["salt", "soup"],
    }


@pytest.mark.parametrize(
    ("keep", "wanted"),
    [
        ("tables", ["Salts", "kind\tg", "sea\t3"]),
        ("formulas", ["and wait, $x^2$ ."]),
        ("captions", ["A pot."]),
        ("citations", ["Salt was added [1, 2], as usual 3,4. See Figure 1 (and 5)."]),
        ("references", ["Doe. Salt. 1999."]),
    ],
)
def test_what_may_be_kept(keep: str, wanted: list[str], tmp_path: Path, helpers: Any) -> None:
    (document,), _ = helpers.read("jats", path=write(tmp_path, ARTICLE), keep=[keep])
    assert [block for block in document.text.split("\n\n") if block not in TEXT] == wanted


def test_parts_of_an_article(tmp_path: Path, helpers: Any) -> None:
    (document,), _ = helpers.read("jats", path=write(tmp_path, ARTICLE), parts=["abstract"])
    assert document.text == "Background\n\nWe cooked." and document.metadata["title"] == TEXT[0]


def test_a_broken_article_costs_itself(tmp_path: Path, helpers: Any) -> None:
    good = "<article><front><article-meta><title-group><article-title>T{0}</article-title></title-group></article-meta>"
    good += "</front><body><p>Text {0}.</p></body></article>\n"
    raw = [
        "<?xml version='1.0'?><pmc-articleset>\n",
        *(good.format(number) for number in range(8)),
        "</pmc-articleset>",
    ]
    raw[2] = raw[2].replace("</p>", "")
    raw[4] = raw[4].replace("</article>", "")
    raw[6] = "<article><body/></article>\n"
    data = "".join(raw).encode().replace(b"Text 6", b"Text \xff")
    documents, broken = helpers.read("jats", path=write(tmp_path, data))
    assert [document.text for document in documents] == [f"T{n}\n\nText {n}." for n in (0, 2, 4, 7)]
    assert [row.line for row in broken] == [3, 5, 7, 8]
    assert [row.reason.split(":")[0] for row in broken] == [
        "not XML",
        "<article> does not end",
        "an article without text",
        "not XML",
    ]
    documents, broken = helpers.read("jats", path=write(tmp_path, data[:-40]))
    assert len(documents) == 3 and broken[-1].reason == "<article> does not end"


def test_entities_cannot_do_harm(tmp_path: Path, helpers: Any) -> None:
    secret = tmp_path / "secret.txt"
    secret.write_text("a secret")
    laughs = "".join(f'<!ENTITY l{n} "{f"&l{n - 1};" * 10}">' for n in range(1, 10))
    for declared, used in [
        (f'<!ENTITY l0 "ha">{laughs}', "&l9;"),
        (f'<!ENTITY out SYSTEM "{secret.as_uri()}">', "&out;"),
    ]:
        text = f"<!DOCTYPE article [{declared}]><article><body><p>{used}</p></body></article>"
        documents, broken = helpers.read("jats", path=write(tmp_path, text))
        assert not documents and "undefined entity" in broken[0].reason
    deep = "<article><body>" + "<sec>" * 50_000 + "deep" + "</sec>" * 50_000 + "</body></article>"
    documents, broken = helpers.read("jats", path=write(tmp_path, deep))
    assert not documents and broken[0].reason == "elements nested too deep"


@pytest.mark.parametrize("encoding", ["iso-8859-1", "utf-16", "no-such"])
def test_other_encodings(encoding: str, tmp_path: Path, helpers: Any) -> None:
    text = f'<?xml version="1.0" encoding="{encoding}"?><article><body><p>Größe</p></body></article>'
    known = encoding != "no-such"
    documents, broken = helpers.read("jats", path=write(tmp_path, text.encode(encoding if known else "utf8")))
    assert [document.text for document in documents] == (["Größe"] if known else [])
    assert len(broken) == (not known)


@pytest.mark.parametrize(
    ("license", "wanted"),
    [
        ('<license><p>See <ext-link xlink:href="http://@/licenses/by-nc/3.0/us/"/></p></license>', "CC-BY-NC-3.0-US"),
        ("<license><ali:license_ref>https://@/publicdomain/zero/1.0/</ali:license_ref></license>", "CC0-1.0"),
        ("<license><p>Ask us.</p></license>", ""),
        ("<copyright-statement>Ask us.</copyright-statement>", ""),
    ],
)  # fmt: skip
def test_licenses(license: str, wanted: str, tmp_path: Path, helpers: Any) -> None:
    license = license.replace("@", "creativecommons.org")
    text = f"<article><front><article-meta><permissions>{license}</permissions></article-meta></front>"
    (document,), _ = helpers.read("jats", path=write(tmp_path, text + "<body><p>x</p></body></article>"))
    assert document.license == wanted
    assert document.metadata == ({} if wanted else {"license_text": "Ask us."})
    assert document.id == "in/a.nxml:1"


def test_runs_and_unclosed_tex_take_linear_time(tmp_path: Path, helpers: Any) -> None:
    tex = "<tex-math>" + "\\begin{document}" * 20_000 + "</tex-math>"
    body = f"<p>a{' ' * 50_000}b<xref ref-type='bibr'>1</xref></p><p><inline-formula>{tex}</inline-formula></p>"
    text = f"<article><front/><body>{body}</body></article>"
    (document,), broken = helpers.read("jats", path=write(tmp_path, text), keep=["formulas"])
    assert not broken
    assert document.text == "a b\n\n" + "\\begin{document}" * 20_000


def test_a_cell_of_citations_stays_a_cell(tmp_path: Path, helpers: Any) -> None:
    cells = "<td>a</td><td>[<xref ref-type='bibr'>1</xref>]</td><td>b</td>"
    text = f"<article><body><table-wrap><table><tr>{cells}</tr></table></table-wrap></body></article>"
    (document,), _ = helpers.read("jats", path=write(tmp_path, text), keep=["tables"])
    assert document.text == "a\t\tb"


@pytest.mark.parametrize("label", ["undefined", "idna", "punycode", "nobody-knows-9"])
def test_encodings_that_cannot_be(label: str, tmp_path: Path, helpers: Any) -> None:
    text = f"<?xml version='1.0' encoding='{label}'?><article><body><p>größer</p></body></article>"
    documents, (row,) = helpers.read("jats", path=write(tmp_path, text))
    assert not documents and label in row.reason


def test_a_file_that_says_utf_16_and_is_not(tmp_path: Path, helpers: Any) -> None:
    text = "<?xml version='1.0' encoding='UTF-16'?><article><body><p>größer</p></body></article>"
    for content in (text.encode(), text.encode("utf-16")):
        (document,), broken = helpers.read("jats", path=write(tmp_path, content))
        assert document.text == "größer" and not broken


def test_a_file_without_an_article(tmp_path: Path, helpers: Any) -> None:
    documents, (row,) = helpers.read("jats", path=write(tmp_path, "<book><p>no article</p></book>"))
    assert not documents and row.reason == "no <article> in it" and row.line == 0
    assert helpers.read("jats", path=write(tmp_path, "")) == ([], [])
