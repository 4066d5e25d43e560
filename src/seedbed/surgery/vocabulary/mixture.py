"""New embeddings as mixtures of old ones, by nearness in another space.

Shapes: V old tokens, N new ones, D dimensions of the space of nearness, E width of the embeddings, K neighbors.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from seedbed.core.errors import InputError
from seedbed.surgery.initializers.gaussian import draw
from seedbed.vectors.retrieval import best

if TYPE_CHECKING:
    import torch


_ROWS = 4096  # new tokens at a time


@dataclass(frozen=True)
class Mixture:
    """`ids_NK` of old tokens and their weights, which sum to 1; `found_N`: the new token has a place in the space."""

    ids_NK: np.ndarray
    weights_NK: np.ndarray
    found_N: np.ndarray

    def embeddings(self, old_VE: torch.Tensor, seed: int, name: str) -> torch.Tensor:
        """The weighted means of old embeddings (N, E, float32); where nothing is found, normal numbers with the old
        ones' mean and deviation in each column, as in the code of WECHSEL and OFA."""
        import torch

        new_NE = draw(old_VE, len(self.found_N), seed, name, independent=True)
        weights_NK = torch.from_numpy(self.weights_NK).float()
        for rows in torch.from_numpy(np.flatnonzero(self.found_N)).split(_ROWS):
            near_RKE = old_VE[torch.from_numpy(self.ids_NK)[rows]]
            new_NE[rows] = (weights_NK[rows].unsqueeze(1) @ near_RKE).squeeze(1)
        return new_NE


def nearest_mixture(new_ND: np.ndarray, old_VD: np.ndarray, neighbors: int, temperature: float) -> Mixture:
    """Of each new token the `neighbors` old ones with the highest cosine, weighted by softmax(cosine / temperature).

    Rows are of length 1, or zero for a token without a place. Old tokens without one are never neighbors.
    """
    if neighbors < 1:
        raise InputError("neighbors", "must be at least 1", value=neighbors)
    if not temperature > 0:
        raise InputError("temperature", "must be positive", value=temperature)
    known_V, found_N = (np.abs(matrix).sum(1) > 0 for matrix in (old_VD, new_ND))
    for side, known in (("old", known_V), ("new", found_N)):
        if not known.any():
            raise InputError("vectors", f"no token of the {side} vocabulary is part of a word that has a vector")
    known = np.flatnonzero(known_V)
    ids_NK, cosines_NK = best(new_ND, old_VD[known], neighbors)
    weights_NK = np.exp((cosines_NK - cosines_NK[:, :1]) / temperature)
    return Mixture(known[ids_NK], weights_NK / weights_NK.sum(1, keepdims=True), found_N)
