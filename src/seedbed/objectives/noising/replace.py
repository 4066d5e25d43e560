"""Tokens in the place of others.

Shapes: S texts, N tokens of all of them together.
"""

from __future__ import annotations

import numpy as np

from seedbed.core.counters import key
from seedbed.core.errors import InputError
from seedbed.objectives.denoising.ragged import Ragged
from seedbed.objectives.denoising.spans import Texts
from seedbed.objectives.noising import noises
from seedbed.objectives.noising.noise import Noise


@noises.register("replace", papers=["064"])
class Replace(Noise):
    """Each token becomes another one with probability `rate`: that of a place of its row, all its places being equally
    likely, which is a draw by how often tokens are in the row's texts. Baziotis et al. (2021) draw from what a masked
    language model predicts there; that generator is not here."""

    def __init__(self, rate: float = 0.35) -> None:
        if not 0 < rate <= 1:
            raise InputError("rate", "must lie above 0 and not above 1", value=rate)
        self.rate = rate

    def damaged(self, texts: Texts, seed: int) -> Ragged:
        """Texts with other tokens."""
        tokens = texts.tokens
        first_S = np.searchsorted(texts.row_S, texts.row_S)  # of each text the first one of its row, and the next row's
        behind_S = np.searchsorted(texts.row_S, texts.row_S, side="right")
        ends = np.append(tokens.starts_S, len(tokens.values_N))
        begin_N, end_N = ends[first_S][tokens.sequence_N], ends[behind_S][tokens.sequence_N]
        draws = (texts.drawn(key(seed, "replace", part), tokens.lengths_S) for part in ("which", "token"))
        which_N, token_N = draws
        other_N = tokens.values_N[begin_N + (token_N * (end_N - begin_N)).astype(np.int64)]
        return Ragged(np.where(which_N < self.rate, other_N, tokens.values_N), tokens.lengths_S)
