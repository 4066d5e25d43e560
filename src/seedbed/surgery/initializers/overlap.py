"""What both vocabularies have is copied."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from seedbed.surgery.initializer import Change, Initializer, initializers, kept_primitives

if TYPE_CHECKING:
    import torch


@initializers.register("overlap", papers=["006"])
class Overlap:
    """A token with an old one's surface takes over its row; the others get theirs from `rest`, which is told of the
    whole change. Rows that are copied are copied bit by bit."""

    def __init__(self, rest: Annotated[Initializer, initializers] = "subtokens") -> None:  # type: ignore[assignment]
        self.rest = rest

    def kept_primitives(self, given: int | None) -> int | None:
        """As `rest` has it."""
        return kept_primitives(self.rest, given)

    def initialize(self, change: Change) -> dict[str, torch.Tensor]:
        import torch

        found = self.rest.initialize(change)
        has_N = torch.from_numpy(change.same_N >= 0)
        same_N = torch.from_numpy(change.same_N)
        for name, old_VD in change.embeddings.items():
            found[name] = found[name].clone()
            found[name][has_N] = old_VD[same_N[has_N]]
        return found
