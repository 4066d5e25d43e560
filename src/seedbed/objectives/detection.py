"""What objectives share that ask of every token whether it was replaced.

Shapes: B rows, L tokens a row, T chosen tokens, K draws for each, N judged tokens, D width, V vocabulary.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from seedbed.core.errors import InputError
from seedbed.objectives.base import Examples, Loss, Objective
from seedbed.objectives.mlm import MaskedLanguageModeling

if TYPE_CHECKING:
    from pathlib import Path

    import torch

    from seedbed.data.batch import Batch
    from seedbed.models.architecture import Architecture
    from seedbed.models.network import Network
    from seedbed.vocabulary.artifact import Vocabulary


@dataclass
class Judged(Examples):
    """`where_T` are all tokens that are judged, `targets_T` 1 for those that were replaced and 0 for the others."""


@dataclass
class Suspects(Examples):
    """Tokens to be replaced where the loss is computed: at `where_T`, of which `targets_T` are the originals. Beside
    them the flat positions of all tokens that are judged, and uniform numbers in [0, 1), K for each replacement."""

    judged_N: Any = None
    draws_TK: Any = None

    @property
    def num_targets(self) -> int:
        return int(self.judged_N.shape[0])


class Detection(Objective):
    """Base: the chosen tokens are a masking objective's, and a head of its own judges every ordinary token."""

    attention: ClassVar[str] = "bidirectional"
    headless: ClassVar[bool] = True
    name: ClassVar[str]  # of its modules

    def __init__(self, masking: MaskedLanguageModeling) -> None:
        self.masking = masking
        self._taken: Any = None
        self._head: Any = None

    def bind(self, vocabulary: Vocabulary) -> None:
        """Learn which tokens are ordinary."""
        self.masking.bind(vocabulary)
        self._special_V = np.asarray(vocabulary.special_V, dtype=bool)

    def prepare(self, network: Any, seed: int) -> None:
        """Its head, in the place of the one over the vocabulary if nobody else wants that."""
        from seedbed.models.detection import DetectionHead, take_head
        from seedbed.models.replace import refuse_width_transfer

        refuse_width_transfer(network, f"objective.{self.name}")
        if not self.beside_prediction:
            self._taken = take_head(network)
        network.extra[f"{self.name}_head"] = DetectionHead(network.architecture, f"{self.name}_head", seed)

    def judged(self, batch: Batch) -> np.ndarray:
        """Flat positions of the ordinary tokens."""
        return np.flatnonzero((batch.segments_BL >= 0) & ~self._special_V[batch.tokens_BL])

    def judge(
        self,
        network: Network,
        examples: Examples,
        tokens_BL: torch.Tensor,
        where_N: torch.Tensor,
        replaced_N: torch.Tensor,
    ) -> tuple[Loss, torch.Tensor]:
        """The binary cross-entropy at judged tokens, those that were replaced and the others also apart, with the share
        that is judged right; and which tokens the network takes for replaced ones."""
        if examples.added_TK is not None:
            raise InputError("interventions", f"add to predictions of tokens, and the objective {self.name} makes none")
        hidden_BLD = network.hidden(tokens_BL, examples.segments_BL, examples.positions_BL)
        hidden_ND = hidden_BLD.flatten(0, 1).index_select(0, where_N)
        return told_apart(network.extra[f"{self.name}_head"](hidden_ND), replaced_N)

    def export(self, network: Any) -> None:
        """The encoder alone: ELECTRA's class where it is that, else its own, with the head over the vocabulary that it
        had before."""
        from seedbed.models.detection import put_head_back

        self._head = network.extra.pop(f"{self.name}_head")
        if network.stock is None and self._taken is not None:
            put_head_back(network, self._taken)

    def save(self, folder: Path) -> None:
        """The head that judges."""
        from seedbed.models.detection import save_head

        save_head(self._head, folder)

    def flops_per_token(self, architecture: Architecture, length: int, targets: float) -> float:
        """Forward and backward for a token: the encoder, and the head at every token."""
        from seedbed.models.detection import headless

        width = architecture.width
        return headless(architecture).flops_per_token(length, 0.0) + 6.0 * (width * width + width)


def told_apart(logits_N: torch.Tensor, replaced_N: torch.Tensor) -> tuple[Loss, torch.Tensor]:
    """The binary cross-entropy of logits, above 0 for what is taken for a replacement: of all, and in parts of the
    replaced ones and the others; and which are taken for replaced ones."""
    from torch.nn.functional import binary_cross_entropy_with_logits

    loss_N = binary_cross_entropy_with_logits(logits_N, replaced_N.float(), reduction="none")
    suspected_N = (logits_N > 0).detach()
    right_N = suspected_N == replaced_N

    def of(chosen_N: torch.Tensor) -> Loss:
        return Loss((loss_N * chosen_N).sum(), int(chosen_N.sum()), {"accuracy": (right_N & chosen_N).sum()})

    parts = {"replaced": of(replaced_N).detached(), "original": of(~replaced_N).detached()}
    return Loss(loss_N.sum(), len(logits_N), {"accuracy": right_N.sum()}, parts), suspected_N


def proposed(
    states_TD: torch.Tensor,
    weight_VD: torch.Tensor,
    bias_V: torch.Tensor | None,
    targets_T: torch.Tensor,
    draws_T: torch.Tensor,
) -> tuple[Loss, torch.Tensor]:
    """A generator's cross-entropy, and one of the V drawn for each of its states by a uniform number."""
    from seedbed.models.cross_entropy import linear_cross_entropy
    from seedbed.models.detection import draw

    total, right = linear_cross_entropy(states_TD, weight_VD, bias_V, targets_T)
    return Loss(total, len(targets_T), {"accuracy": right}), draw(states_TD, weight_VD, bias_V, draws_T)
