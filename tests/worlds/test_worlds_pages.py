"""The world of web pages: what its truth says of the HTML, and that an extractor can be judged by it."""

from __future__ import annotations

import json
from typing import Any

import numpy as np

from seedbed.corpus.neural.alignment import from_article, words_of
from seedbed.corpus.neural.labeled import is_held_back, labeled_pages, site_of
from seedbed.corpus.neural.nodes import read_page


def test_the_parts_are_where_the_truth_says(helpers: Any) -> None:
    documents, truth = helpers.made("pages", documents=80)
    roles = set()
    for row in truth["pages"]:
        page = documents[row["document"]]
        pieces: dict[str, list[str]] = {}
        for part in row["parts"]:
            pieces.setdefault(part["role"], []).append(page.text[part["start"] : part["end"]])
        roles |= set(pieces)
        assert words_of(" ".join(pieces["main"])) == words_of(page.metadata["article"])
        assert not any("<" in piece or ">" in piece for own in pieces.values() for piece in own)
        assert page.metadata["must_not"][0] in " ".join(pieces["teaser"])
        assert page.metadata["must_have"][0] in page.metadata["article"]
        assert site_of(page.metadata["url"]) == row["site"] == page.source
    assert roles == {"main", "menu", "teaser", "comment", "footer"}


def test_nodes_and_labels_agree_with_the_truth(helpers: Any) -> None:
    documents, truth = helpers.made("pages", documents=40)
    wrong = total = 0
    for row in truth["pages"]:
        page = documents[row["document"]]
        main = page.metadata["article"].split("\n\n")
        texts = read_page(page.text).texts
        labels_N = from_article(texts, page.metadata["article"])
        assert [text for text in texts if text in main] == main
        wrong += int((labels_N != np.array([text in main for text in texts])).sum())
        total += len(texts)
    assert wrong <= 0.02 * total  # a short comment may be in the words of the article


def test_pages_of_one_site_are_alike(helpers: Any) -> None:
    documents, _ = helpers.made("pages", documents=200, sites=5, plain=0.0)
    by_site: dict[str, set[str]] = {}
    for page in documents.values():
        by_site.setdefault(page.source, set()).add(page.text.split('class="')[1].split('"')[0])
    assert len(by_site) == 5 and all(len(names) == 1 for names in by_site.values())


def test_a_corpus_of_pages_is_labeled(run: Any) -> None:
    corpus = run("generate", world={"pages": {"documents": 60, "sites": 12}}, split={"test": 0.2}, seed=3)
    pages = list(labeled_pages([corpus]))
    assert len(pages) == corpus.num_documents("train") and all(page.article and page.must_not for page in pages)
    held = [[page.id for page in pages if is_held_back(page, 4, seed)] for seed in range(4)]
    assert sorted(id for part in held for id in part) == sorted(page.id for page in pages)
    sites = [{page.site for page in pages if is_held_back(page, 4, seed)} for seed in range(4)]
    assert sum(map(len, sites)) == len(set().union(*sites))
    rows = list(corpus.documents("train"))
    assert {json.loads(row["metadata"])["site"] for row in rows} == {page.site for page in pages}
