"""Training a tagger on labeled documents, the same one for the same seed; and what it finds, counted.

Shapes: N segments of one document, K labels.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F

from seedbed.core.agreement import agreement
from seedbed.core.counters import generator, key, uniform
from seedbed.optim.tool import ToolOptimizer

from .segments import Segments
from .tagger import CHUNK, Sizes, Tagger, batch_of


@dataclass(frozen=True)
class Labeled:
    """A document's segments and what they are: 1, 0, or -1 where nothing is known, which is not trained on."""

    segments: Segments
    labels_NK: np.ndarray
    document_labels_K: np.ndarray

    def parts(self) -> list[Labeled]:
        """Chunks as they are tagged; what the document is counts with its first chunk."""
        unknown_K = np.full_like(self.document_labels_K, -1)
        return [
            Labeled(part, self.labels_NK[start : start + CHUNK], unknown_K if start else self.document_labels_K)
            for start, part in zip(range(0, len(self.segments), CHUNK), self.segments.parts(CHUNK), strict=True)
        ]


@dataclass(frozen=True)
class Training:
    """How a tagger is trained: `dropout` is the share of words and marks that a step does not see."""

    epochs: int = 12
    documents: int = 8  # of one step
    lr: float = 2e-3
    dropout: float = 0.3


def fit(
    documents: Sequence[Labeled], sizes: Sizes, how: Training, seed: int, say: Callable[[str], None] = lambda line: None
) -> Tagger:
    """A tagger trained by binary cross-entropy with AdamW, a linear warm-up and a cosine to zero."""
    tagger = Tagger(sizes, seed).train()
    parts = [part for document in documents for part in document.parts()]
    steps_an_epoch = math.ceil(len(parts) / how.documents)
    optimizer = ToolOptimizer(tagger.parameters(), how.lr, how.epochs * steps_an_epoch)
    for epoch in range(how.epochs):
        order = generator(seed, "order", epoch).permutation(len(parts))
        losses = []
        for number in range(steps_an_epoch):
            places = order[number * how.documents : (number + 1) * how.documents]
            loss = _loss(tagger, [parts[place] for place in places], how.dropout, key(seed, "drop", epoch, number))
            losses.append(optimizer.step(loss))
        say(f"epoch {epoch + 1} of {how.epochs}: loss {sum(losses) / len(losses):.4f}")
    return tagger.eval()


def _loss(tagger: Tagger, documents: Sequence[Labeled], dropout: float, stream: int) -> torch.Tensor:
    """The mean over all known labels of segments, and that over documents'."""
    kept = []
    for place, document in enumerate(documents):
        words, marks = document.segments.words_W, document.segments.marks_M
        kept.append(
            (
                uniform(stream, place, 0, np.arange(len(words))) >= dropout,
                uniform(stream, place, 1, np.arange(len(marks))) >= dropout,
            )
        )
    batch = batch_of([document.segments for document in documents], kept)
    logits_BSK, document_logits_BK = tagger(batch)
    labels_TK = torch.from_numpy(np.concatenate([document.labels_NK for document in documents]))
    labels_BK = torch.from_numpy(np.stack([document.document_labels_K for document in documents]))
    return _known_loss(logits_BSK[batch.is_real_BS], labels_TK) + _known_loss(document_logits_BK, labels_BK)


def _known_loss(logits: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    is_known = labels >= 0
    loss = F.binary_cross_entropy_with_logits(logits, labels.clamp(min=0).to(logits.dtype), reduction="none")
    return (loss * is_known).sum() / is_known.sum().clamp(min=1)


def found(truth: np.ndarray, said: np.ndarray) -> dict[str, float]:
    """Precision, recall and F1 of what was said to be there; `num` is how much there was. 0 where there is nothing."""
    num = int(truth.sum())
    return {**agreement(int((truth & said).sum()), num, int(said.sum())), "num": num}
