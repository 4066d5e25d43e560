"""What goes through a network, where an objective gives it other rows than the batch's.

Shapes: B rows, L columns, M columns of a decoder, T targets.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import astuple, dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from seedbed.models.architecture import Architecture
    from seedbed.objectives.base import Examples, Objective


@dataclass(frozen=True)
class Load:
    """Of some passes, or for one token of the batch: positions that the network (of an encoder-decoder its encoder)
    reads, padding included; the same, each times the width of its row; positions that a decoder of the encoder's
    states reads; and targets."""

    read: float = 0.0
    pairs: float = 0.0
    written: float = 0.0
    targets: float = 0.0

    @classmethod
    def of(cls, passes: Iterable[Examples]) -> Load:
        """Of what goes through the network at once, one after the other."""
        found = cls()
        for examples in passes:
            rows, length = examples.tokens_BL.shape
            written = 0 if examples.decoder is None else math.prod(examples.decoder.tokens_BM.shape)
            found += cls(rows * length, rows * length**2, written, examples.num_targets)
        return found

    def __add__(self, other: Load) -> Load:
        return Load(*(one + two for one, two in zip(astuple(self), astuple(other), strict=True)))

    def over(self, tokens: float) -> Load:
        """For each of so many tokens."""
        return Load(*(value / tokens for value in astuple(self)))

    def flops(self, architecture: Architecture, objective: Objective) -> float:
        """Forward and backward, with what the objective puts beside the network, or takes besides: as many times as
        much as the network alone as it has where all is read as it stands."""
        if not self.read:
            return 0.0
        length, targets, written = (value / self.read for value in (self.pairs, self.targets, self.written))
        plain = architecture.flops_per_token(round(length), targets)
        times = objective.flops_per_token(architecture, round(length), targets) / plain
        return self.read * times * architecture.flops_per_token(round(length), targets, written)
