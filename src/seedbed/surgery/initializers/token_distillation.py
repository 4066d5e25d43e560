"""Rows that do in the network what their pieces did.

Shapes: M tokens that are learned, D width.
"""

from __future__ import annotations

import math
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from seedbed.core.checks import check_counts, check_positive
from seedbed.core.counters import generator
from seedbed.core.errors import InputError
from seedbed.corpus.artifact import Corpus
from seedbed.surgery.initializer import Change, initializers
from seedbed.surgery.vocabulary.contexts import Context, check_windows

if TYPE_CHECKING:
    import torch

    from seedbed.surgery.vocabulary.distiller import Distiller


@initializers.register("token_distillation", papers=["265"])
class TokenDistillation:
    """Token Distillation (Dobler et al., 2025; AweDist in its first version): the network with all weights frozen reads
    a text in old pieces, and the same text with one new token in place of its pieces; the new token's input row is
    learned so that the last hidden states agree, in mean squared error, on all tokens that both have and between the
    new token and the last of its pieces.

    corpus: texts in which the new tokens stand. snippets, length: so many windows of so many tokens for each, one a
    document. epochs, batch, lr: AdamW without decay at a constant rate. The defaults are those of the authors' code but
    for the batch, which has one row there; with few texts or a small network the rate may have to be higher. Rows begin
    as the mean of their pieces, and stay so where the corpus lacks the token. Tokens that both vocabularies have are
    copied. Output embeddings that are not tied are the mean of the pieces; the authors' code can learn them by
    prediction. Of an encoder-decoder the states are its encoder's.

    Runs on the CPU, in float32; memory is that of the network and of one batch's states. Not implemented: texts that
    the model writes itself, hidden states of another layer than the last, losses on logits, a window with several new
    tokens.
    """

    def __init__(
        self,
        corpus: Corpus | list[Corpus],
        snippets: int = 100,
        length: int = 50,
        epochs: int = 1,
        batch: int = 16,
        lr: float = 1e-4,
    ) -> None:
        check_positive(lr=lr)
        check_counts(epochs=epochs, batch=batch)
        check_windows(snippets, length)
        self.corpus, self.snippets, self.length = corpus, snippets, length
        self.epochs, self.batch, self.lr = epochs, batch, lr

    def initialize(self, change: Change) -> dict[str, torch.Tensor]:
        from seedbed.surgery.vocabulary.distiller import with_learned_rows

        learn = partial(self._learn, change)
        return with_learned_rows(change, self.corpus, learn, snippets=self.snippets, length=self.length)

    def _learn(self, change: Change, distiller: Distiller, contexts: list[Context]) -> torch.Tensor:
        """Batches in an order from counters; says the loss from time to time."""
        import torch

        optimizer = torch.optim.AdamW([distiller.rows_MD], lr=self.lr, weight_decay=0.0)
        losses: list[float] = []
        for epoch in range(self.epochs):
            order = generator(change.seed, "token distillation", epoch).permutation(len(contexts))
            for start in range(0, len(order), self.batch):
                loss = distiller.loss([contexts[index] for index in order[start : start + self.batch]])
                optimizer.zero_grad()
                loss.backward()  # type: ignore[no-untyped-call]
                optimizer.step()
                losses.append(float(loss.detach()))
                if not math.isfinite(losses[-1]):
                    raise InputError("method", f"the loss of step {len(losses)} is not finite", fix="a lower rate (lr)")
        some = max(1, len(losses) // 10)
        first, last = np.mean(losses[:some]), np.mean(losses[-some:])
        change.say(f"distilled in {len(losses):,} steps: loss {first:.4g} to {last:.4g}")
        return distiller.rows_MD.detach()
