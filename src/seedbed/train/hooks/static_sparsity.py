"""Training with a fixed random part of the weights (SPDF)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from seedbed.core.errors import InputError
from seedbed.train import Intervention, interventions

if TYPE_CHECKING:
    from seedbed.train.run import Run


@interventions.register("static_sparsity", papers=["245"])
class StaticSparsity(Intervention):
    """Keeps a random share of each linear layer's weights at zero (SPDF, Thangarasa et al., 2023: sparse pretraining).

    The mask is unstructured, the same share in every linear layer of the blocks, drawn once from the run's seed, and
    applied to weights and gradients at every step; embeddings, norms, biases and the head stay dense. Continued
    without this intervention the model is dense again, its zeros begin to learn: SPDF's dense fine-tuning.

    sparsity: the share at zero; None takes the zeros that a continued model has, which goes on sparsely.

    FLOPs are counted as if zeros cost nothing, in all three products, as in the paper; on ordinary hardware the
    products are dense and take as long as ever. Weights, gradients and optimizer states are accounted for at the
    mask's density, and a bit per weight for the mask.
    """

    def __init__(self, sparsity: float | None = 0.75) -> None:
        if sparsity is not None and not 0 <= sparsity < 1:
            raise InputError("sparsity", "must lie in [0, 1)", value=sparsity)
        self.sparsity = sparsity
        self._masked: list[tuple[Any, Any]] = []  # layers and their masks
        self._density = 1.0 if sparsity is None else 1 - sparsity

    def prepare(self, network: Any, seed: int) -> None:
        """Draw the masks (or find the zeros), and apply them to the weights."""
        from seedbed.models.replace import hidden_linears
        from seedbed.models.sparse import random_mask

        layers: dict[str, Any] = dict(hidden_linears(network))
        for name, linear in layers.items():
            if self.sparsity is None:
                mask = linear.weight.detach() != 0
            else:
                mask = random_mask(linear.weight.shape, self.sparsity, seed, name).to(linear.weight.device)
            linear.density = float(mask.float().mean())
            linear.weight_bits = 32 * linear.density + 1
            self._masked.append((linear, mask))
        kept = sum(int(mask.sum()) for _, mask in self._masked)
        self._density = kept / sum(mask.numel() for _, mask in self._masked)
        self._prune()

    def flops_factor(self, rows: int, columns: int) -> float:
        """All three products of a linear layer, at the density of the masks."""
        return self._density

    def on_start(self, run: Run) -> None:
        """The layers must still be there."""
        if not {linear for linear, _ in self._masked} <= set(run.network.modules()):
            raise InputError(
                "interventions",
                "the linear layers that static_sparsity masks were replaced by another intervention",
                fix="one of static_sparsity, nm_sparsity, low_rank, relora and int8_flow at a time",
            )

    def after_backward(self, run: Run) -> None:
        """No gradient where the mask has zeros, before clipping."""
        for linear, mask in self._masked:
            if linear.weight.grad is not None:
                linear.weight.grad.mul_(mask)
        run.measure_gradients()

    def after_step(self, run: Run) -> None:
        """Zeros stay zeros also under optimizers that mix a matrix's entries."""
        self._prune()

    def _prune(self) -> None:
        import torch

        with torch.no_grad():
            for linear, mask in self._masked:
                linear.weight.mul_(mask)
