"""What an objective is: it corrupts batches into examples, and turns a network's output into a loss.

Shapes: B rows, L tokens a row, T targets, K embeddings added to each, D width, V vocabulary.
"""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING, Any, ClassVar, Protocol

import numpy as np

from seedbed.core.errors import InputError

if TYPE_CHECKING:
    import torch

    from seedbed.data.batch import Batch
    from seedbed.models.network import Network
    from seedbed.vocabulary.artifact import Vocabulary


@dataclass
class Examples:
    """Input and targets of one (micro-)batch; numpy from `corrupt`, torch after `to`.

    `segments_BL` is None when every row is one piece without padding. `where_T` are flat positions (b * L + l)
    that carry a target, `targets_T` the wanted ids: logits are computed only there. `added_TK` are rows of the
    network's `added_embedding`, which are added to a target's hidden state before the head; None adds nothing.
    """

    tokens_BL: Any
    segments_BL: Any
    positions_BL: Any
    where_T: Any
    targets_T: Any
    added_TK: Any = None

    @property
    def num_targets(self) -> int:
        return int(self.targets_T.shape[0])

    def to(self, device: torch.device | str) -> Examples:
        """As torch tensors (int64) on a device."""
        import torch

        def move(array: Any) -> Any:
            if array is None:
                return None
            if isinstance(array, np.ndarray):
                array = torch.from_numpy(np.ascontiguousarray(array, dtype=np.int64))
            return array.to(device, non_blocking=True)

        return Examples(*(move(getattr(self, known.name)) for known in fields(Examples)))


@dataclass
class Loss:
    """The sum of the targets' losses in nats (a tensor with gradient), their number, and sums to be logged.

    The loop divides by the number of targets in the whole (global) batch, so that accumulation and several
    processes equal one large batch. `sums` are plain tensors, logged divided by `count`, such as correct answers.
    """

    sum: torch.Tensor
    count: int
    sums: dict[str, torch.Tensor] = field(default_factory=dict)


class Objective(Protocol):
    """A pretext task."""

    attention: ClassVar[str]  # "bidirectional" or "causal": which networks it trains

    def bind(self, vocabulary: Vocabulary) -> None:
        """Take what it needs to know of the tokenizer; an error if, say, a mask token is missing."""

    def corrupt(self, batch: Batch, *, seed: int, progress: float) -> Examples:
        """Inputs and targets: a pure function of the rows' counters, the seed and the progress in [0, 1]."""

    def loss(self, network: Network, examples: Examples) -> Loss:
        """The network's loss on examples that are on its device."""


def check_network(objective: Objective, network: Any, length: int) -> None:
    """Raises InputError for a network that the objective does not train, or that cannot take rows of this length."""
    if objective.attention != network.attention:
        raise InputError(
            "objective",
            f"trains networks with {objective.attention} attention, and the model's is {network.attention}",
            fix="objective mlm for an encoder, clm for a decoder",
        )
    if length > network.max_length:
        raise InputError(
            "length", "is above the model's max_length", value=length, allowed=f"up to {network.max_length}"
        )
