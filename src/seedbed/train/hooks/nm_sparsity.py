"""N:M sparse training with a doubly pruned backward pass and late low-rank adapters (SLoPe)."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from seedbed.core.checks import check_counts, check_share
from seedbed.core.errors import InputError
from seedbed.train import Intervention, interventions

if TYPE_CHECKING:
    from seedbed.train.run import Run


@interventions.register("nm_sparsity", papers=["086"])
class NMSparsity(Intervention):
    """Keeps n of every m weights, and adds low-rank adapters at the end (SLoPe, Mozaffari et al., 2025).

    W has a fixed random mask with n of every m inputs of an output. The gradient of a layer's input is computed with W
    pruned once more, to n of every m outputs of an input, so that this product, too, can run on hardware for N:M
    sparsity (`double`; without it the gradient is exact). The gradient of W is masked. In the `last` share of the run
    adapters U D of the given rank are added to every layer, U at zero, and learn with everything else; until then they
    have no gradient, no decay and no optimizer state.

    Both masks are drawn once; the authors take them from the magnitudes of the random initial weights. Every linear
    layer of the blocks is sparse. When the run ends, adapters are merged: the saved model is dense, W + U D, and of the
    size of an ordinary one. A width that m does not divide is refused.

    FLOPs are counted with n/m of the forward product and of the gradient of the input, and all of the gradient of the
    weights, which is computed densely; adapters for their share of the run. Bytes: compressed copies of W (one for
    forward, one for the doubly pruned backward), with log2(C(m, n)) bits a group; gradients and states of kept weights.
    Nothing here is faster than dense training.
    """

    def __init__(self, n: int = 2, m: int = 4, rank: int = 8, last: float = 0.01, double: bool = True) -> None:
        check_counts(n=n, m=m)
        check_share("last", last)
        if n >= m:
            raise InputError("n", f"must be below m ({m})", value=n)
        if rank < 0:
            raise InputError("rank", "must not be negative", value=rank)
        self.n, self.m, self.rank, self.last, self.double = n, m, rank, last, double
        self._layers: dict[str, Any] = {}

    def prepare(self, network: Any, seed: int) -> None:
        """Sparse layers in the places of the ordinary ones."""
        from seedbed.models.replace import refuse_width_transfer, replace_linears
        from seedbed.models.sparse import SparseLinear

        refuse_width_transfer(network, "nm_sparsity")

        def made(name: str, linear: Any) -> SparseLinear:
            for what, size in zip(("outputs", "inputs"), linear.weight.shape, strict=True):
                if size % self.m:
                    raise InputError("m", f"does not divide the {size} {what} of {name}", value=self.m)
            layer: Any = SparseLinear(linear, self.n, self.m, self.rank, seed, name)
            if not self.double:
                layer.double_mask = layer.mask
            layer.density = self.n / self.m
            bits_a_group = math.ceil(math.log2(math.comb(self.m, self.n)))
            copies = 2 if self.double else 1
            layer.weight_bits = copies * (32 * layer.density + bits_a_group / self.m)
            return layer  # type: ignore[no-any-return]

        self._layers = replace_linears(network, made)

    def flops_factor(self, rows: int, columns: int) -> float:
        """Two sparse products and a dense one, and the adapters for as long as they are there."""
        sparse = (2 * self.n / self.m if self.double else self.n / self.m + 1) + 1
        return sparse / 3 + self.last * self.rank * (rows + columns) / (rows * columns)

    def before_step(self, run: Run) -> None:
        """The adapters join in the last share of the run."""
        for layer in self._layers.values():
            layer.active = run.progress > 1 - self.last

    def after_backward(self, run: Run) -> None:
        """Adapters that are not there yet have no gradient, so that no optimizer touches them."""
        for layer in self._layers.values():
            if layer.up is not None and not layer.active:
                layer.up.grad = layer.down.grad = None

    def after_step(self, run: Run) -> None:
        """Zeros stay zeros also under optimizers that mix a matrix's entries."""
        for layer in self._layers.values():
            layer.prune()

    def on_end(self, run: Run) -> None:
        """Say what will be saved."""
        run.say("the sparse weights and their adapters are merged: the saved model is dense")

    def export(self, network: Any) -> None:
        """Ordinary layers with W + U D."""
        from seedbed.models.replace import put_back
        from seedbed.models.sparse import SparseLinear

        put_back(network, SparseLinear, SparseLinear.merged)
