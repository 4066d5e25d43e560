"""Mango's operator: four tensors in a ring.

Shapes, before (1) and after (2): b, x squares a layer (B), o, y outputs and i, w inputs of a square (both the width),
l, z layers; ring indices p, q, r, s.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from seedbed.core.counters import key
from seedbed.core.errors import InputError
from seedbed.surgery.operators import WidthDepth
from seedbed.surgery.sizes import repeated

if TYPE_CHECKING:
    from seedbed.models.architecture import Architecture

Tensor = torch.Tensor
_MATRICES = ("qkv", "attention_out", "feedforward_in", "feedforward_out")
_WEIGHTS = tuple(f"{name}.weight" for name in _MATRICES)


class Ring(WidthDepth):
    """All matrices of all blocks by the ring, everything else by `WidthDepth`."""

    def __init__(
        self,
        small: dict[str, Tensor],
        before: Architecture,
        after: Architecture,
        rank: int,
        seed: int,
        noise: float,
    ) -> None:
        super().__init__(small, before, after)
        for a in (before, after):
            if a.feedforward % a.width or a.qkv_width != 3 * a.width:
                raise InputError(
                    "to", "its matrices cannot be cut into squares of its width", value=(a.width, a.feedforward)
                )
        if after.feedforward * before.width != before.feedforward * after.width:
            raise InputError(
                "to.feedforward",
                "must be the same multiple of the width as before",
                value=after.feedforward,
                fix=f"feedforward: {before.feedforward // before.width * after.width}",
            )
        # the inner width is repeated within squares, as the ring does it
        ratio = before.feedforward // before.width
        self.maps["inner"] = torch.block_diag(*[repeated(after.width, before.width)] * ratio)
        # what is left to the matrices: biases, norms and tables
        self.depth = {name: rows for name, rows in self.depth.items() if not name.endswith(_WEIGHTS)}
        if not any(name.startswith(_MATRICES) for name in self.depth):
            self.maps = {"width": self.maps["width"]}
        self.learn(seed, noise)
        self.squares_boli = squares(small, before)
        share = 1 / repeated(after.width, before.width).sum(0)
        first = {
            "B": torch.eye(self.squares_boli.shape[0]),
            "O": repeated(after.width, before.width).T,
            "L": repeated(after.layers, before.layers).T,
            "I": (repeated(after.width, before.width) * share).T,
        }
        self.cores = {name: _core(name, matrix, rank, seed, noise) for name, matrix in first.items()}

    def parameters(self) -> list[Tensor]:
        """The four tensors, and the matrices for what is not in the ring."""
        return [*self.cores.values(), *super().parameters()]

    def weights(self) -> dict[str, Tensor]:
        """The large network's weights."""
        ring = matrices(self.contracted(), self.after)
        return {name: ring[name] if name in ring else self.weight(name) for name in self.after.shapes()}

    def contracted(self) -> Tensor:
        """The large network's squares (x, y, z, w), one core after the other."""
        found = torch.einsum("boli,siwp->bolswp", self.squares_boli, self.cores["I"])
        found = torch.einsum("bolswp,rlzs->bozrwp", found, self.cores["L"])
        found = torch.einsum("bozrwp,qoyr->byzqwp", found, self.cores["O"])
        return torch.einsum("byzqwp,pbxq->xyzw", found, self.cores["B"])


def _core(name: str, first: Tensor, rank: int, seed: int, noise: float) -> Tensor:
    """(rank, before, after, rank): a beginning at indices (0, 0), and noise everywhere."""
    generator = torch.Generator().manual_seed(key(seed, "growth", "ring", name) >> 1)
    core = noise * torch.randn(rank, *first.shape, rank, generator=generator)
    core[0, :, :, 0] += first
    return core.requires_grad_()


def squares(weights: dict[str, Tensor], architecture: Architecture) -> Tensor:
    """The blocks' matrices (b, o, l, i): a square's outputs are rows; `feedforward_out` is cut along its columns."""
    width = architecture.width
    layers = []
    for index in range(architecture.layers):
        found: list[Tensor] = []
        for name in _MATRICES:
            weight = weights[f"layers.{index}.{name}.weight"]
            found += weight.split(width, dim=1 if name == "feedforward_out" else 0)
        layers.append(torch.stack(found))
    return torch.stack(layers, dim=2)


def matrices(squares_boli: Tensor, architecture: Architecture) -> dict[str, Tensor]:
    """The opposite of `squares`."""
    a = architecture
    ratio = a.feedforward // a.width
    sizes = (3, 1, ratio * (2 if a.gated else 1), ratio)
    found = {}
    for index in range(a.layers):
        parts = squares_boli[:, :, index].split(sizes)
        for name, part in zip(_MATRICES, parts, strict=True):
            found[f"layers.{index}.{name}.weight"] = torch.cat(tuple(part), 1 if name == "feedforward_out" else 0)
    return found
