"""Rows from what the network makes of a token's pieces in context.

Shapes: M tokens that the corpus has, D width.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from seedbed.corpus.artifact import Corpus
from seedbed.surgery.initializer import Change, initializers
from seedbed.surgery.vocabulary.contexts import Context, check_windows

if TYPE_CHECKING:
    import torch


@initializers.register("contextual_distillation", papers=["192"])
class ContextualDistillation:
    """Contextualized weight distillation (BIOptimus, 2023): a new token's row is the mean of the network's last hidden
    states at its old pieces, over all pieces and all places of a corpus where it stands.

    snippets, length: so many windows of so many tokens for each token, one a document. Tokens that both vocabularies
    have are copied; tokens that the corpus lacks are the mean of their pieces' rows, and so are output embeddings that
    are not tied. Of an encoder-decoder the states are its encoder's. The idea is taken from the paper's abstract and
    the authors' page; which layer they read is not known to us. Hidden states have another length than embeddings (that
    of the last norm), so a row is scaled to the mean length of the old rows, unless `rescale` is false: that is ours.
    """

    def __init__(
        self, corpus: Corpus | list[Corpus], snippets: int = 100, length: int = 50, rescale: bool = True
    ) -> None:
        check_windows(snippets, length)
        self.corpus, self.snippets, self.length, self.rescale = corpus, snippets, length, rescale

    def initialize(self, change: Change) -> dict[str, torch.Tensor]:
        from seedbed.models.factored import refuse_primitives
        from seedbed.surgery.vocabulary.distiller import Distiller, mean_states, with_learned_rows

        refuse_primitives(change.primitives, "contextual_distillation")

        def learn(distiller: Distiller, contexts: list[Context]) -> torch.Tensor:
            means_MD = mean_states(distiller, contexts)
            if self.rescale:
                lengths_M1 = means_MD.norm(dim=1, keepdim=True).clamp(min=1e-12)
                means_MD *= change.embeddings["input"].norm(dim=1).mean() / lengths_M1
            return means_MD

        return with_learned_rows(change, self.corpus, learn, snippets=self.snippets, length=self.length)
