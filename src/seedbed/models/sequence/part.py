"""The base of the modules of mixers and feedforwards: parameters as the configuration names them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from seedbed.models.layers import Linear, Norm

if TYPE_CHECKING:
    from seedbed.models.architecture import Architecture
    from seedbed.models.block import Block


class Part(torch.nn.Module):
    """Has a `Linear`, a `Norm` or a parameter for what `Block.shapes` lists; subclasses declare their types and compute
    with them."""

    def __init__(self, block: Block, architecture: Architecture, layer: int) -> None:
        super().__init__()
        a = self.architecture = architecture
        self.layer = layer
        shapes = block.shapes(a, layer)
        for name, shape in shapes.items():
            owner, dot, kind = name.rpartition(".")
            bias = f"{owner}.bias" in shapes
            if not dot:
                self.register_parameter(name, torch.nn.Parameter(torch.empty(shape)))
            elif kind == "weight" and len(shape) == 1:
                self.add_module(owner, Norm(shape[0], a.norm_kind, a.norm_eps, bias))
            elif kind == "weight":
                self.add_module(owner, Linear(shape[1], shape[0], bias))
