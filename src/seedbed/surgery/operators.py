"""The operator that grows width by matrices and depth by mixing layers; fixed or learned.

Shapes: D1, D2 a dimension before and after; L1, L2 layers before and after; V rows of a table.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from seedbed.core.counters import key
from seedbed.models.architecture import is_table
from seedbed.surgery.sizes import check_growth, repeated

if TYPE_CHECKING:
    from seedbed.models.architecture import Architecture

Tensor = torch.Tensor
_COLUMNS = {
    "qkv": "width",
    "attention_out": "query",
    "feedforward_in": "width",
    "feedforward_out": "inner",
    "head_dense": "width",
}


class WidthDepth:
    """W2 = P_out (sum over j of w_lj W1_j) N_in^T for layer l of the large network.

    P (D2, D1) says how outputs of each kind (`width` of the residual stream, `query`, `key`, `inner`) follow from the
    small network's; a layer that reads them has N, which is P with column d divided by how often it is repeated in
    `repeated`, so that sums over repeated inputs stay what they were. w (L2, L1), one for each parameter of a block,
    begins by stacking. Norms and biases grow by their P, tables' columns by that of the width, and the norm before the
    logits by N. With these beginnings and equal depth, the large network computes what the small one does where the
    width is a multiple (else the norms' means weigh some columns more).

    `advanced`: rows that repeat others are taken from the layer above (bert2BERT's advanced initialization).
    """

    def __init__(
        self, small: dict[str, Tensor], before: Architecture, after: Architecture, *, advanced: bool = False
    ) -> None:
        check_growth(before, after)
        self.small, self.before, self.after, self.advanced = small, before, after, advanced
        sizes = {
            "width": (after.width, before.width),
            "query": (after.query_width, before.query_width),
            "key": (after.kv_heads * after.head_width, before.kv_heads * before.head_width),
            "inner": (after.feedforward, before.feedforward),
        }
        self.maps = {kind: repeated(*pair) for kind, pair in sizes.items()}
        self.shares = {kind: 1 / matrix.sum(0) for kind, matrix in self.maps.items()}
        inner = {name.split(".", 2)[2] for name in after.shapes() if name.startswith("layers.")}
        self.depth = {name: repeated(after.layers, before.layers) for name in sorted(inner)}

    def learn(self, seed: int, noise: float) -> None:
        """Let all matrices be learned, from their beginnings and a little noise, without which copies would have the
        same gradients for ever."""
        for what, group in (("width", self.maps), ("depth", self.depth)):
            for name, matrix in group.items():
                generator = torch.Generator().manual_seed(key(seed, "growth", what, name) >> 1)
                group[name] = matrix + noise * torch.randn(matrix.shape, generator=generator)
                group[name].requires_grad_()

    def parameters(self) -> list[Tensor]:
        """P of each kind, and w of each parameter of a block, if they are learned."""
        return [matrix for matrix in (*self.maps.values(), *self.depth.values()) if matrix.requires_grad]

    def weights(self) -> dict[str, Tensor]:
        """The large network's weights."""
        return {name: self.weight(name) for name in self.after.shapes()}

    def weight(self, name: str) -> Tensor:
        """One of them."""
        if not name.startswith("layers."):
            return self._widened(name, self.small[name])
        _, number, inner = name.split(".", 2)
        rows = self.depth[inner]
        layers = torch.stack([self._of_layer(index, inner) for index in range(self.before.layers)])
        mixed = torch.tensordot(rows[int(number)], layers, 1)
        if not self.advanced or "norm" in name:
            return self._widened(name, mixed)
        above = torch.tensordot(rows[int(number)], torch.cat((layers[1:], layers[-1:])), 1)
        return torch.where(self._is_copy(name, mixed), self._widened(name, above), self._widened(name, mixed))

    def _of_layer(self, index: int, inner: str) -> Tensor:
        """A parameter of a layer; of a norm that the first layer does not have, one that changes nothing."""
        name = f"layers.{index}.{inner}"
        if name in self.small:
            return self.small[name]
        assert "norm" in inner
        return torch.full((self.before.width,), 0.0 if inner.endswith("bias") else 1.0)

    def _widened(self, name: str, value: Tensor) -> Tensor:
        path, _, leaf = name.rpartition(".")
        module = path.rpartition(".")[2]
        if is_table(name):
            return value if name == "output_bias" else value @ self.maps["width"].T
        if module.endswith("norm"):
            # the gain of the last norm makes up for an output that sums over repeated columns
            return (self._reading("width") if path == self.after.last_norm else self.maps["width"]) @ value
        kinds = self._rows(module)
        parts = value.split([self.maps[kind].shape[1] for kind in kinds])
        rows = torch.cat([self.maps[kind] @ part for kind, part in zip(kinds, parts, strict=True)])
        return rows @ self._reading(_COLUMNS[module]).T if leaf == "weight" else rows

    def _reading(self, kind: str) -> Tensor:
        """N: for a layer that reads what P has repeated."""
        return self.maps[kind] * self.shares[kind]

    def _rows(self, module: str) -> tuple[str, ...]:
        """The kinds of outputs of a linear layer, one below the other."""
        if module == "qkv":
            return ("query", "key", "key")
        if module == "feedforward_in":
            return ("inner",) * (2 if self.after.gated else 1)
        return ("width",)

    def _is_copy(self, name: str, value: Tensor) -> Tensor:
        """Which rows of a large weight repeat others, (rows, 1) or (rows)."""
        kinds = self._rows(name.split(".")[2])
        copies = [torch.arange(self.maps[kind].shape[0]) >= self.maps[kind].shape[1] for kind in kinds]
        return torch.cat(copies)[:, None] if value.ndim == 2 else torch.cat(copies)
