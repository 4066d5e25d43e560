"""Tables of tokens as coordinates over primitives, and multiplied out again.

Shapes: V tokens, F primitives, D width.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

import torch

from seedbed.core.errors import InputError
from seedbed.models.transformer import Transformer
from seedbed.surgery.vocabulary.change import TABLES, tables_of

if TYPE_CHECKING:
    from seedbed.models.architecture import Architecture

Tables = dict[str, torch.Tensor]
_PRIMITIVES = {name: path.replace("weight", "primitives") for name, path in TABLES.items()}


def factorized(old_VD: torch.Tensor, primitives: int | None) -> tuple[torch.Tensor, torch.Tensor | None]:
    """Coordinates (V, F) and primitives (F, D), whose product is the nearest matrix of rank F; the whole table and no
    primitives where none are asked for."""
    if primitives is None:
        return old_VD, None
    if primitives > min(old_VD.shape):
        problem = f"is more than the rank of the embeddings: {min(old_VD.shape)}"
        raise InputError("primitives", problem, value=primitives)
    found = torch.linalg.svd(old_VD.double(), full_matrices=False)
    primitives_FD = found.S[:primitives, None] * found.Vh[:primitives]
    return found.U[:, :primitives].float(), primitives_FD.float()


def factors_of(network: Transformer, size: int, primitives: int | None) -> tuple[Tables, Tables]:
    """The first `size` rows of a network's tables as coordinates over so many primitives, and these; whole rows and
    none for None. The network's own numbers where it has as many."""
    had, weights = network.architecture.primitives, dict(network.named_parameters())
    rows = tables_of(network, size)
    shared = {name: weights[path].detach() for name, path in _PRIMITIVES.items() if path in weights}
    if had == primitives:
        return rows, shared
    if had is not None and primitives is not None and primitives > had:
        raise InputError("primitives", f"is more than the model has: {had}", value=primitives)
    found = {name: factorized(own @ shared[name] if name in shared else own, primitives) for name, own in rows.items()}
    made = {name: primitives_FD for name, (_, primitives_FD) in found.items() if primitives_FD is not None}
    return {name: coordinates for name, (coordinates, _) in found.items()}, made


@torch.no_grad()
def rebuilt(
    network: Transformer,
    architecture: Architecture,
    tables: Mapping[str, torch.Tensor],
    primitives: Tables,
    **others: torch.Tensor,
) -> Transformer:
    """A network of another architecture with these tables and `others` of its parameters; the rest are the old's."""
    made, old = Transformer(architecture, kernel=network.kernel), dict(network.named_parameters())
    given = {TABLES[name]: rows for name, rows in tables.items()} | others
    given |= {_PRIMITIVES[name]: rows for name, rows in primitives.items()}
    for name, parameter in made.named_parameters():
        parameter.copy_(given[name] if name in given else old[name])
    return made


def multiplied(network: Transformer) -> Transformer:
    """The network with whole tables, which computes the same but for rounding; itself if it has them."""
    if network.architecture.primitives is None:
        return network
    tables = factors_of(network, network.vocabulary_size, None)
    return rebuilt(network, replace(network.architecture, primitives=None), *tables)
