from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import ClassVar

from seedbed.core.errors import InputError
from seedbed.corpus.documents import Document
from seedbed.worlds import DOCUMENTS, Row, Truth, worlds
from seedbed.worlds.annotate import about
from seedbed.worlds.dice import Dice
from seedbed.worlds.prose import TOPICS, prose
from seedbed.worlds.words import lexicon

_NAMES = {
    "main": ("content", "article-body", "post", "entry-content", "story", "main-text"),
    "menu": ("nav", "menu", "navbar", "header-links"),
    "teaser": ("related", "sidebar", "more-stories", "widget"),
    "comment": ("comments", "responses", "discussion"),
    "footer": ("footer", "copyright", "legal"),
}
_TAGS = {"main": ("article", "main"), "menu": ("nav", "header"), "teaser": ("aside",), "footer": ("footer",)}
_NOTES = (
    "We use cookies so that {} works better.",
    "{}. All rights reserved. No part of this page may be copied.",
    "Subscribe to the letter of {} and read more every week.",
    "Terms of use, privacy and imprint of {}",
)
_Part = tuple[str, str]  # the role, or nothing, and what is written


@worlds.register("pages")
class Pages:
    """Web pages whose main text is known, from the templates of `sites` sites: for extractors.

    A document's text is the page as HTML; its metadata have `url`, `site`, `article`, the main text (a heading and
    paragraphs of prose, with links and emphasis in them), and strings that `must_have` and `must_not` be taken out of
    it: a paragraph, and a teaser. Around the main text stand menus, teasers of other pages (whole
    sentences), comments of readers (whole paragraphs), notes and footers, in an order, under tags and class names that
    are the site's own; `plain` is the share of sites whose names and tags say nothing. Pages of one site are in the
    same split, so that templates of the test are new.

    truth/pages.jsonl: document, site, parts [{role, start, end}]: of every piece of text in the page, in characters:
    main, menu, teaser, comment or footer.

    Labels: `parts` (sentences: the pieces of text of a page and their roles).
    """

    documents_per_second: ClassVar[float] = 1500
    bytes_per_document: ClassVar[float] = 3500
    split_by: ClassVar[str] = "metadata.site"
    tasks: ClassVar[Mapping[str, str]] = {"parts": "sentences"}

    def __init__(self, documents: int = DOCUMENTS, *, sites: int = 40, plain: float = 0.5, vocabulary: int = 0) -> None:
        for name, number in (("documents", documents), ("sites", sites)):
            if number < 1:
                raise InputError(name, "must be at least 1", value=number)
        if not 0 <= plain <= 1:
            raise InputError("plain", "is a share between 0 and 1", value=plain)
        self.documents, self.sites, self.plain, self.vocabulary = documents, sites, plain, vocabulary
        self._prose, self._words = prose(vocabulary), lexicon(vocabulary)

    def stream(self, seed: int) -> Iterator[Document | Truth]:
        for number in range(self.documents):
            dice = Dice(seed, "pages", self.vocabulary, number)
            site, topic = dice.below(self.sites), dice.below(TOPICS)
            host = f"{self._words.nouns[site % len(self._words.nouns)]}-{site}.example"
            pieces, known = self._page(dice, Dice(seed, "site", self.vocabulary, site), topic, host)
            parts, place = [], 0
            for role, text in pieces:
                if role:
                    parts.append({"role": role, "start": place, "end": place + len(text)})
                place += len(text)
            id = f"page-{number:07d}"
            facts = {"url": f"https://www.{host}/{number}.html", "site": host, **known}
            yield Document(id, "".join([text for _, text in pieces]), source=host, domain="pages", metadata=facts)
            yield Truth("pages", {"document": id, "site": host, "parts": parts})

    def records(self, task: str, texts: Mapping[str, str], truth: Callable[[str], Iterator[Row]]) -> Iterator[Row]:
        del task
        for id, text, row in about(texts, truth("pages")):
            pieces = [text[part["start"] : part["end"]] for part in row["parts"]]
            yield {"id": id, "sentences": pieces, "labels": [part["role"] for part in row["parts"]]}

    def _page(self, dice: Dice, site: Dice, topic: int, host: str) -> tuple[list[_Part], Row]:
        """The pieces of a page, and what its metadata say of it."""
        is_plain = site.chance(self.plain)
        title = self._prose.sentence(dice, topic).rstrip(".")
        lines = [self._prose.paragraph(dice, topic, 2 + dice.below(4)) for _ in range(2 + dice.below(4))]
        blocks = {
            "main": [("h1", title), *(("p", line) for line in lines)],
            "menu": [("li", site.pick(self._words.nouns).title()) for _ in range(4 + site.below(6))],
            "teaser": [("li", self._prose.sentence(dice, dice.below(TOPICS))) for _ in range(3 + dice.below(4))],
            "comment": [("p", self._prose.paragraph(dice, topic, 1 + dice.below(3))) for _ in range(dice.below(4))],
            "footer": [("p", site.pick(_NOTES).format(host)) for _ in range(1 + site.below(2))],
        }
        inner = [role for role in site.shuffled(("main", "teaser")) if blocks[role]]
        order = ["menu", *inner, "comment", "footer"] if site.chance(0.8) else [*inner, "comment", "menu", "footer"]
        pieces: list[_Part] = [("", f"<!DOCTYPE html>\n<html lang=en><head><title>{title}</title></head><body>\n")]
        for role in order:
            pieces += self._block(dice, site, role, blocks[role], is_plain)
        pieces.append(("", "</body></html>\n"))
        teaser = blocks["teaser"][0][1]
        return pieces, {"article": "\n\n".join([title, *lines]), "must_have": lines[:1], "must_not": [teaser]}

    def _block(
        self, dice: Dice, site: Dice, role: str, items: list[tuple[str, str]], is_plain: bool
    ) -> Iterator[_Part]:
        """One part of the page in the elements that the site uses for it."""
        name = site.pick(self._words.nouns) if is_plain else site.pick(_NAMES[role])
        tag = "div" if is_plain or site.chance(0.5) else site.pick(_TAGS.get(role, ("section",)))
        depth = 1 + site.below(3)
        linked = role in ("menu", "teaser")
        yield "", f'<{tag} class="{name}">' + "<div>" * depth + "\n"
        for kind, text in items:
            yield "", f"<{kind}>" + '<a href="/x">' * linked
            yield from _inline(dice, role, text)
            yield "", "</a>" * linked + f"</{kind}>\n"
        yield "", "</div>" * depth + f"</{tag}>\n"


def _inline(dice: Dice, role: str, text: str) -> Iterator[_Part]:
    """A text; some of the main ones have a word in an element of its own."""
    words = text.split(" ")
    if role != "main" or len(words) < 4 or not dice.chance(0.4):
        yield role, text
        return
    place = 1 + dice.below(len(words) - 2)
    begin, end = dice.pick((('<a href="/y">', "</a>"), ("<b>", "</b>"), ("<em>", "</em>")))
    yield role, " ".join(words[:place]) + " "
    yield "", begin
    yield role, words[place]
    yield "", end
    yield role, " " + " ".join(words[place + 1 :])
