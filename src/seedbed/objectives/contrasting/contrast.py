"""What a contrast is: a loss over the vectors of the texts in a row.

Shapes: B rows, N vectors of a row, D width, H levels of a path.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from seedbed.objectives.base import Loss


@dataclass
class Vectors:
    """The vectors of all views of all texts of each row, filled up to the row with most of them.

    `valid_BN` marks those that are of a text; `group_BN` are numbers that are equal for what belongs together: the
    views of a text, and texts that share a value of the objective's `group`. `fields` has for each of a contrast's
    fields the texts' values: numbers that are equal where values are (B, N), -1 where a text has none, or for lists
    (B, N, H), a number for each beginning of the list.
    """

    states_BND: Any
    valid_BN: Any
    group_BN: Any
    fields: dict[str, Any]

    @cached_property
    def cosines_BNN(self) -> Any:
        from torch.nn.functional import normalize

        unit_BND = normalize(self.states_BND, dim=-1)
        return unit_BND @ unit_BND.transpose(1, 2)

    @cached_property
    def others_BNN(self) -> Any:
        """Pairs of two vectors of texts."""
        import torch

        both_BNN = self.valid_BN[:, :, None] & self.valid_BN[:, None, :]
        return both_BNN & ~torch.eye(self.valid_BN.shape[1], dtype=torch.bool, device=both_BNN.device)

    @cached_property
    def same_BNN(self) -> Any:
        """Pairs that belong together."""
        return self.others_BNN & (self.group_BN[:, :, None] == self.group_BN[:, None, :])

    @cached_property
    def apart_BNN(self) -> Any:
        """Pairs that do not."""
        return self.others_BNN & ~self.same_BNN


class Contrast:
    """Base of the contrasts."""

    def fields(self) -> Mapping[str, str]:
        """What it wants to know of texts beside their group: a name, and the `metadata.NAME` that says it."""
        return {}

    def loss(self, vectors: Vectors) -> Loss:
        """The sum over all that is compared, and its number. Each row is for itself, so that the losses of parts of a
        batch add up."""
        raise NotImplementedError
