"""What an objective is: it corrupts batches into examples, and turns a network's output into a loss.

Shapes: B rows, L tokens a row, M tokens a row of a decoder, T targets, K embeddings added to each, D width,
V vocabulary.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, fields, is_dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np

from seedbed.core.errors import InputError
from seedbed.models.network import Ranks

if TYPE_CHECKING:
    from pathlib import Path

    import torch

    from seedbed.data.batch import Batch
    from seedbed.vocabulary.artifact import Vocabulary


@dataclass
class Outputs:
    """What the decoder of an encoder-decoder reads, packed as its inputs are: it sees what came before in its own
    segment, and of the encoder's states those of the same number."""

    tokens_BM: Any
    segments_BM: Any
    positions_BM: Any


@dataclass
class Examples:
    """Input and targets of one (micro-)batch; numpy from `corrupt`, torch after `to`. Objectives that need more
    inherit from it.

    `segments_BL` is None when every row is one piece without padding. `where_T` are flat positions (b * L + l)
    that carry a target, `targets_T` the wanted ids: logits are computed only there. `added_TK` are rows of the
    network's `added_embedding`, which are added to a target's hidden state before the head; None adds nothing.
    `ranks` say which tokens of a segment see which, where that is not the network's own order. With a `decoder`,
    `where_T` are positions in its rows (b * M + m).
    """

    tokens_BL: Any
    segments_BL: Any
    positions_BL: Any
    where_T: Any
    targets_T: Any
    added_TK: Any = None
    ranks: Ranks | None = None
    decoder: Outputs | None = None

    @property
    def num_targets(self) -> int:
        return int(self.targets_T.shape[0])

    def to(self, device: torch.device | str) -> Self:
        """As torch tensors on a device: int64, but for bools and fractions."""
        return moved(self, device)

    def passes(self, batch: Batch) -> Iterator[tuple[Batch, Examples]]:
        """What goes through the network at once, each with the rows of the batch that it was made from."""
        yield batch, self


def moved(value: Any, device: torch.device | str) -> Any:
    """A dataclass of arrays, or an array, as tensors."""
    import torch

    if value is None or isinstance(value, int | float | str | list):
        return value
    if isinstance(value, dict):
        return {name: moved(part, device) for name, part in value.items()}
    if is_dataclass(value) and not isinstance(value, type):
        return type(value)(**{known.name: moved(getattr(value, known.name), device) for known in fields(value)})
    if isinstance(value, np.ndarray):
        kept = value.dtype.kind in "bf"
        value = torch.from_numpy(np.ascontiguousarray(value, dtype=None if kept else np.int64))
    return value.to(device, non_blocking=True)


@dataclass
class Loss:
    """The sum of the targets' losses in nats (a tensor with gradient), their number, and sums to be logged.

    The loop divides by the number of targets in the whole (global) batch, so that accumulation and several
    processes equal one large batch. `sums` are plain tensors, logged divided by `count`, such as correct answers.
    `parts` are losses that the sum is made of, logged under their names and divided by their own counts. An objective
    gives the same names whatever the batch holds.
    """

    sum: torch.Tensor
    count: int
    sums: dict[str, torch.Tensor] = field(default_factory=dict)
    parts: dict[str, Loss] = field(default_factory=dict)

    def logged(self) -> dict[str, tuple[torch.Tensor, int]]:
        """Each sum that is logged beside the loss, and what it is divided by; those of a part as "part.name"."""
        found = {name: (value, self.count) for name, value in self.sums.items()}
        for part, loss in self.parts.items():
            own = {"loss": (loss.sum.detach(), loss.count), **loss.logged()}
            found |= {f"{part}.{name}": pair for name, pair in own.items()}
        return found

    def detached(self) -> Loss:
        """Without gradient."""
        parts = {name: loss.detached() for name, loss in self.parts.items()}
        return Loss(self.sum.detach(), self.count, self.sums, parts)

    def of_nothing(self) -> Loss:
        """As if no target had been there: zeros, under the same names and with a gradient of zeros."""
        sums = {name: value * 0 for name, value in self.sums.items()}
        parts = {name: loss.of_nothing() for name, loss in self.parts.items()}
        return Loss(self.sum * 0, 0, sums, parts)


class Objective:
    """Base of pretext tasks."""

    attention: ClassVar[str]  # "bidirectional", "causal", "prefix" or "encoder-decoder": which networks it trains

    memory: ClassVar[bool] = False  # whether it keeps counts of the data beside the weights
    headless: ClassVar[bool] = False  # predicts no tokens: the head over them is taken away, unless others want it
    beside_prediction: bool = False  # whether others in the run do
    reshapes: ClassVar[bool] = False  # the network reads other rows than the batch's: what it reads is measured

    def wanted_tokens(self) -> list[str]:
        """The special tokens that it needs by name."""
        return []

    def wanted_sources(self) -> list[str]:
        """The sources of data that it knows by name, if it knows any."""
        return []

    def bind(self, vocabulary: Vocabulary) -> None:
        """Take what it needs to know of the tokenizer; an error if, say, a mask token is missing."""

    def prepare(self, network: Any, seed: int) -> None:
        """Before there is an optimizer, and before a checkpoint is loaded: put modules of its own, such as a head or a
        generator, into `network.extra`, drawn from the seed. The same for a resumed run."""

    def corrupt(self, batch: Batch, *, seed: int, progress: float) -> Any:
        """Inputs and targets, as `Examples` or what can do the same: a pure function of the rows' counters, the seed
        and the progress in [0, 1]."""
        raise NotImplementedError

    def loss(self, network: Any, examples: Any) -> Loss:
        """The network's loss on examples that are on its device."""
        raise NotImplementedError

    def flops_per_token(self, architecture: Any, length: int, targets: float) -> float:
        """Forward and backward for a token, as `Architecture.flops_per_token` has it, with what the objective leaves
        out of the network or puts beside it."""
        return float(architecture.flops_per_token(length, targets))

    def export(self, network: Any) -> None:
        """After the last checkpoint: take its modules out of `network.extra`; they are not saved with the network."""

    def save(self, folder: Path) -> None:
        """The model's folder is written: put files of its own beside it."""


_TRAINED = {"causal": ("causal", "prefix")}  # objectives that also train networks of another kind than their own


def check_network(objective: Objective, network: Any, length: int) -> None:
    """Raises InputError for a network that the objective does not train, or that cannot take rows of this length."""
    if network.attention not in _TRAINED.get(objective.attention, (objective.attention,)):
        raise InputError(
            "objective",
            f"trains networks with {objective.attention} attention, and the model's is {network.attention}",
            fix="objective mlm for an encoder, clm for a decoder, span_corruption for an encoder-decoder",
        )
    if length > network.max_length:
        raise InputError(
            "length", "is above the model's max_length", value=length, allowed=f"up to {network.max_length}"
        )
