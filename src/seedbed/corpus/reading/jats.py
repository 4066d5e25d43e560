"""Scholarly articles in JATS, the XML of PubMed Central."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, Literal
from xml.etree.ElementTree import Element

from seedbed.core.source import Source
from seedbed.corpus import readers
from seedbed.corpus.documents import Document, Unreadable
from seedbed.corpus.input.files import InputFile
from seedbed.corpus.input.markup import BadMarkup, local, parsed, records
from seedbed.corpus.input.side_by_side import documents_of_files
from seedbed.corpus.licensing.texts import license_of_link

EXTENSIONS = (".xml", ".nxml")
Part = Literal["title", "abstract", "body"]
Extra = Literal["tables", "formulas", "captions", "citations", "references"]

_BLOCKS = frozenset(
    "abstract body sec title p list list-item def-list def-item term def disp-quote boxed-text verse-group verse-line "  # noqa: SIM905
    "statement speech table-wrap table thead tbody tfoot tr fig caption disp-formula ref preformat code".split()
)
_EXTRAS: dict[str, tuple[str, ...]] = {
    "tables": ("table-wrap", "table-wrap-group"),
    "formulas": ("disp-formula", "disp-formula-group", "inline-formula", "chem-struct-wrap"),
    "captions": ("fig", "fig-group"),
}
_NEVER = frozenset(
    "label object-id graphic inline-graphic media supplementary-material inline-supplementary-material fn fn-group "  # noqa: SIM905
    "table-wrap-foot annotation permissions sub-article response ref-list related-article".split()
)
_CITED = "\0"  # where a citation stood
_PUNCTUATION = r"[\s,;\u2012-\u2014-]*"
_EMPTIED = re.compile(rf" ?[\[(]{_PUNCTUATION}(?:\0{_PUNCTUATION})+[\])]| ?\0(?:{_PUNCTUATION}\0)*")
_NO_ABSTRACT = ("graphical", "teaser", "toc", "key-points", "plain-language-summary", "web-summary")
_LANGUAGE = "{http://www.w3.org/XML/1998/namespace}lang"
_LINK = "{http://www.w3.org/1999/xlink}href"


@readers.register("jats", version=2)
class Jats:
    """Articles in JATS (NISO Z39.96), as PubMed Central and many publishers give them: files of one article or several.

    A document is the title, the abstract and the body, each heading and paragraph a block of its own, blank lines
    between; `parts` takes less. Left out, unless `keep` names them, are tables (rows of cells parted by tabs), formulas
    (TeX where there is some, else the characters), captions of figures, citations in the text (with the brackets that
    they leave empty), and the list of references. Never taken: labels, footnotes, acknowledgments, appendices,
    sub-articles.

    Metadata: title, journal, year, pmid, pmcid, doi, article_type, language, keywords. The license is that of the
    permissions element, as `CC-BY-4.0` where it links to Creative Commons; any other one stands in the metadata as
    `license_text`. An id is `PMC...`, else `pmid:...`, else `doi:...`, else file and line. An article that is not
    well-formed or has no text goes to the quarantine.
    """

    extensions = EXTENSIONS

    def __init__(
        self,
        path: Source,
        parts: list[Part] = ["title", "abstract", "body"],  # noqa: B006
        keep: list[Extra] = [],  # noqa: B006
        domain: str = "",
        license: str = "",
    ) -> None:
        self.path = Source.parse(path)
        self.parts, self.keep = tuple(parts), frozenset(keep)
        self.domain, self.license = domain, license
        self._left_out = _NEVER.union(*(names for extra, names in _EXTRAS.items() if extra not in self.keep))

    def __iter__(self) -> Iterator[Document | Unreadable]:
        return documents_of_files(self)

    def documents(self, file: InputFile) -> Iterator[Document | Unreadable]:
        for item in records(file, "article"):
            if isinstance(item, Unreadable):
                yield item
                continue
            line, record = item
            try:
                yield self._document(parsed(record), file.name, line)
            except (BadMarkup, RecursionError) as error:
                reason = "elements nested too deep" if isinstance(error, RecursionError) else str(error)
                yield Unreadable(file.where, line, reason)

    def _document(self, article: Element, name: str, line: int) -> Document:
        for element in article.iter():
            element.tag = local(element.tag)
        blocks = {part: list(self._part(article, part)) for part in ("title", "abstract", "body", "references")}
        wanted = [*self.parts, "references"]
        text = "\n\n".join(block for part, found in blocks.items() if part in wanted for block in found)
        if not any(blocks[part] for part in self.parts):
            raise BadMarkup("an article without text")
        meta = article.find("front/article-meta")
        described, license = _described(article, meta if meta is not None else Element("article-meta"))
        if blocks["title"]:
            described["title"] = " ".join(blocks["title"])
        ids = [described.get(key) for key in ("pmcid", "pmid", "doi")]
        known = [f"{kind}{id}" for kind, id in zip(("", "pmid:", "doi:"), ids, strict=True) if id]
        place = f"{name}:{line}"
        return Document(
            known[0] if known else place, text, name, self.license or license, self.domain, described, place=place
        )

    def _part(self, article: Element, part: str) -> Iterator[str]:
        if part == "references":
            roots = article.findall("back/ref-list/ref") if "references" in self.keep else []
        elif part == "title":
            roots = article.findall("front/article-meta/title-group/article-title")[:1]
        elif part == "abstract":
            found = article.findall("front/article-meta/abstract")
            roots = [root for root in found if root.get("abstract-type") not in _NO_ABSTRACT]
        else:
            roots = article.findall("body")
        for root in roots:
            yield from self._blocks(root)

    def _blocks(self, root: Element) -> Iterator[str]:
        """The text of an element, block by block."""
        pieces = [""]
        self._walk(root, pieces)
        for piece in pieces:
            # Runs of spaces are one before the pattern looks for them from each of their characters.
            plain = "\t".join(" ".join(cell.split()) for cell in piece.split("\t"))
            text = "\t".join(" ".join(cell.split()) for cell in _EMPTIED.sub("", plain).split("\t")).strip()
            if text and text != "-":
                yield text

    def _walk(self, node: Element, pieces: list[str]) -> None:
        name = node.tag
        if name in self._left_out:
            return
        if name == "xref" and node.get("ref-type") == "bibr" and "citations" not in self.keep:
            pieces[-1] += _CITED
            return
        if name in ("tex-math", "break"):
            _, _, behind = (node.text or "").partition("\\begin{document}")
            tex, is_whole, _ = behind.partition("\\end{document}")
            pieces[-1] += f" {tex if is_whole else node.text or ''} "
            return
        if name == "alternatives" and (tex_math := node.find("tex-math")) is not None:
            self._walk(tex_math, pieces)
            return
        is_block = name in _BLOCKS
        if is_block:
            pieces.append("- " if name == "list-item" else "")
            if name == "p" and pieces[-2].strip() == "-":
                pieces[-2:] = ["- "]
        pieces[-1] += node.text.replace("\t", " ") if node.text else ""
        for child in node:
            self._walk(child, pieces)
            pieces[-1] += child.tail.replace("\t", " ") if child.tail else ""
        if is_block:
            pieces.append("")
        elif name in ("td", "th"):
            pieces[-1] += "\t"


def _described(article: Element, meta: Element) -> tuple[dict[str, Any], str]:
    """Metadata, and the license."""
    ids = {id.get("pub-id-type", ""): (id.text or "").strip() for id in meta.findall("article-id")}
    pmcid = ids.get("pmcid") or ids.get("pmc") or ids.get("pmcaid")
    journal = article.find("front/journal-meta//journal-title")
    keywords = [_plain(keyword) for keyword in meta.findall("kwd-group/kwd")]
    found = {
        "journal": _plain(journal),
        "year": _year(meta),
        "pmid": ids.get("pmid"),
        "pmcid": f"PMC{pmcid.upper().removeprefix('PMC')}" if pmcid else "",
        "doi": ids.get("doi"),
        "article_type": article.get("article-type"),
        "language": article.get(_LANGUAGE),
        "keywords": [keyword for keyword in keywords if keyword],
    }
    license, statement = _license(meta)
    if statement and not license:
        found["license_text"] = statement[:500]
    return {name: value for name, value in found.items() if value}, license


def _year(meta: Element) -> int | None:
    """The first year that any form of the article appeared in."""
    years = [(year.text or "").strip() for year in meta.findall("pub-date/year")]
    return min((int(year) for year in years if re.fullmatch(r"[12]\d{3}", year)), default=None)


def _license(meta: Element) -> tuple[str, str]:
    """The license's name if a link tells, and what the permissions say."""
    for element in meta.findall("permissions/license"):
        links = [element.get(_LINK, ""), *(child.get(_LINK, "") for child in element.iter())]
        links += [child.text or "" for child in element.iter("license_ref")]
        statement = _plain(element)
        name = next((name for name in map(license_of_link, [*links, statement]) if name), "")
        return name, statement or next(filter(None, links), "")
    statement = _plain(meta.find("permissions/copyright-statement"))
    return license_of_link(statement), statement


def _plain(element: Element | None) -> str:
    return "" if element is None else " ".join("".join(element.itertext()).split())
