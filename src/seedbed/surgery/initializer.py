"""What gives the tokens of a new vocabulary their first embeddings.

Shapes: V tokens of the old vocabulary, N of the new one, D width.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any, Protocol

from seedbed.core.registry import Registry

if TYPE_CHECKING:
    import numpy as np
    import torch

    from seedbed.models.artifact import Model
    from seedbed.vocabulary.artifact import Tokenizer


@dataclass(frozen=True, eq=False)
class Change:
    """A vocabulary to be changed for another."""

    model: Model  # with its tokenizer
    old: Tokenizer
    new: Tokenizer
    embeddings: dict[str, torch.Tensor]  # "input" and, where it is untied, "output": float32 old_VD, or coordinates
    same_N: np.ndarray  # int64: the old id with the same surface form or special role, -1 where there is none
    seed: int
    say: Callable[[str], None] = lambda line: None
    primitives: dict[str, torch.Tensor] = field(default_factory=dict)  # (F, D) of each table that is coordinates (V, F)

    @cached_property
    def old_surfaces(self) -> list[str]:
        """Of each old token; see `vocabulary.surfaces`."""
        from seedbed.vocabulary.surfaces import surfaces

        return surfaces(self.old)

    @cached_property
    def new_surfaces(self) -> list[str]:
        """Of each new token."""
        from seedbed.vocabulary.surfaces import surfaces

        return surfaces(self.new)


class Initializer(Protocol):
    """A way to make new embeddings. It may give any rows to special tokens: the step puts those in by role.

    One may have `kept_primitives(given: int | None) -> int | None`: over how many primitives the rows that it makes are
    coordinates, in a model whose tables have `given`, None for whole rows. By default that is as it was."""

    def initialize(self, change: Change) -> dict[str, torch.Tensor]:
        """new_ND, float32, for each of `change.embeddings`; coordinates where these are."""


def kept_primitives(method: Any, given: int | None) -> int | None:
    """What a method says of that."""
    found: int | None = method.kept_primitives(given) if hasattr(method, "kept_primitives") else given
    return found


initializers: Registry[Any] = Registry(
    "initializer", "seedbed.surgery.initializers", about="the first embeddings of a new vocabulary's tokens"
)
