"""The mean of all."""

from __future__ import annotations

from typing import TYPE_CHECKING

from seedbed.surgery.initializer import Change, initializers

if TYPE_CHECKING:
    import torch


@initializers.register("mean", papers=["362"])
class Mean:
    """Every row is the mean of all old embeddings (Hewitt, 2021). New tokens that begin alike are told apart by their
    gradients alone."""

    def initialize(self, change: Change) -> dict[str, torch.Tensor]:
        return {
            name: old_VD.mean(0, keepdim=True).repeat(len(change.same_N), 1)
            for name, old_VD in change.embeddings.items()
        }
