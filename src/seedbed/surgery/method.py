"""What a way to grow a network is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    import torch

    from seedbed.models.architecture import Architecture


class Operator(Protocol):
    """A map from one small network's weights to a large one's, with numbers that may be learned."""

    def parameters(self) -> list[torch.Tensor]:
        """What can be learned; empty where all is fixed."""

    def weights(self) -> dict[str, torch.Tensor]:
        """The large network's weights by name, differentiable in the parameters."""


class GrowthMethod(Protocol):
    """A way to grow. `steps` and `lr`: how long, and at what rate, its operator is learned on the task's loss."""

    steps: int
    lr: float

    def operator(
        self, small: dict[str, torch.Tensor], before: Architecture, after: Architecture, seed: int
    ) -> Operator:
        """The operator at its beginning, for a small network's weights by name. Raises InputError if the method cannot
        make the one architecture of the other."""
