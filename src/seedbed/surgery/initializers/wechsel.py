"""Embeddings of a new language's tokens from those of the nearest tokens of the old one (WECHSEL).

Shapes: V old tokens, N new ones, D width.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from seedbed.surgery.initializer import Change, initializers
from seedbed.vectors.artifact import AlignedVectors

if TYPE_CHECKING:
    import torch


@initializers.register("wechsel", papers=["372"])
class Wechsel:
    """The mean of the nearest old tokens' embeddings, nearness taken from word vectors of both languages.

    Minixhofer, Paischer and Rekabsaz (2022), sections 3.2-3.3: a token's place among the words is the mean of the
    vectors of the words it is a part of, weighted by their frequency; a new embedding is the mean of those of the
    `neighbors` old tokens with the highest cosines, weighted by softmax(cosine / temperature). Tokens in no word get
    normal numbers with the mean and deviation of the old embeddings.

    vectors: made by `align_word_vectors`; `source` is the language that the model knows, `target` the new one. Old
    tokens in no word are never neighbors. The paper's other way to place tokens, by fastText's vectors of their
    character n-grams, is not here. Nothing is copied: a token of both vocabularies is treated as any other.
    """

    def __init__(self, vectors: AlignedVectors, neighbors: int = 10, temperature: float = 0.1) -> None:
        self.vectors, self.neighbors, self.temperature = vectors, neighbors, temperature

    def initialize(self, change: Change) -> dict[str, torch.Tensor]:
        """new_ND for each of the embeddings, all with the same neighbors."""
        from seedbed.surgery.vocabulary.mixture import nearest_mixture
        from seedbed.vectors.subwords import token_vectors

        old = token_vectors(change.old, [self.vectors.source], "frequency")
        new = token_vectors(change.new, [self.vectors.target], "frequency")
        mixture = nearest_mixture(new, old, self.neighbors, self.temperature)
        change.say(f"wechsel: {int(mixture.found_N.sum())} of {len(mixture.found_N)} tokens are part of known words")
        return {name: mixture.embeddings(old_VD, change.seed, name) for name, old_VD in change.embeddings.items()}
