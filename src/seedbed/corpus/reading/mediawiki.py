"""Dumps of wikis."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from xml.etree.ElementTree import Element

from seedbed.core.source import Source
from seedbed.corpus import readers
from seedbed.corpus.documents import Document, Unreadable
from seedbed.corpus.input.files import InputFile
from seedbed.corpus.input.markup import BadMarkup, parsed, records
from seedbed.corpus.input.side_by_side import documents_of_files
from seedbed.corpus.input.wikitext import Wiki, plain_text

EXTENSIONS = (".xml",)
_NAMESPACE = re.compile(rb"<ns>\s*(-?\d{1,9})\s*</ns>")
_REDIRECT = re.compile(rb"<redirect[\s/>]")
_HEAD = 4096  # bytes of a page that hold its namespace, and say that it is a redirect


@readers.register("mediawiki", version=2)
class MediaWiki:
    """XML dumps of Wikipedia and other MediaWikis (`...-pages-articles.xml.bz2`), one document a page.

    Read front to back, a page at a time: the latest revision that the dump has of a page in one of the `namespaces` (0
    are the articles). Its wikitext becomes plain text (see corpus/input/wikitext.py). Metadata: title, page, revision,
    timestamp, url, `links` (titles of the articles that it links to, in order) and `categories`. An id is the wiki's
    name and the title (`enwiki:Salt`), so that a link names the document that it leads to.

    Passed over, and counted in `passed`, are redirects, pages of other namespaces, and pages without text of their own
    or that are no wikitext. A broken page goes to the quarantine.
    """

    extensions = EXTENSIONS

    def __init__(
        self,
        path: Source,
        namespaces: list[int] = [0],  # noqa: B006
        domain: str = "",
        license: str = "",
    ) -> None:
        self.path = Source.parse(path)
        self.namespaces = frozenset(namespaces)
        self.domain, self.license = domain, license
        self.passed: Counter[str] = Counter()

    def __iter__(self) -> Iterator[Document | Unreadable]:
        return documents_of_files(self)

    def documents(self, file: InputFile) -> Iterator[Document | Unreadable]:
        wiki, base = Wiki(), ""
        for item in records(file, "siteinfo", "page"):
            if isinstance(item, Unreadable):
                yield item
                continue
            line, record = item
            reason = self._reason_to_pass(record)
            if reason:
                self.passed[reason] += 1
                continue
            try:
                element = parsed(record)
                if element.tag == "siteinfo":
                    wiki, base = _wiki(element), element.findtext("base") or ""
                    continue
                document = self._document(element, wiki, base, file.name, line)
            except BadMarkup as error:
                yield Unreadable(file.where, line, str(error))
                continue
            if document is None:
                self.passed["no text"] += 1
            else:
                yield document

    def _reason_to_pass(self, record: bytes) -> str:
        head = record[:_HEAD].partition(b"<revision")[0]
        space = _NAMESPACE.search(head)
        if space and int(space[1]) not in self.namespaces:
            return "another namespace"
        return "redirect" if _REDIRECT.search(head) else ""

    def _document(self, page: Element, wiki: Wiki, base: str, name: str, line: int) -> Document | None:
        title, revisions = page.findtext("title") or "", page.findall("revision")
        if not title or not revisions:
            raise BadMarkup("a page without title or revision")
        revision = max(revisions, key=lambda revision: revision.findtext("timestamp") or "")
        if (revision.findtext("model") or "wikitext") != "wikitext":
            return None
        plain = plain_text(revision.findtext("text") or "", wiki)
        if not plain.text:
            return None
        metadata = {
            "title": title,
            "page": page.findtext("id"),
            "revision": revision.findtext("id"),
            "timestamp": revision.findtext("timestamp"),
            "url": base.rpartition("/")[0] + "/" + title.replace(" ", "_") if base else None,
            "categories": plain.categories,
            "links": plain.links,
        }
        place = f"{name}:{line}"
        metadata = {key: value for key, value in metadata.items() if value}
        id = f"{wiki.name}:{title}" if wiki.name else title
        return Document(id, plain.text, name, self.license, self.domain, metadata, place=place)


def _wiki(siteinfo: Element) -> Wiki:
    """The wiki's own names of its namespaces, beside those that every wiki knows."""
    known = dict(Wiki().namespaces)
    for element in siteinfo.findall("namespaces/namespace"):
        if element.text and re.fullmatch(r"-?\d{1,9}", element.get("key", "")):
            known[element.text.strip().lower()] = int(element.get("key", "0"))
    capitals = (siteinfo.findtext("case") or "first-letter") == "first-letter"
    return Wiki((siteinfo.findtext("dbname") or "").strip(), known, capitals)
