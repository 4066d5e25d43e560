"""Extraction by trafilatura's rules."""

from __future__ import annotations

import logging
import re
from typing import Literal

from seedbed.corpus import extractors
from seedbed.corpus.input.pages import NoText, Page, decoded

_log, _quiet = logging.getLogger("trafilatura"), logging.NullHandler()  # it reports broken pages; NoText does that

_LONGEST = 8 << 20
# Either costs lxml the text of the whole page: an XML declaration without a doctype, and control characters by number.
_DECLARATION = re.compile(r"\A\s*<\?xml[^<>]*>")
_CONTROL = re.compile(
    r"&#(?:0*(?:[0-8]|1[124-9]|2[0-9]|3[01])(?![0-9])|[xX]0*(?:[0-8bBcCe-fE-F]|1[0-9a-fA-F])(?![0-9a-fA-F]));?"
)


@extractors.register("trafilatura", version=2, extra=("trafilatura", "html"))
class Trafilatura:
    """Main content by trafilatura (Barbaresi, ACL 2021): rules, with readability and jusText to compare with.

    On 122 articles with hand-made text F1 of words is 0.97 (resiliparse: 0.94), on strings of 182 pages that belong to
    the text or do not 0.93 (0.86); it takes 7 to 9 times as long, a few MB/s (benchmarks/extraction.py).
    `favor` trades what is missed for what is taken by mistake. Without `fast` the two others' texts are made too and
    the best is taken, which was no better there, and slower. `comments` are those of a page's readers. Metadata are not
    extracted, which would take longer than the text. Nothing is remembered from one page to the next. Where the rules
    find less than 250 characters, it takes all text of the body. A page of more than 8 MB is refused: 2 MB of small
    elements take 6 s, and longer ones more than in proportion.
    """

    def __init__(
        self,
        favor: Literal["balance", "precision", "recall"] = "balance",
        fast: bool = True,
        comments: bool = False,
        tables: bool = True,
    ) -> None:
        self.favor, self.fast, self.comments, self.tables = favor, fast, comments, tables

    def extract(self, page: bytes, encoding: str | None = None, url: str = "") -> Page:
        import trafilatura

        if len(page) > _LONGEST:
            raise NoText(f"a page of more than {_LONGEST} bytes")
        _log.addHandler(_quiet)
        tree = trafilatura.load_html(_CONTROL.sub("", _DECLARATION.sub("", decoded(page, encoding))))
        if tree is None:
            raise NoText("not HTML")
        language, title = tree.get("lang") or "", tree.findtext(".//title") or ""
        text = trafilatura.extract(
            tree,
            url=url or None,
            fast=self.fast,
            favor_precision=self.favor == "precision",
            favor_recall=self.favor == "recall",
            include_comments=self.comments,
            include_tables=self.tables,
        )
        if not text or not text.strip():
            raise NoText("the page has no text")
        return Page(text, " ".join(title.split()), language.strip())
