"""What n-grams with identities of their own put beside an encoder while it trains.

Shapes: G n-grams, V vocabulary, D width of the tables, T targets, B rows, L tokens a row.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch

from seedbed.models.factored import refuse_primitives
from seedbed.models.initialize import initialize
from seedbed.models.layers import Embedding

if TYPE_CHECKING:
    from seedbed.models.transformer import Transformer


class NgramTable(torch.nn.Module):
    """A vector for each n-gram: what it is embedded as, and what it is predicted by, behind those of the V tokens.
    A network's rows without a token are left out."""

    def __init__(self, network: Transformer, tokens: int, count: int, name: str, seed: int) -> None:
        super().__init__()
        a, self._size = network.architecture, tokens
        refuse_primitives(a.primitives, "objective")
        self.ngram_embedding = Embedding(count, a.table_width)
        self.ngram_bias = torch.nn.Parameter(torch.empty(count)) if a.output_bias else None
        for part, parameter in self.named_parameters():
            initialize(f"{name}.{part}", parameter, seed, a)

    def output(self, network: Any) -> tuple[torch.Tensor, torch.Tensor | None]:
        """A network's output embedding with the n-grams behind the tokens (V + G, D), and its bias (V + G) or None.
        A bias that n-grams have and the network has not, or the other way round, is zero."""
        weight_VD, bias_V = network.output()
        weight = torch.cat((weight_VD[: self._size], self.ngram_embedding.weight))
        if bias_V is None and self.ngram_bias is None:
            return weight, None
        bias_V = weight.new_zeros(self._size) if bias_V is None else bias_V[: self._size]
        bias_G = weight.new_zeros(len(weight) - self._size) if self.ngram_bias is None else self.ngram_bias
        return weight, torch.cat((bias_V, bias_G))

    def embedded(self, network: Any, ids_BL: torch.Tensor) -> torch.Tensor:
        """Embeddings of tokens, and of n-grams where ids are V and above (B, L, D)."""
        is_ngram_BL = ids_BL >= self._size
        embedded_BLD: torch.Tensor = network.embedding(ids_BL.masked_fill(is_ngram_BL, 0))
        ngrams = self.ngram_embedding(ids_BL[is_ngram_BL] - self._size).to(embedded_BLD.dtype)
        return embedded_BLD.masked_scatter(is_ngram_BL[:, :, None], ngrams)
