"""Causal language modeling.

Shapes: B rows, L tokens a row, T targets.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

import numpy as np

from seedbed.objectives import objectives
from seedbed.objectives.base import Examples
from seedbed.objectives.prediction import TokenPrediction

if TYPE_CHECKING:
    from seedbed.data.batch import Batch


@objectives.register("clm")
class CausalLanguageModeling(TokenPrediction):
    """Causal language modeling: predict each next token from those before it (Radford et al., 2018, equation 1).

    The target is the next token of the same segment: the last token of a document's piece predicts nothing, so
    no document is asked for the beginning of the next one. Nothing is drawn at random.
    """

    attention: ClassVar[str] = "causal"

    def corrupt(self, batch: Batch, *, seed: int, progress: float) -> Examples:
        """The tokens as they are; targets are their right neighbors."""
        tokens_BL = batch.tokens_BL.astype(np.int64)
        where_T, targets_T = followers(batch, 1)
        return Examples(
            tokens_BL, None if batch.is_plain else batch.segments_BL, batch.positions_BL, where_T, targets_T
        )


def followers(batch: Batch, distance: int) -> tuple[np.ndarray, np.ndarray]:
    """The flat positions (T) of tokens that have another one so many places on in their own segment, and those."""
    segments_BL = batch.segments_BL
    has_one_BL = np.zeros(segments_BL.shape, dtype=bool)
    has_one_BL[:, :-distance] = (segments_BL[:, distance:] == segments_BL[:, :-distance]) & (
        segments_BL[:, distance:] >= 0
    )
    where_T = np.flatnonzero(has_one_BL)
    # which is never in a row's last columns, so what follows in the flat array is in the same row
    return where_T, batch.tokens_BL.ravel()[where_T + distance].astype(np.int64)
