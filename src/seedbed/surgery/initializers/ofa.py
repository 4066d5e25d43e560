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

    vectors: made by `align_word_vectors`; old tokens are placed by the words of `source`. words: by which words new
    tokens are placed, those of both languages (as in the paper, whose new vocabulary has the old languages too) or of
    `target`. primitives: how many; none: no factorization.

    Not as in the paper: coordinates and primitives are multiplied out, so that the model's folder is an ordinary one.
    The new embeddings are of rank `primitives` as the paper's are when training begins, but have the full number of
    parameters, and training may leave that rank. Nor are ColexNet+ vectors here, which bring many languages together
    by shared concepts.
    """

    def __init__(
        self,
        vectors: AlignedVectors,
        primitives: int | None = None,
        words: Literal["both", "target"] = "both",
        neighbors: int = 10,
        temperature: float = 0.1,
    ) -> None:
        if primitives is not None and primitives < 1:
            raise InputError("primitives", "must be at least 1", value=primitives)
        self.vectors, self.primitives, self.words = vectors, primitives, words
        self.neighbors, self.temperature = neighbors, temperature

    def initialize(self, change: Change) -> dict[str, torch.Tensor]:
        """new_ND for each of the embeddings; input and output have primitives of their own."""
        import torch

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
            coordinates_VF, primitives_FD = factorized(old_VD, self.primitives)
            new_NF = mixture.embeddings(coordinates_VF, change.seed, name)
            new_NF[torch.from_numpy(shared)] = coordinates_VF[torch.from_numpy(same_N[shared])]
            result[name] = new_NF if primitives_FD is None else new_NF @ primitives_FD
        return result


def factorized(old_VD: torch.Tensor, primitives: int | None) -> tuple[torch.Tensor, torch.Tensor | None]:
    """Coordinates (V, F) and primitives (F, D), whose product is the nearest matrix of rank F."""
    import torch

    if primitives is None:
        return old_VD, None
    if primitives > min(old_VD.shape):
        raise InputError(
            "primitives", f"is more than the rank of the embeddings: {min(old_VD.shape)}", value=primitives
        )
    found = torch.linalg.svd(old_VD.double(), full_matrices=False)
    primitives_FD = found.S[:primitives, None] * found.Vh[:primitives]
    return found.U[:, :primitives].float(), primitives_FD.float()


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
