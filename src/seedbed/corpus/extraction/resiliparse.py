"""Extraction by resiliparse's rules."""

from __future__ import annotations

from seedbed.corpus import extractors
from seedbed.corpus.input.pages import NoText, Page, decoded

_DEEPEST = 500  # elements within elements; main-content extraction takes time with the square of the depth
_TOO_DEEP = " > ".join(["*"] * _DEEPEST)


@extractors.register("resiliparse", extra=("resiliparse", "html"))
class Resiliparse:
    """Main content by the rules of resiliparse (Bevendorff et al., 2018), written in C++ and Rust: tens of MB/s.

    With `main_content` navigation, footers, advertisements and the like are left out, by the names of tags, classes
    and ids; else all visible text stays. `comments` are those of a page's readers. Paragraphs, lists and preformatted
    text keep their lines. A page that nests 500 elements is broken, and refused: the time would grow with the square of
    the depth (11 s for 20,000).
    """

    def __init__(self, main_content: bool = True, comments: bool = False) -> None:
        self.main_content, self.comments = main_content, comments

    def extract(self, page: bytes, encoding: str | None = None, url: str = "") -> Page:
        from resiliparse.extract.html2text import extract_plain_text
        from resiliparse.parse.html import HTMLTree

        del url
        tree = HTMLTree.parse(decoded(page, encoding))
        document = tree.document
        if document is None:
            raise NoText("not HTML")
        if self.main_content and document.query_selector(_TOO_DEEP) is not None:
            raise NoText(f"more than {_DEEPEST} elements within each other")
        text = extract_plain_text(tree, main_content=self.main_content, comments=self.comments, alt_texts=False)
        if not text.strip():
            raise NoText("the page has no text")
        root = document.query_selector("html")
        language = root.getattr("lang", "") if root is not None else ""
        return Page(text.strip("\n"), (tree.title or "").strip(), (language or "").strip())
