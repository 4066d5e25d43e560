"""As a new network would have them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from seedbed.surgery.initializer import Change, initializers

if TYPE_CHECKING:
    import torch


@initializers.register("random", papers=["372"])
class Random:
    """All rows drawn anew as those of a network that is trained from scratch (`models.initialize`): the baseline of
    every paper on the subject. Nothing of the old table is used; of a factored one its primitives are, over which
    coordinates are drawn so that rows are as long as a new network's."""

    def initialize(self, change: Change) -> dict[str, torch.Tensor]:
        import torch

        from seedbed.core.counters import key
        from seedbed.models.huggingface import read_architecture
        from seedbed.models.initialize import initialize

        _, architecture = read_architecture(change.model.path)
        found = {}
        for name, old_VD in change.embeddings.items():
            new_ND = torch.empty(len(change.same_N), old_VD.shape[1])
            # The name decides the deviation: that of T5's output embedding is another one. For all other networks the
            # name is the input's, since numbers are drawn by it.
            path = architecture.output_table if name == "output" and architecture.scaled_output else "embedding.weight"
            initialize(path, new_ND, key(change.seed, "vocabulary", name), architecture)
            if name in change.primitives:
                primitives_FD = change.primitives[name]
                new_ND *= primitives_FD.shape[1] ** 0.5 / primitives_FD.norm()
            found[name] = new_ND
        return found
