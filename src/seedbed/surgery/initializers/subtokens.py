"""The mean of what the old tokenizer makes of the new token.

Shapes: V old tokens, N new ones, D width, P pieces of all new tokens.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from seedbed.surgery.initializer import Change, initializers
from seedbed.surgery.vocabulary.pieces import decompose

if TYPE_CHECKING:
    import numpy as np
    import torch

    Ids = np.ndarray | torch.Tensor


@initializers.register("subtokens", papers=["329", "265"])
class Subtokens:
    """A row is the mean of the rows of the pieces into which the old tokenizer cuts the new token's surface, in the
    input's table and in the output's (Vo et al., 2024: decomposition of both was the best of their five ways; "mean of
    subtokens" in most other papers). A token that both vocabularies have is its only piece, and so copied. A token of
    which the old tokenizer knows nothing gets the mean of all."""

    def initialize(self, change: Change) -> dict[str, torch.Tensor]:
        pieces_P, token_P = decompose(change)
        return {
            name: mean_of_pieces(old_VD, pieces_P, token_P, len(change.same_N))
            for name, old_VD in change.embeddings.items()
        }


def mean_of_pieces(old_VD: torch.Tensor, pieces_P: Ids, token_P: Ids, rows: int) -> torch.Tensor:
    """(rows, D): the mean of the pieces of each token; where there are none, of all rows."""
    import torch

    pieces, tokens = (torch.as_tensor(ids, device=old_VD.device) for ids in (pieces_P, token_P))
    counts_N1 = torch.bincount(tokens, minlength=rows)[:, None]
    sums_ND = old_VD.new_zeros(rows, old_VD.shape[1]).index_add_(0, tokens, old_VD[pieces])
    return torch.where(counts_N1 > 0, sums_ND / counts_N1.clamp(min=1), old_VD.mean(0))
