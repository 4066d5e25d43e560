"""The network with all weights frozen, in which the rows of new tokens are learned.

Shapes: M tokens that are learned, V old tokens, B rows, L old tokens a row, K with a new one put in, D width.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
import torch

from seedbed.surgery.initializers.subtokens import Subtokens
from seedbed.surgery.substitution import with_weights
from seedbed.surgery.vocabulary.contexts import Context, find_contexts, missing_tokens, padded

if TYPE_CHECKING:
    from seedbed.corpus.artifact import Corpus
    from seedbed.surgery.initializer import Change


class Distiller:
    """`rows_MD` are the rows that are learned; `loss` is differentiable in them alone."""

    def __init__(self, change: Change, tokens_M: np.ndarray, rows_MD: torch.Tensor) -> None:
        network = change.model.network()
        network.use_kernel("sdpa")
        network.requires_grad_(False)
        self.network = network
        self.table_VD = network.embedding.weight.detach()
        self.pad = change.old.vocabulary().pad or 0
        self.place = {int(token): len(self.table_VD) + index for index, token in enumerate(tokens_M)}
        self.rows_MD = rows_MD.clone().requires_grad_()

    def loss(self, contexts: list[Context]) -> torch.Tensor:
        """The mean squared difference of the last hidden states, over the columns and the tokens of all rows that both
        ways of cutting have; the last piece stands for the new token."""
        student_BK, segments_BK = _tensors([c.merged(self.place[c.token]) for c in contexts], self.pad)
        table = {"embedding.weight": torch.cat((self.table_VD, self.rows_MD))}
        made_BKD = with_weights(self.network, table, lambda one: one.hidden(student_BK, segments_BK))
        wanted_BLD, kept_BL = self.states(contexts)
        for row, context in enumerate(contexts):
            kept_BL[row, context.start : context.start + context.size - 1] = False
        return torch.nn.functional.mse_loss(made_BKD[segments_BK >= 0], wanted_BLD[kept_BL])

    def states(self, contexts: list[Context]) -> tuple[torch.Tensor, torch.Tensor]:
        """The last hidden states of the old pieces, and where there is text."""
        tokens_BL, segments_BL = _tensors([context.ids for context in contexts], self.pad)
        with torch.no_grad():
            return self.network.hidden(tokens_BL, segments_BL), segments_BL >= 0


def _tensors(rows: list[tuple[int, ...]], pad: int) -> tuple[torch.Tensor, ...]:
    return tuple(torch.from_numpy(array) for array in padded(rows, pad))


def with_learned_rows(
    change: Change,
    corpus: Corpus | list[Corpus],
    learn: Callable[[Distiller, list[Context]], torch.Tensor],
    *,
    snippets: int,
    length: int,
) -> dict[str, torch.Tensor]:
    """new_ND for each of the embeddings: the mean of the old pieces, but for the input rows of new tokens with several
    pieces that stand in the corpus, which `learn` gives (M, D)."""
    found = Subtokens().initialize(change)
    patterns = missing_tokens(change)
    if not patterns:
        change.say("no new token has several old pieces: nothing is distilled")
        return found
    contexts = find_contexts(change, corpus, patterns, number=snippets, length=length)
    tokens_M = np.unique([context.token for context in contexts])
    rows = torch.from_numpy(tokens_M)
    found["input"][rows] = learn(Distiller(change, tokens_M, found["input"][rows]), contexts)
    return found


def mean_states(distiller: Distiller, contexts: list[Context], batch: int = 32) -> torch.Tensor:
    """For each token the mean of the last hidden states at its pieces, over all pieces and contexts (M, D)."""
    place = {token: index for index, token in enumerate(distiller.place)}
    sums_MD = torch.zeros(distiller.rows_MD.shape, dtype=torch.float64)
    counts_M = torch.zeros(len(place), dtype=torch.float64)
    for start in range(0, len(contexts), batch):
        part = contexts[start : start + batch]
        hidden_BLD, _ = distiller.states(part)
        for row, context in enumerate(part):
            pieces = hidden_BLD[row, context.start : context.start + context.size]
            sums_MD[place[context.token]] += pieces.double().sum(0)
            counts_M[place[context.token]] += context.size
    return (sums_MD / counts_M[:, None]).float()
