"""Embeddings of new tokens over primitives that are shared with the old ones (OFA).

Shapes: V old tokens, N new ones, D width, F primitives.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import numpy as np

from seedbed.core.errors import InputError
from seedbed.surgery.initializer import Change, initializers
from seedbed.vectors.artifact import AlignedVectors

if TYPE_CHECKING:
    import torch


@initializers.register("ofa", papers=["006"])
class OFA:
    """Old embeddings where a token is in both vocabularies, else means of the nearest, in a space of few primitives.

    Liu, Lin, Wang and Schütze (2024), section 3: the old embeddings are factorized by SVD into coordinates (U) and
    `primitives` shared by all tokens (S V^T); tokens are placed among multilingual word vectors, as the plain mean of
    the words that they are a part of; the coordinates of a token that the old vocabulary has, in the same or another
    case, are copied; those of others are the mean over the `neighbors` nearest old tokens, weighted by
    softmax(cosine / temperature), or normal numbers where no word holds the token.

    A model whose factors are kept has, and trains, V F + F D numbers in each table where it had V D; input and output
    embeddings that are one table have the same factors. What is said of rows in `change_vocabulary` is then true of
    coordinates: a special token's are those of its counterpart, or drawn from the distribution of the old coordinates.
    The folder is in Seedbed's own format, as no class of transformers has such tables; `seedbed export` multiplies them
    out. Later changes of the vocabulary go on with the primitives that there are.

    vectors: made by `align_word_vectors`; old tokens are placed by the words of `source`. words: by which words new
    tokens are placed, those of both languages (as in the paper, whose new vocabulary has the old languages too) or of
    `target`. primitives: how many; none: no factorization. factors: `kept` in the model, as in the paper, or
    `multiplied` out, for a folder of the class that it was: the new embeddings are of rank `primitives` when training
    begins, but have the full number of parameters, and training may leave that rank; special tokens then keep whole
    rows.

    Not here: the paper's ColexNet+ vectors, which bring many languages together by shared concepts.
    """

    def __init__(
        self,
        vectors: AlignedVectors,
        primitives: int | None = None,
        factors: Literal["multiplied", "kept"] = "multiplied",
        words: Literal["both", "target"] = "both",
        neighbors: int = 10,
        temperature: float = 0.1,
    ) -> None:
        if primitives is not None and primitives < 1:
            raise InputError("primitives", "must be at least 1", value=primitives)
        if primitives is None and factors == "kept":
            raise InputError("factors", "cannot be kept where there are none", value=factors, fix="primitives: 100")
        self.vectors, self.primitives, self.factors, self.words = vectors, primitives, factors, words
        self.neighbors, self.temperature = neighbors, temperature

    def kept_primitives(self, given: int | None) -> int | None:
        """Those asked for, or none where they are multiplied out."""
        if self.primitives is None:
            return given
        return self.primitives if self.factors == "kept" else None

    def initialize(self, change: Change) -> dict[str, torch.Tensor]:
        """new_ND for each of the embeddings; input and output have primitives of their own."""
        import torch

        from seedbed.surgery.vocabulary.factors import factorized
        from seedbed.surgery.vocabulary.mixture import nearest_mixture
        from seedbed.vectors.subwords import token_vectors

        source, target = self.vectors.source, self.vectors.target
        old = token_vectors(change.old, [source], "equal")
        new = token_vectors(change.new, [source, target] if self.words == "both" else [target], "equal")
        mixture = nearest_mixture(new, old, self.neighbors, self.temperature)
        same_N = _same_in_any_case(change)
        shared = same_N >= 0
        found = int((mixture.found_N & ~shared).sum())
        change.say(f"ofa: {int(shared.sum())} of {len(same_N)} tokens are copied, {found} are means of neighbors")
        result = {}
        for name, old_VD in change.embeddings.items():
            # where factors are kept, the rows are coordinates already
            coordinates_VF, primitives_FD = factorized(old_VD, None if self.factors == "kept" else self.primitives)
            new_NF = mixture.embeddings(coordinates_VF, change.seed, name)
            new_NF[torch.from_numpy(shared)] = coordinates_VF[torch.from_numpy(same_N[shared])]
            result[name] = new_NF if primitives_FD is None else new_NF @ primitives_FD
        return result


def _same_in_any_case(change: Change) -> np.ndarray:
    """`change.same_N`, with old tokens of another case where there is no better one; of these the least capital."""
    old = sorted((surface, index) for index, surface in enumerate(change.old_surfaces))
    by_lower = {surface.lower(): index for surface, index in old}
    by_lower.pop("", None)
    found = [
        same if same >= 0 else by_lower.get(surface.lower(), -1)
        for same, surface in zip(change.same_N.tolist(), change.new_surfaces, strict=True)
    ]
    return np.array(found, dtype=np.int64)
