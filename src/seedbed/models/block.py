"""What can stand in a layer in place of attention (a mixer) or of the dense feedforward: its configuration, no torch.

A layer of such parts is `x + mixer(norm(x))`, then `x + feedforward(norm(x))`, or with the norms behind the residual as
the architecture has it. See docs/mixers.md for how to add one.
"""

from __future__ import annotations

import functools
import json
from typing import TYPE_CHECKING, Any, ClassVar

if TYPE_CHECKING:
    import numpy as np
    import torch

    from seedbed.models.architecture import Architecture

Shapes = dict[str, tuple[int, ...]]


class Block:
    """Base of mixers and feedforwards. A subclass keeps its settings in `configuration`, by which a saved network is
    built again."""

    configuration: dict[str, Any]

    serves: ClassVar[tuple[str, ...]] = ("bidirectional", "causal")  # kinds of attention of networks that it can be in
    packed: ClassVar[bool] = False  # takes packed rows, with masks; else each segment comes as a row of its own
    alone: ClassVar[bool] = False  # the layer has no feedforward beside it
    normed: ClassVar[bool] = False  # a mixer with a norm of its own in place of the layer's
    two_hop: ClassVar[bool] = False  # the feedforward's residual is the layer's input
    goes_on: ClassVar[bool] = False  # can be told a token alone, with what is kept of those before it (`Context.kept`)

    def check(self, architecture: Architecture) -> None:
        """Raise InputError for an architecture that it does not fit."""

    def shapes(self, architecture: Architecture, layer: int) -> Shapes:
        """Its parameters' names and shapes in a layer, from which its module's attributes are made (`sequence.part`):
        "x.weight" of two dimensions is a `Linear` x, of one a `Norm` x ("x.bias" beside it gives it a bias), what has
        no dot a plain parameter. A `Linear` that writes into the residual stream is called out."""
        raise NotImplementedError

    def flops(self, architecture: Architecture, layer: int, length: int) -> float:
        """Of forward and backward, for a token of a row of this length: products and Fourier transforms."""
        raise NotImplementedError

    def uncounted(self, architecture: Architecture, layer: int, length: int) -> float:
        """The part of `flops` that is not matrix products."""
        return 0.0

    def initial(
        self, name: str, architecture: Architecture, layer: int, draw: np.random.Generator
    ) -> np.ndarray | float | None:
        """A parameter's initial value in a layer where it is not the usual one (`initialize`): broadcast to its shape.
        `draw` is keyed by the seed and the parameter's name."""
        return None

    def module(self, architecture: Architecture, layer: int) -> torch.nn.Module:
        """Its module for a layer, called with (x_BLD, context)."""
        raise NotImplementedError


def described(blocks: Any, registry: Any) -> tuple[dict[str, Any] | None, ...]:
    """A backbone's setting (a block, None, or a list that is repeated over the layers) as plain data; empty where all
    are None."""
    given = blocks if isinstance(blocks, list | tuple) else [blocks]
    found = tuple(None if block is None else registry.parse(block).canonical() for block in given)
    return found if any(found) else ()


def built(role: str, entry: dict[str, Any] | None) -> Block | None:
    """The block that plain data describe; role is "mixer" or "feedforward"."""
    return None if entry is None else _built(role, json.dumps(entry))


@functools.lru_cache(maxsize=256)
def _built(role: str, entry: str) -> Block:
    from seedbed.models import feedforwards, mixers

    registry = mixers if role == "mixer" else feedforwards
    block: Block = registry.parse(json.loads(entry)).build()
    return block
