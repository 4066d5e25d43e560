"""What the rest of the package knows of a network."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

if TYPE_CHECKING:
    from pathlib import Path

    import torch


@dataclass
class Ranks:
    """An order of attention beside that of the text: a token i sees itself, and those tokens j of its segment of which
    `shown_BL[j] <= sees_BL[i]`. Windows then go by positions, not by columns."""

    shown_BL: Any
    sees_BL: Any

    @classmethod
    def of_prefix(cls, prefix_BL: np.ndarray) -> Ranks:
        """Tokens see what stands before them, and all those that are marked."""
        column_BL = np.broadcast_to(np.arange(prefix_BL.shape[1]), prefix_BL.shape).copy()
        return cls(np.where(prefix_BL, 0, column_BL), column_BL)


class Network(Protocol):
    """A `torch.nn.Module` whose hidden states and logits are asked for apart.

    Shapes: B rows, L tokens a row, M tokens a row of a decoder, T positions, D width, V vocabulary.
    """

    attention: str  # "bidirectional", "causal", "prefix" or "encoder-decoder"
    causal: bool  # tokens see none behind them, but for a prefix; of an encoder-decoder its encoder's
    width: int
    vocabulary_size: int
    max_length: int
    added_embedding: torch.nn.Embedding | None  # what `Examples.added_TK` are rows of, while training only
    extra: torch.nn.ModuleDict  # what else only the training needs (a generator, a pretext task's head); never saved

    def hidden(
        self,
        tokens_BL: torch.Tensor,
        segments_BL: torch.Tensor | None = None,
        positions_BL: torch.Tensor | None = None,
        ranks: Ranks | None = None,
    ) -> torch.Tensor:
        """The last hidden states (B, L, D), after the final norm; of an encoder-decoder its encoder's. Tokens see only
        their own segment; padding (segment -1) sees padding. Positions default to 0, 1, 2, ... in every row. With
        ranks, in a network with prefix or bidirectional attention, they say which tokens of a segment see which."""

    def decoded(
        self,
        tokens_BL: torch.Tensor,
        segments_BL: torch.Tensor | None,
        positions_BL: torch.Tensor | None,
        decoder: Any,
    ) -> torch.Tensor:
        """The last hidden states (B, M, D) of an encoder-decoder's decoder, after its final norm. `decoder` has
        `tokens_BM`, `segments_BM` and `positions_BM`: tokens see what stands before them in their own segment, and the
        encoder's states of the segment of the same number."""

    def head(self, hidden_TD: torch.Tensor) -> torch.Tensor:
        """What stands between hidden states and the output embedding (T, D); (T, F) where that is factored over F
        primitives, the product with which is part of it."""

    def output(self) -> tuple[torch.Tensor, torch.Tensor | None]:
        """The output embedding (V, D), tied to the input's where so configured, and its bias (V) or None. Of a factored
        one the coordinates (V, F)."""

    def logits(self, hidden_TD: torch.Tensor) -> torch.Tensor:
        """head, then output (T, V)."""

    def save(self, folder: Path) -> None:
        """Write config.json and model.safetensors as Hugging Face's class of this architecture has them."""
