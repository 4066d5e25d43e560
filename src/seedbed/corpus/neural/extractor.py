"""The artifact "extractor": a network that says which text nodes of a page are its main content."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from seedbed.core.artifact import Artifact

from .nodes import PageNodes

if TYPE_CHECKING:
    from .tagger import Tagger


class TrainedExtractor(Artifact):
    """tagger.safetensors and tagger.json."""

    kind = "extractor"

    def load(self) -> NodeTagger:
        from .tagger import Tagger

        return NodeTagger(Tagger.read(self.path))


class NodeTagger:
    """A trained network, loaded."""

    def __init__(self, tagger: Tagger) -> None:
        self.tagger = tagger

    def keep(self, page: PageNodes, threshold: float = 0.5) -> np.ndarray:
        """Whether each text node is main content, bool (N,)."""
        labels_N1, _ = self.tagger.tag(page.segments())
        return np.asarray(labels_N1[:, 0] > threshold)

    def text(self, page: PageNodes, threshold: float = 0.5) -> str:
        """The nodes that are kept, one a line."""
        return "\n".join(text for text, is_kept in zip(page.texts, self.keep(page, threshold), strict=True) if is_kept)

    def write(self, folder: Path) -> None:
        self.tagger.write(folder)
