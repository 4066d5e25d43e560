"""Rows that a hypernetwork predicts.

Shapes: N new tokens, P pieces of all of them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from seedbed.surgery.initializer import Change, initializers
from seedbed.surgery.tokenizer_hypernetwork.artifact import TokenizerHypernetwork

if TYPE_CHECKING:
    import torch


@initializers.register("zett", papers=["392"])
class ZeTT:
    """Zero-shot tokenizer transfer (Minixhofer, Ponti and Vulić, 2024): every row is what a hypernetwork, trained for
    this model with many random tokenizers, makes of the token's old pieces; those of tokens that both vocabularies
    have, too, as in the paper. To copy these instead: `overlap: {rest: {zett: ...}}`.

    hypernetwork: made by `train_tokenizer_hypernetwork` for this model, or for one that this one was trained on from
    with the same tokenizer: it reads the embeddings that the model has now (the authors' code puts those predicted for
    the base into what was fine-tuned from it). The logits' bias is that of `change_vocabulary`.
    """

    def __init__(self, hypernetwork: TokenizerHypernetwork) -> None:
        self.hypernetwork = hypernetwork

    def initialize(self, change: Change) -> dict[str, torch.Tensor]:
        """new_ND for each of the embeddings."""
        import numpy as np
        import torch

        from seedbed.surgery.vocabulary.pieces import decompose

        predictor = self.hypernetwork.predictor(change.old, change.embeddings)
        pieces_P, token_P = decompose(change)
        counts_N = np.bincount(token_P, minlength=len(change.same_N))
        most = predictor.sizes.pieces
        change.say(
            f"zett: {int((counts_N > most).sum()):,} of {len(counts_N):,} tokens have more than {most} old pieces, of "
            "which the first ones are read"
        )
        rows = torch.from_numpy(pieces_P), torch.from_numpy(token_P)
        return predictor.predict(*rows, len(counts_N), change.embeddings)
