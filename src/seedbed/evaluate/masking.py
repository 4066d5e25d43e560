"""Masked pieces of documents, which bidirectional models are asked about."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import xxhash

from seedbed.core.counters import key, uniform

if TYPE_CHECKING:
    from seedbed.corpus.artifact import Corpus
    from seedbed.evaluate.ngrams import Neighbors
    from seedbed.evaluate.task import EvaluationContext
    from seedbed.models.encoding import Coder


@dataclass
class Window:
    """A masked piece of a document: `ids` for the network, `truth` before masking, `columns` where it is masked."""

    document: int
    ids: list[int]
    truth: np.ndarray
    columns: np.ndarray
    bytes: np.ndarray  # of the text under each masked token
    names: list[str]


def masked_windows(
    coder: Coder, names: list[str], texts: list[str], *, mask: int, rate: float, seed: int
) -> list[Window]:
    """All pieces with a masked token. A place's number depends on the document's id and the token's index."""
    found = []
    stream = key(seed, "masked_accuracy")
    for index, (name, text, encoding) in enumerate(zip(names, texts, coder.encode(texts), strict=True)):
        drawn = uniform(stream, np.uint64(xxhash.xxh3_64_intdigest(name.encode())), np.arange(len(encoding.ids)))
        whole, spans = np.array(encoding.ids, dtype=np.int64), encoding.offsets  # each access makes the list anew
        for start in range(0, len(whole), coder.room):
            places = np.flatnonzero(drawn[start : start + coder.room] < rate)
            if not len(places):
                continue
            columns = places + len(coder.prefix)
            truth = np.array(coder.wrap(whole[start : start + coder.room].tolist()), dtype=np.int64)
            masked = truth.copy()
            masked[columns] = mask
            sizes = np.array([len(text[slice(*spans[start + place])].encode()) for place in places])
            item = [f"{name}:{start + place}" for place in places]
            found.append(Window(index, masked.tolist(), truth, columns, sizes, item))
    return found


def counts_of_neighbors(context: EvaluationContext, coder: Coder, corpus: Corpus, split: str, most: int) -> Neighbors:
    """What stands between two tokens, by counts of a sample of the corpus."""
    from seedbed.evaluate.documents import sample_documents
    from seedbed.evaluate.ngrams import Neighbors

    texts = [document["text"] for document in sample_documents(corpus, split, most, seed=context.seed)]
    seen = [np.array(coder.wrap(encoding.ids), dtype=np.int64) for encoding in coder.encode(texts)]
    return Neighbors(seen, context.trained.vocabulary_size)
