"""The artifact "segmenter": a network that says where sentences end."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from seedbed.core.artifact import Artifact
from seedbed.core.files import read_json

if TYPE_CHECKING:
    from .network import SentenceEnds


class Segmenter(Artifact):
    """segmenter.safetensors and segmenter.json."""

    kind = "segmenter"

    def load(self) -> Splitter:
        from .network import SIZES, SentenceEnds

        return Splitter(SentenceEnds.read(self.path), read_json(self.path / SIZES)["threshold"])


class Splitter:
    """A trained network, loaded. What it says of a text depends on that text alone."""

    def __init__(self, network: SentenceEnds, threshold: float) -> None:
        self.network, self.threshold = network, threshold

    def probabilities(self, text: str) -> tuple[np.ndarray, np.ndarray]:
        """The character after each word and mark, and the probability that a sentence ends there."""
        from .units import units_of

        units = units_of(text)
        return units.ends_N, self.network.probabilities(units)

    def ends(self, text: str, threshold: float | None = None) -> list[int]:
        """The character after each sentence, the last one of the text included. Line ends count as spaces."""
        ends_N, chances_N = self.probabilities(text)
        found = ends_N[chances_N > (self.threshold if threshold is None else threshold)]
        return sorted({*found.tolist(), *ends_N[-1:].tolist()})

    def split(self, text: str, threshold: float | None = None) -> list[str]:
        """The sentences, without the white space between them. All else is in one of them."""
        ends = self.ends(text, threshold)
        return [text[start:end].strip() for start, end in zip([0, *ends], ends, strict=False)]
