"""Pages of which somebody has said what their text is; and which of them are held back.

A record of a file has `html` (a corpus, as the world `pages` makes one, has it as text), and `article` (the text) or
`must_have` and `must_not` (lists of strings); `url` says which site it is of. Pages of one site stay together, so that
no template of the held-back ones has been seen.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

import numpy as np

from seedbed.core.counters import key
from seedbed.core.errors import InputError
from seedbed.corpus.input.examples import Example, Texts, examples_of

from .alignment import from_article, from_strings


@dataclass(frozen=True)
class LabeledPage:
    """A page and what is known of its text: an article, strings, or both; then the article says what the nodes are."""

    id: str
    site: str
    html: str
    article: str | None
    must_have: tuple[str, ...] = ()
    must_not: tuple[str, ...] = ()

    def labels(self, texts: Sequence[str]) -> np.ndarray:
        """Of the page's text nodes, int8 (N,): 1, 0, or -1 where nothing is known."""
        if self.article is not None:
            return from_article(texts, self.article)
        return from_strings(texts, self.must_have, self.must_not)


def labeled_pages(sources: Sequence[Texts]) -> Iterator[LabeledPage]:
    """All pages. InputError for a record without a page or without anything that is known of it."""
    for source in sources:
        for example in examples_of(source, ["html"], key="pages"):
            yield _page(example)


def is_held_back(page: LabeledPage, folds: int, seed: int) -> bool:
    """Whether a page's site is in the fold that the seed holds back. Seeds in a row hold back each site once in `folds`
    seeds; without folds nothing is held back."""
    return folds > 0 and key(0, "site", page.site) % folds == seed % folds


def check_folds(folds: int) -> None:
    if folds < 0 or folds == 1:
        raise InputError("folds", "is 0 or at least 2", value=folds, fix="0 holds nothing back")


def site_of(url: str) -> str:
    """The part of a host's name that is somebody's: `news.example.co.uk` is of `example.co.uk`."""
    parts = (urlsplit(url).hostname or "").removeprefix("www.").split(".")
    short = len(parts) > 2 and len(parts[-2]) <= 3 and len(parts[-1]) == 2
    return ".".join(parts[-3 if short else -2 :])


def _page(example: Example) -> LabeledPage:
    article = example.fields.get("article")
    strings = [example.fields.get(name) for name in ("must_have", "must_not")]
    if article is None and not any(strings):
        problem = f"the record {example.id} says nothing of its page's text"
        raise InputError("pages", problem, allowed="article, or must_have and must_not")
    for name, value in zip(("must_have", "must_not"), strings, strict=True):
        if value is not None and not (isinstance(value, list) and all(isinstance(item, str) for item in value)):
            raise InputError("pages", f"{name} of the record {example.id} is no list of strings", value=value)
    url = str(example.fields.get("url") or "")
    try:
        site = site_of(url) or example.id
    except ValueError:
        raise InputError("pages", f"url of the record {example.id} is no URL", value=url) from None
    return LabeledPage(
        example.id, site, example.text, None if article is None else str(article), *(tuple(v or ()) for v in strings)
    )
