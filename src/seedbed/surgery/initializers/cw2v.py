"""Embeddings of new tokens within the convex hull of the old ones, learned as word2vec learns (CW2V).

Shapes: V old tokens, N new ones, M of these without an old embedding, D width, R rank, B pairs, K negatives,
T tokens of running text.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from seedbed.core.checks import check_positive
from seedbed.core.counters import generator, integers, key, uniform
from seedbed.core.errors import InputError
from seedbed.corpus.artifact import Corpus
from seedbed.surgery.initializer import Change, initializers

if TYPE_CHECKING:
    import torch

_SMOOTHING = 0.75  # power of the counts that negatives are drawn by
_TEXTS = 256  # encoded at a time


@initializers.register("cw2v", papers=["362"])
class CW2V:
    """Skip-gram with negative sampling over the new tokens, whose embeddings are mixtures of the old ones.

    Mundra et al. (2024), section 4, and their code: tokens of both vocabularies keep their embeddings; those of the
    others are softmax(A) E, with E all old embeddings and A = A1 A2 of rank `rank`, so that none leaves the hull of the
    old ones. A is learned, by Adam, from pairs of tokens at most `window` apart in text of the new tokenizer: the
    center token by the input embeddings, its neighbor and `negatives` drawn ones by the output embeddings, which in a
    model with tied ones are the same. Frequent tokens are drawn as centers less often (by the root of their count), and
    negatives by counts to the power 0.75.

    corpus: text of the new language (the paper's is code-mixed). tokens: how many of it are read. steps, batch, lr: of
    the training. Deviations: A1 and A2 begin as normal numbers that make every mixture nearly even, that is, near the
    mean of all, while the code draws them from [0, 1), whose products are large and make mixtures of a few; the
    negatives' terms are the sum of log sigmoid (Mikolov et al., 2013), while the code takes log sigmoid of the sum.
    Memory: tokens of a batch (at most M) times V floats, four times.
    """

    def __init__(
        self,
        corpus: Corpus | list[Corpus],
        *,
        tokens: int = 2_000_000,
        steps: int = 500,
        batch: int = 1024,
        rank: int = 64,
        lr: float = 0.005,
        window: int = 5,
        negatives: int = 5,
    ) -> None:
        check_positive(tokens=tokens, steps=steps, batch=batch, rank=rank, lr=lr, window=window, negatives=negatives)
        self.corpora = corpus if isinstance(corpus, list) else [corpus]
        self.tokens, self.steps, self.batch, self.rank, self.lr = tokens, steps, batch, rank, lr
        self.window, self.negatives = window, negatives

    def initialize(self, change: Change) -> dict[str, torch.Tensor]:
        """new_ND for each of the embeddings: copied rows, and mixtures."""
        import torch

        from seedbed.models.factored import refuse_primitives

        refuse_primitives(change.primitives, "cw2v")
        ids_T = self._read(change)
        tables = {
            name: Hull(old_VD, change.same_N, self.rank, key(change.seed, "cw2v", name))
            for name, old_VD in change.embeddings.items()
        }
        center = tables["input"]
        context = tables.get("output", center)
        weights = [weight for table in tables.values() for weight in table.parameters]
        optimizer = torch.optim.Adam(weights, lr=self.lr)
        losses = []
        for center_B, context_B, negative_BK in self._pairs(ids_T, len(change.same_N), change.seed):
            optimizer.zero_grad(set_to_none=True)
            loss = skip_gram_loss(center, context, center_B, context_B, negative_BK)
            loss.backward()  # type: ignore[no-untyped-call]
            optimizer.step()
            losses.append(loss.item())
        tenth = max(1, len(losses) // 10)
        first, last = float(np.mean(losses[:tenth])), float(np.mean(losses[-tenth:]))
        change.say(f"cw2v: {int((change.same_N < 0).sum())} new tokens, loss {first:.4f}, at the end {last:.4f}")
        if not np.isfinite(last):
            raise InputError("lr", "the loss is not finite", value=self.lr, fix="a smaller rate")
        with torch.no_grad():
            return {name: table.all_rows() for name, table in tables.items()}

    def _read(self, change: Change) -> np.ndarray:
        """Tokens of the corpus (T, int64), texts apart by `window` places of -1; special tokens too are -1."""
        fast = change.new.load()
        special_V = change.new.vocabulary().special_V
        texts = (row["text"] for corpus in self.corpora for row in corpus.documents("train", ["text"]))
        pieces, read = [], 0
        for some in _chunks(texts, _TEXTS):
            for encoding in fast.encode_batch_fast(some, add_special_tokens=False):
                ids = np.array(encoding.ids, dtype=np.int64)
                pieces += [np.where(special_V[ids], -1, ids), np.full(self.window, -1)]
                read += len(ids)
            if read >= self.tokens:
                break
        ids_T = np.concatenate(pieces) if pieces else np.zeros(0, np.int64)
        if not (ids_T >= 0).sum() > 1:
            raise InputError("corpus", "holds fewer than two tokens", value=[str(item.path) for item in self.corpora])
        return ids_T

    def _pairs(
        self, ids_T: np.ndarray, num_tokens: int, seed: int
    ) -> Iterator[tuple[torch.Tensor, torch.Tensor, torch.Tensor]]:
        """Centers (B), contexts (B) and negatives (B, K) for each step; pairs that run over a text's end are left
        out, so B may be less than `batch`."""
        import torch

        counts_N = np.bincount(ids_T[ids_T >= 0], minlength=num_tokens).astype(np.float64)
        places_T = np.flatnonzero(ids_T >= 0)
        by_place = np.cumsum(1 / np.sqrt(counts_N[ids_T[places_T]]))
        by_token = np.cumsum(counts_N**_SMOOTHING)
        offsets = np.array([*range(-self.window, 0), *range(1, self.window + 1)])
        rows_B, columns_K = np.arange(self.batch), np.arange(self.negatives)
        for step in range(self.steps):
            place_B = places_T[_draw(by_place, uniform(key(seed, "cw2v", "center"), step, rows_B))]
            other_B = place_B + offsets[integers(key(seed, "cw2v", "offset"), len(offsets), step, rows_B)]
            inside_B = (other_B >= 0) & (other_B < len(ids_T))
            inside_B[inside_B] = ids_T[other_B[inside_B]] >= 0
            if not inside_B.any():
                continue
            draws_BK = uniform(key(seed, "cw2v", "negative"), step, rows_B[inside_B, None], columns_K)
            arrays = ids_T[place_B[inside_B]], ids_T[other_B[inside_B]], _draw(by_token, draws_BK)
            center_B, context_B, negative_BK = map(torch.from_numpy, arrays)
            yield center_B, context_B, negative_BK


class Hull:
    """A table of embeddings: old rows for tokens that both vocabularies have, mixtures of old rows for the others."""

    def __init__(self, old_VD: torch.Tensor, same_N: np.ndarray, rank: int, seed: int) -> None:
        import torch

        self.old_VD, self.same_N = old_VD, torch.from_numpy(same_N)
        is_new_N = self.same_N < 0
        self.place_N = is_new_N.cumsum(0) - 1  # among the new ones
        random = generator(seed, "mixtures")
        first_MR = random.standard_normal((int(is_new_N.sum()), rank), dtype=np.float32) / rank**0.5
        second_RV = random.standard_normal((rank, len(old_VD)), dtype=np.float32)
        self.parameters = [torch.from_numpy(array).requires_grad_() for array in (first_MR, second_RV)]

    def rows(self, ids: torch.Tensor) -> torch.Tensor:
        """The embeddings of tokens, in any shape: (..., D). Each distinct one is made once."""
        import torch

        distinct, where = torch.unique(ids, return_inverse=True)
        is_new = self.same_N[distinct] < 0
        made = torch.zeros(len(distinct), self.old_VD.shape[1])
        made[~is_new] = self.old_VD[self.same_N[distinct[~is_new]]]
        first_MR, second_RV = self.parameters
        mixed = torch.softmax(first_MR[self.place_N[distinct[is_new]]] @ second_RV, -1) @ self.old_VD
        return made.index_put((is_new.nonzero()[:, 0],), mixed)[where]

    def all_rows(self) -> torch.Tensor:
        """new_ND."""
        import torch

        return torch.cat([self.rows(ids) for ids in torch.arange(len(self.same_N)).split(4096)])


def skip_gram_loss(
    center: Hull, context: Hull, center_B: torch.Tensor, context_B: torch.Tensor, negative_BK: torch.Tensor
) -> Any:
    """The mean over pairs of -log sigmoid(c . o) - sum over negatives of log sigmoid(-c . n)."""
    import torch

    center_BD = center.rows(center_B)
    other_BXD = context.rows(torch.cat([context_B[:, None], negative_BK], 1))
    score_BX = (other_BXD @ center_BD.unsqueeze(-1)).squeeze(-1)
    sign_X = torch.ones(score_BX.shape[1])
    sign_X[1:] = -1
    return -torch.nn.functional.logsigmoid(score_BX * sign_X).sum(1).mean()


def _draw(cumulative: np.ndarray, uniform_X: np.ndarray) -> np.ndarray:
    """Places drawn with the probabilities whose sums these are."""
    found = np.searchsorted(cumulative, uniform_X * cumulative[-1], side="right")
    return np.minimum(found, len(cumulative) - 1).astype(np.int64)


def _chunks(texts: Iterator[str], size: int) -> Iterator[list[str]]:
    while some := list(itertools.islice(texts, size)):
        yield some
