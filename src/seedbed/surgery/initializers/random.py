"""As a new network would have them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from seedbed.surgery.initializer import Change, initializers

if TYPE_CHECKING:
    import torch


@initializers.register("random", papers=["372"])
class Random:
    """All rows drawn anew as those of a network that is trained from scratch (`models.initialize`): the baseline of
    every paper on the subject. Nothing of the old table is used."""

    def initialize(self, change: Change) -> dict[str, torch.Tensor]:
        import torch

        from seedbed.core.counters import key
        from seedbed.models.huggingface import read_architecture
        from seedbed.models.initialize import initialize

        _, architecture = read_architecture(change.model.path)
        found = {}
        for name, old_VD in change.embeddings.items():
            new_ND = torch.empty(len(change.same_N), old_VD.shape[1])
            initialize("embedding.weight", new_ND, key(change.seed, "vocabulary", name), architecture)
            found[name] = new_ND
        return found
