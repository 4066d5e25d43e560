"""Rows from what the network makes of a token's pieces in context.

Shapes: M tokens that the corpus has, D width.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from seedbed.corpus.artifact import Corpus
from seedbed.surgery.initializer import Change, initializers
from seedbed.surgery.initializers.subtokens import Subtokens
from seedbed.surgery.vocabulary.contexts import check_windows, find_contexts, missing_tokens

if TYPE_CHECKING:
    import torch


@initializers.register("contextual_distillation", papers=["192"])
class ContextualDistillation:
    """Contextualized weight distillation (BIOptimus, 2023): a new token's row is the mean of the network's last hidden
    states at its old pieces, over all pieces and all places of a corpus where it stands.

    snippets, length: so many windows of so many tokens for each token, one a document. Tokens that both vocabularies
    have are copied; tokens that the corpus lacks are the mean of their pieces' rows, and so are output embeddings that
    are not tied. The idea is taken from the paper's abstract and the authors' page; which layer they read is not known
    to us. Hidden states have another length than embeddings (that of the last norm), so a row is
    scaled to the mean length of the old rows, unless `rescale` is false: that is ours.
    """

    def __init__(
        self, corpus: Corpus | list[Corpus], snippets: int = 100, length: int = 50, rescale: bool = True
    ) -> None:
        check_windows(snippets, length)
        self.corpus, self.snippets, self.length, self.rescale = corpus, snippets, length, rescale

    def initialize(self, change: Change) -> dict[str, torch.Tensor]:
        import torch

        from seedbed.surgery.vocabulary.distiller import Distiller, mean_states

        found = Subtokens().initialize(change)
        patterns = missing_tokens(change)
        if not patterns:
            change.say("no new token has several old pieces: nothing is distilled")
            return found
        contexts = find_contexts(change, self.corpus, patterns, number=self.snippets, length=self.length)
        tokens_M = np.unique([context.token for context in contexts])
        rows = torch.from_numpy(tokens_M)
        means_MD = mean_states(Distiller(change, tokens_M, found["input"][rows]), contexts, tokens_M)
        if self.rescale:
            lengths_M1 = means_MD.norm(dim=1, keepdim=True).clamp(min=1e-12)
            means_MD *= change.embeddings["input"].norm(dim=1).mean() / lengths_M1
        found["input"][rows] = means_MD
        return found
