"""Texts that say the same."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from seedbed.core.errors import InputError
from seedbed.corpus import curation
from seedbed.models.artifact import Model

if TYPE_CHECKING:
    from daft import DataFrame


@curation.register("semantic_duplicates")
class SemanticDuplicates:
    """Drops documents whose embedding is nearly that of one with a smaller id (SemDeDup, Abbas et al., 2023).

    As in the authors' code, embeddings are clustered by k-means, and within a cluster a document goes if its cosine
    similarity to one before it is at least `threshold` (one less their epsilon), whether or not that one goes too.
    Ours: the order is that of ids (theirs that of distances from the center, the farthest first, or a random one);
    `clusters` is by default one for each thousand documents; the embedding is the mean hidden state of an encoder of
    ours, pretrained but not trained to tell texts apart, so similarities are high throughout and the threshold has to
    be found by looking: the reason gives the document and the cosine.

    A text's first `max_length` tokens count; blank texts are left alone. Documents are embedded in the order of their
    ids, so the result depends on nothing but ids, texts and seed (and the machine's rounding). Memory: `max_length`
    token ids and an embedding in float32 for each document; within a cluster 16 kB for each of its documents. Time: a
    forward pass of the network over each text.
    """

    def __init__(
        self,
        model: Model,
        threshold: float = 0.95,
        clusters: int | None = None,
        max_length: int = 256,
        seed: int = 0,
    ) -> None:
        if not 0 < threshold <= 1:
            raise InputError("threshold", "is a cosine above 0 and at most 1", value=threshold)
        for name, number in (("clusters", clusters), ("max_length", max_length)):
            if number is not None and number < 1:
                raise InputError(name, "must be at least 1", value=number)
        self.model, self.threshold, self.clusters = model, threshold, clusters
        self.max_length, self.seed = max_length, seed

    def __call__(self, frame: DataFrame, /) -> DataFrame:
        from seedbed.corpus.tagging import with_reasons
        from seedbed.corpus.text.semantic import clustered, like_an_earlier

        ids, vectors_ND = self.embeddings(frame)
        if not ids:
            return with_reasons(frame, [], [])
        clusters = min(self.clusters or max(1, len(ids) // 1000), len(ids))
        clusters_N = clustered(vectors_ND, clusters, self.seed)
        found_N, cosine_N = like_an_earlier(vectors_ND, clusters_N, self.threshold)
        gone = np.flatnonzero(found_N >= 0)
        pairs = zip(found_N[gone].tolist(), cosine_N[gone].tolist(), strict=True)
        reasons = [f"says the same as {ids[other]} (cosine {cosine:.3f})" for other, cosine in pairs]
        return with_reasons(frame, [ids[row] for row in gone], reasons)

    def embeddings(self, frame: DataFrame) -> tuple[list[str], np.ndarray]:
        """The ids of all documents that are not blank, ascending, and their embeddings, of length one (N, D)."""
        from seedbed.core.directions import unit
        from seedbed.corpus.scratch import streamed
        from seedbed.evaluate.finetuning import features
        from seedbed.models.encoding import Coder
        from seedbed.models.scoring import pad_id, settled

        coder = Coder.of(self.model.tokenizer(), self.max_length)
        rows: dict[str, Any] = {}
        for batch in streamed(frame.select("id", "text")):
            pairs = zip(batch.column("id").to_pylist(), batch.column("text").to_pylist(), strict=True)
            texts = {id: text for id, text in pairs if text and not text.isspace()}
            rows |= zip(texts, coder.text_rows(list(texts.values())), strict=True)
        ids = sorted(rows)
        ordered = [rows[id] for id in ids]
        for number, row in enumerate(ordered):
            row.items_S[:] = number
        network = settled(self.model.network())
        self.model.check_fit(network)
        network.eval()
        vocabulary = self.model.tokenizer().vocabulary()
        return ids, unit(features(network, ordered, len(ids), pad_id(vocabulary)))
