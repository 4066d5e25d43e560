"""Extraction by a trained network."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING

from seedbed.core.errors import InputError
from seedbed.corpus import extractors
from seedbed.corpus.input.pages import NoText, Page
from seedbed.corpus.neural.extractor import TrainedExtractor

if TYPE_CHECKING:
    from seedbed.corpus.neural.extractor import NodeTagger


@extractors.register("neural", papers=["101"], extra=("resiliparse", "html"))
class Neural:
    """Main content by a network that has learned it from labeled pages (NeuScraper; the step `train_extractor`).

    Text nodes with a probability above `threshold` are kept, one a line. A higher one keeps less, and more surely.
    """

    def __init__(self, model: TrainedExtractor, threshold: float = 0.5) -> None:
        if not 0 <= threshold < 1:
            raise InputError("threshold", "is a probability, at least 0 and below 1", value=threshold)
        self.model, self.threshold = model, threshold

    def extract(self, page: bytes, encoding: str | None = None, url: str = "") -> Page:
        from seedbed.corpus.neural.nodes import read_page

        del url
        nodes = read_page(page, encoding)
        if not nodes.texts:
            raise NoText("the page has no text")
        text = self._network.text(nodes, self.threshold)
        if not text:
            raise NoText("no part of the page is main content")
        return Page(text, nodes.title, nodes.language)

    @functools.cached_property
    def _network(self) -> NodeTagger:
        return self.model.load()
